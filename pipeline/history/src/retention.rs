//! Prunes predictions and evidence that nobody merged, and says which would go.

use super::entry::Entry;
use super::error::Result;
use super::predictions::time_of_round;
use super::prune::PruneReport;
use super::{History, Writer};
use forewarn_runtime::time::{DAY_MS, format_day};

impl History {
    /// Says what [`Writer::prune_predictions`] would delete.
    pub fn prunable_predictions(&self, older_than_ms: i64) -> Result<PruneReport> {
        Ok(report(&self.old_predictions(older_than_ms)?, older_than_ms))
    }

    fn old_predictions(&self, older_than_ms: i64) -> Result<Vec<Entry>> {
        let limit_ms = older_than_ms.div_euclid(DAY_MS).saturating_mul(DAY_MS);
        let mut files: Vec<Entry> = self.rounds_in(i64::MIN..limit_ms)?.into_iter().map(|round| round.entry).collect();
        let is_old = |round: &str| time_of_round(round).is_some_and(|as_of| as_of < limit_ms);
        files.extend(self.all_evidence()?.into_iter().filter(|(round, _)| is_old(round)).map(|(_, file)| file));
        Ok(files)
    }
}

impl Writer<'_> {
    /// Deletes the predictions of days that ended before a time.
    pub fn prune_predictions(&mut self, older_than_ms: i64) -> Result<PruneReport> {
        let files = self.history().old_predictions(older_than_ms)?;
        for file in &files {
            self.history().store().delete(&file.path)?;
            forewarn_runtime::failpoint::point("prune.prediction_deleted");
        }
        Ok(report(&files, older_than_ms))
    }
}

fn report(files: &[Entry], older_than_ms: i64) -> PruneReport {
    let bytes = files.iter().map(|f| f.size).sum();
    PruneReport { kept_from: format_day(older_than_ms.div_euclid(DAY_MS)), files: files.len() as u64, bytes }
}
