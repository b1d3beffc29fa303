//! Writes files that are there whole and durable, or not at all: staged beside their place under a name that nobody can know,
//! synced, renamed, and the directory synced.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Writes a file whole, over what may be there.
///
/// # Errors
/// When the directory can't be made or written; what was there stays.
pub fn write(at: &Path, bytes: &[u8]) -> io::Result<()> {
    staged(at, bytes)?.persist(at).map_err(|e| e.error)?;
    sync_parent(at)
}

/// Writes a file whole where nothing is in the way; says whether that was so.
///
/// # Errors
/// When the directory can't be made or written.
pub fn write_new(at: &Path, bytes: &[u8]) -> io::Result<bool> {
    match staged(at, bytes)?.persist_noclobber(at) {
        Ok(_) => sync_parent(at).map(|()| true),
        Err(e) if e.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e.error),
    }
}

/// Renames a synced file into place and makes the name durable.
///
/// # Errors
/// When it can't be renamed.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_parent(to)
}

/// Makes a directory with those above it, and their names durable.
///
/// # Errors
/// When one can't be made.
pub fn make_dirs(dir: &Path) -> io::Result<()> {
    make_and_sync(dir, &mut sync_dir)
}

fn make_and_sync(dir: &Path, sync: &mut dyn FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let made = missing_dirs(dir);
    fs::create_dir_all(dir)?;
    made.iter().try_for_each(|dir| sync(parent(dir)))
}

/// Names the directories of a path that are not there, outermost first.
pub fn missing_dirs(dir: &Path) -> Vec<PathBuf> {
    let above = dir.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists());
    let mut missing: Vec<PathBuf> = above.map(Path::to_path_buf).collect();
    missing.reverse();
    missing
}

/// Makes the names in a directory durable. Where a directory cannot be opened as a file there is nothing to do.
///
/// # Errors
/// When the system can't sync it.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    match File::open(dir) {
        Ok(open) if cfg!(unix) => open.sync_all(),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Says whether an open file is the one at a path: another may have been renamed over it, or it may have been deleted.
///
/// # Errors
/// When the system does not say.
#[cfg(unix)]
pub fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let opened = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (opened.dev(), opened.ino())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Says whether an open file is the one at a path: elsewhere one that is open can't be replaced.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

fn sync_parent(at: &Path) -> io::Result<()> {
    sync_dir(parent(at))
}

/// The directory of a file; of a bare name that is where the process stands.
fn parent(at: &Path) -> &Path {
    at.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn staged(at: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let dir = parent(at);
    make_dirs(dir)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".tmp");
    // As any file that a program makes: the umask says who may read it.
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(mode);
    let mut staged = builder.tempfile_in(dir)?;
    staged.write_all(bytes)?;
    staged.as_file().sync_all()?;
    Ok(staged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_and_a_new_one_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("a/b/c.json");
        assert!(write_new(&at, b"first").unwrap());
        assert!(!write_new(&at, b"second").unwrap());
        assert_eq!(fs::read(&at).unwrap(), b"first");
        write(&at, b"third").unwrap();
        assert_eq!(fs::read(&at).unwrap(), b"third");
        let names: Vec<_> = fs::read_dir(at.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["c.json"], "nothing staged is left");
    }

    #[test]
    fn a_new_directory_and_those_above_it_are_synced() {
        let dir = tempfile::tempdir().unwrap();
        let (root, mut synced) = (dir.path(), Vec::new());
        let mut note = |dir: &Path| {
            synced.push(dir.to_path_buf());
            Ok(())
        };
        make_and_sync(&root.join("a/b/c"), &mut note).unwrap();
        make_and_sync(&root.join("a/b/d"), &mut note).unwrap();
        make_and_sync(&root.join("a/b/d"), &mut note).unwrap();
        assert_eq!(synced, [root.to_path_buf(), root.join("a"), root.join("a/b"), root.join("a/b")]);
    }

    #[test]
    fn a_staged_file_has_a_name_that_nobody_can_know() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("row.json");
        let (one, other) = (staged(&at, b"one").unwrap(), staged(&at, b"other").unwrap());
        assert_ne!(one.path(), other.path());
        assert_eq!(one.path().parent(), at.parent(), "a rename within a directory is whole");
    }

    #[cfg(unix)]
    #[test]
    fn who_may_read_a_file_is_for_the_umask_to_say() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (ours, plain) = (dir.path().join("ours"), dir.path().join("plain"));
        write(&ours, b"").unwrap();
        fs::write(&plain, b"").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(ours), mode(plain));
    }
}
