//! Says how much room the file system of a directory has, and knows the errors that mean that there is none.

use std::error::Error;
use std::io;
use std::path::Path;

/// What to do when a disk is full.
pub const FULL: &str = "the disk is full: free space on it, or shorten what retention keeps (`forewarn maintain --dry-run` says what would go); nothing \
                        that was taken is lost, and it goes on when there is room";

/// The room of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this process may still write.
    pub free: u64,
    pub total: u64,
}

impl Space {
    /// The share that is free, 0 to 1.
    pub fn share(self) -> f64 {
        if self.total == 0 { 1.0 } else { self.free as f64 / self.total as f64 }
    }
}

/// Looks at the file system that a path lies on, or would lie on.
///
/// # Errors
/// When the system does not say.
#[cfg(unix)]
pub fn space(path: &Path) -> io::Result<Space> {
    let absolute = std::path::absolute(path)?;
    let there = absolute.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(there)?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Ok(Space { free: bytes(stat.f_bavail), total: bytes(stat.f_blocks) })
}

/// Looks at the file system that a path lies on, or would lie on.
///
/// # Errors
/// Always: it is not asked here.
#[cfg(not(unix))]
pub fn space(_: &Path) -> io::Result<Space> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Says whether an error, or one below it, means that there is no room.
pub fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(e) = next {
        if let Some(e) = e.downcast_ref::<io::Error>() {
            let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
            if kinds.contains(&e.kind()) {
                return true;
            }
        }
        if let Some(e) = e.downcast_ref::<rusqlite::Error>()
            && e.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
        {
            return true;
        }
        // Libraries that write for us keep the system's words alone.
        if e.source().is_none() && e.to_string().contains("No space left on device") {
            return true;
        }
        next = e.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_system_says_its_room_for_what_does_not_exist_yet_too() {
        let dir = tempfile::tempdir().unwrap();
        let there = space(dir.path()).unwrap();
        assert!(there.free > 0 && there.free <= there.total && there.share() <= 1.0, "{there:?}");
        assert_eq!(space(&dir.path().join("not/yet")).unwrap().total, there.total);
        assert!((Space { free: 1, total: 4 }.share() - 0.25).abs() < 1e-12);
    }

    #[test]
    fn an_error_for_want_of_room_is_known_wherever_it_comes_from() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot write")]
        struct Outer(#[source] Box<dyn Error + Send + Sync>);
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert!(is_full(&full()) && is_full(&Outer(Box::new(Outer(Box::new(full()))))));
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
        assert!(is_full(&Outer(Box::new(rusqlite::Error::SqliteFailure(code, None)))));
        assert!(is_full(&Outer("External: No space left on device (os error 28)".into())));
        assert!(!is_full(&io::Error::from(io::ErrorKind::NotFound)) && !is_full(&Outer("no".into())));
    }
}
