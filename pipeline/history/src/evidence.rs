//! Keeps what shards of an analysis hand on to the one that merges them: files under `_evidence/`, in a directory for each round.

use super::History;
use super::entry::Entry;
use super::error::Result;
use bytes::Bytes;

/// Where they lie.
const EVIDENCE: &str = "_evidence";

impl History {
    /// Puts a file of a round and gives its place. The same bytes again are as good; others are refused.
    pub fn put_evidence(&self, round: &str, name: &str, bytes: &[u8]) -> Result<String> {
        let path = format!("{EVIDENCE}/{round}/{name}");
        self.store().create(&path, bytes)?;
        Ok(self.store().describe(&path))
    }

    /// Lists the files of a round.
    pub fn evidence(&self, round: &str) -> Result<Vec<Entry>> {
        self.store().list(&format!("{EVIDENCE}/{round}"))
    }

    /// Reads a file of a round; none where it is gone.
    pub fn read_evidence(&self, file: &Entry) -> Result<Option<Bytes>> {
        self.store().read(&file.path)
    }

    /// Deletes the files of a round.
    pub fn forget_evidence(&self, round: &str) -> Result<()> {
        self.evidence(round)?.iter().try_for_each(|file| self.store().delete(&file.path))
    }

    /// Names the place of a round's files.
    pub fn evidence_place(&self, round: &str) -> String {
        self.store().describe(&format!("{EVIDENCE}/{round}"))
    }

    /// Lists the files of all rounds, with their rounds.
    pub(super) fn all_evidence(&self) -> Result<Vec<(String, Entry)>> {
        let mut all = Vec::new();
        for round in self.store().list_dirs(EVIDENCE)? {
            all.extend(self.evidence(&round)?.into_iter().map(|file| (round.clone(), file)));
        }
        Ok(all)
    }
}
