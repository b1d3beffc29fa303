//! Asks the system for as much as it grants a process.

use std::io;

/// Raises the number of files that may be open at a time to what the system grants at most; gives it.
///
/// # Errors
/// When the system refuses.
#[cfg(unix)]
pub fn raise_open_files() -> io::Result<Option<u64>> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit)?;
    }
    Ok(getrlimit(Resource::Nofile).current)
}

/// Raises nothing: there is no such limit here.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn raise_open_files() -> io::Result<Option<u64>> {
    Ok(None)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rustix::process::{Resource, getrlimit, setrlimit};

    #[test]
    fn as_many_files_may_be_open_as_the_system_grants() {
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum.map_or(Some(1024), |most| Some(most.min(1024)));
        setrlimit(Resource::Nofile, limit).unwrap();
        assert_eq!(raise_open_files().unwrap(), limit.maximum);
        assert_eq!(getrlimit(Resource::Nofile).current, limit.maximum);
    }
}
