//! Dead letters in a history, for a state that is no directory.

use forewarn_events::dead::{DeadError, beyond};
use forewarn_events::{Bounds, DeadLetter, DeadLetters};
use forewarn_history::{HistoryError, Store};
use std::collections::BTreeSet;
use std::io;

/// The folder of a history that they lie in.
const DIR: &str = "_dead";

/// A file for each message, named by its hash.
#[derive(Debug)]
pub(super) struct HistoryDead(Store);

impl HistoryDead {
    /// Takes the history at a location; nothing is read yet.
    pub(super) fn open(history: &str) -> Result<Self, HistoryError> {
        Ok(Self(Store::open(history)?))
    }

    fn failed(&self, doing: &'static str) -> impl Fn(HistoryError) -> DeadError {
        let path = self.0.describe(DIR);
        move |e| DeadError::Io { path: path.clone(), doing, source: io::Error::other(e) }
    }
}

impl DeadLetters for HistoryDead {
    fn keep(&self, letter: &DeadLetter) -> Result<bool, DeadError> {
        let bytes = serde_json::to_vec(letter).map_err(|e| DeadError::Io {
            path: self.0.describe(DIR),
            doing: "write a letter",
            source: e.into(),
        })?;
        self.0.put_new(&format!("{DIR}/{}.json", letter.sha256), bytes).map_err(self.failed("write a letter"))
    }

    fn list(&self) -> Result<Vec<DeadLetter>, DeadError> {
        let mut letters = Vec::new();
        for entry in self.0.list(DIR).map_err(self.failed("list the letters"))? {
            let Some(bytes) = self.0.read(&entry.path).map_err(self.failed("read a letter"))? else { continue };
            let path = self.0.describe(&entry.path);
            letters.push(serde_json::from_slice(&bytes).map_err(|_| DeadError::Foreign { path, line: 1 })?);
        }
        letters.sort_by(|a: &DeadLetter, b| (&a.at, &a.sha256).cmp(&(&b.at, &b.sha256)));
        Ok(letters)
    }

    fn forget(&self, sha256: &BTreeSet<String>) -> Result<(), DeadError> {
        let delete = |hash: &String| self.0.delete(&format!("{DIR}/{hash}.json"));
        sha256.iter().try_for_each(delete).map_err(self.failed("forget a letter"))
    }

    fn prune(&self, bounds: Bounds, now_ms: i64, dry_run: bool) -> Result<Vec<DeadLetter>, DeadError> {
        let mut letters = self.list()?;
        letters.truncate(beyond(bounds, &letters, now_ms));
        if !dry_run {
            self.forget(&letters.iter().map(|l| l.sha256.clone()).collect())?;
        }
        Ok(letters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_events::Reason;

    #[test]
    fn a_letter_is_kept_once_listed_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let dead = HistoryDead::open(dir.path().to_str().unwrap()).unwrap();
        assert!(dead.list().unwrap().is_empty());
        let reason = Reason::NotJson { what: "a word".to_owned() };
        let put = |raw: &[u8], at| dead.put(&reason, "queue", raw, at).unwrap();
        assert!(put(b"b", 2_000) && put(b"a", 1_000) && !put(b"a", 3_000));
        let letters = dead.list().unwrap();
        assert_eq!(
            letters.iter().map(|l| l.at.as_str()).collect::<Vec<_>>(),
            ["1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z"]
        );
        dead.forget(&BTreeSet::from([letters[0].sha256.clone()])).unwrap();
        assert_eq!(dead.list().unwrap(), letters[1..]);
    }
}
