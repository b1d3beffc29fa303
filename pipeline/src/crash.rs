//! Lets tests and proofs kill the process at a named point of a commit protocol.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The variable that arms a point: `NAME` or `NAME:N` for its N-th passing.
pub const CRASH_AT: &str = "FOREWARN_CRASH_AT";

static ARMED: OnceLock<Option<(String, u64)>> = OnceLock::new();
static PASSED: AtomicU64 = AtomicU64::new(0);

/// Aborts the process when [`CRASH_AT`] names this point and it is passed for the N-th time.
///
/// An abort runs no destructor and flushes nothing, as `kill -9` would. Unarmed, a point costs one load.
pub fn point(name: &str) {
    let armed = ARMED.get_or_init(|| std::env::var(CRASH_AT).ok().as_deref().and_then(parse));
    if let Some((at, nth)) = armed
        && at == name
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *nth
    {
        tracing::error!(point = name, "aborting at the armed crash point");
        std::process::abort();
    }
}

fn parse(text: &str) -> Option<(String, u64)> {
    match text.rsplit_once(':') {
        Some((name, nth)) => nth.parse().ok().filter(|n| *n > 0).map(|n| (name.to_owned(), n)),
        None => (!text.is_empty()).then(|| (text.to_owned(), 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_point_is_named_with_or_without_its_count() {
        assert_eq!(parse("import.journal_written"), Some(("import.journal_written".to_owned(), 1)));
        assert_eq!(parse("import.renamed:3"), Some(("import.renamed".to_owned(), 3)));
        assert_eq!(parse("import.renamed:0"), None);
        assert_eq!(parse(""), None);
    }
}
