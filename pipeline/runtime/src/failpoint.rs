//! Lets tests and proofs kill the process at a named point of a commit protocol.

use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The variable that arms a point: `NAME` or `NAME:N` for its N-th passing.
pub const CRASH_AT: &str = "FOREWARN_CRASH_AT";

/// The variable that says how the process dies at the point: by default it aborts; `KILL` and `STOP` have the system send it that
/// signal, and a process that was stopped goes on when it is continued.
pub const CRASH_SIGNAL: &str = "FOREWARN_CRASH_SIGNAL";

static ARMED: OnceLock<Option<(String, u64)>> = OnceLock::new();
static PASSED: AtomicU64 = AtomicU64::new(0);

/// The variable that names a file to which every point passed is appended, so that a killer from outside can say where it struck.
pub const CRASH_TRACE: &str = "FOREWARN_CRASH_TRACE";

static TRACE: OnceLock<Option<File>> = OnceLock::new();

/// Aborts the process when [`CRASH_AT`] names this point and it is passed for the N-th time.
///
/// An abort runs no destructor and flushes nothing, as `kill -9` would. Unarmed, a point costs two loads.
pub fn point(name: &str) {
    if let Some(mut file) = TRACE.get_or_init(trace_file).as_ref() {
        // One write a line: lines of several threads don't mix, and a kill leaves whole ones.
        file.write_all(format!("{name}\n").as_bytes()).ok();
    }
    let armed = ARMED.get_or_init(|| std::env::var(CRASH_AT).ok().as_deref().and_then(parse));
    if let Some((at, nth)) = armed
        && at == name
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *nth
    {
        tracing::error!(point = name, "ending at the armed crash point");
        match std::env::var(CRASH_SIGNAL).as_deref() {
            Ok(signal @ ("KILL" | "STOP")) => signalled(signal),
            _ => std::process::abort(),
        }
    }
}

/// Has the system send this very process a signal, and waits until it has come.
fn signalled(signal: &str) {
    let pid = std::process::id().to_string();
    let sent = std::process::Command::new("kill").args([&format!("-{signal}"), &pid]).status();
    if !sent.is_ok_and(|s| s.success()) {
        std::process::abort();
    }
    std::thread::sleep(std::time::Duration::from_millis(200));
}

fn trace_file() -> Option<File> {
    let path = std::env::var_os(CRASH_TRACE).filter(|p| !p.is_empty())?;
    File::options().create(true).append(true).open(path).ok()
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
