//! Removes what processes that were killed left of files on their way to an object store.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// How a directory begins in which files are made before they are put.
pub(super) const STAGED: &str = "forewarn-";

/// Removes from a directory for temporary files those of ours in which nothing has changed since a time; gives how many. What belongs to
/// somebody else is passed over.
///
/// # Errors
/// When the directory can't be listed.
pub fn sweep(dir: &Path, before_ms: i64) -> std::io::Result<u64> {
    let before = UNIX_EPOCH + Duration::from_millis(u64::try_from(before_ms).unwrap_or(0));
    let mut gone = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_str().is_some_and(is_staged);
        let is_old = entry.metadata().is_ok_and(|m| m.is_dir() && m.modified().is_ok_and(|at| at < before));
        if is_ours && is_old && fs::remove_dir_all(entry.path()).is_ok() {
            tracing::info!(path = %entry.path().display(), "removed what a process that was killed had left");
            gone += 1;
        }
    }
    Ok(gone)
}

/// Knows a name such as `forewarn-compact-0123456789abcdef-4711`, which ends in the process's number.
fn is_staged(name: &str) -> bool {
    let Some((id, process)) = name.strip_prefix(STAGED).and_then(|rest| rest.rsplit_once('-')) else { return false };
    id.len() >= 16 && !process.is_empty() && process.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_and_old_goes() {
        let dir = tempfile::tempdir().unwrap();
        for name in
            ["forewarn-compact-0123456789abcdef-4711", "forewarn-demo", "forewarn-demo-1", "other-0123456789abcdef-1"]
        {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("merged"), b"x").unwrap();
        }
        assert_eq!(sweep(dir.path(), 0).unwrap(), 0);
        assert_eq!(sweep(dir.path(), i64::MAX).unwrap(), 1);
        assert!(!dir.path().join("forewarn-compact-0123456789abcdef-4711").exists());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }
}
