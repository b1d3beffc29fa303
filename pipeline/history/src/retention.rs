//! Says what a pruning would take, and prunes predictions.

use super::error::Result;
use super::predictions::PredictionFile;
use super::prune::PruneReport;
use super::{History, Writer};
use forewarn_runtime::time::{DAY_MS, format_day};

impl History {
    /// Says what [`Writer::prune`] would delete of the metrics.
    pub fn prunable(&self, older_than_ms: i64) -> Result<PruneReport> {
        let first_kept = older_than_ms.div_euclid(DAY_MS);
        let files = self.metric_files(None, i64::MIN, first_kept.saturating_mul(DAY_MS))?;
        let bytes = files.iter().map(|f| f.entry.size).sum();
        Ok(PruneReport { kept_from: format_day(first_kept), files: files.len() as u64, bytes })
    }

    /// Says what [`Writer::prune_predictions`] would delete.
    pub fn prunable_predictions(&self, older_than_ms: i64) -> Result<PruneReport> {
        Ok(report(&self.old_predictions(older_than_ms)?, older_than_ms))
    }

    fn old_predictions(&self, older_than_ms: i64) -> Result<Vec<PredictionFile>> {
        let limit_ms = older_than_ms.div_euclid(DAY_MS).saturating_mul(DAY_MS);
        let mut rounds = self.rounds()?;
        rounds.retain(|round| round.as_of < limit_ms);
        Ok(rounds)
    }
}

impl Writer<'_> {
    /// Deletes the predictions of days that ended before a time.
    pub fn prune_predictions(&mut self, older_than_ms: i64) -> Result<PruneReport> {
        let files = self.history().old_predictions(older_than_ms)?;
        for file in &files {
            self.history().store().delete(&file.entry.path)?;
            forewarn_runtime::failpoint::point("prune.prediction_deleted");
        }
        Ok(report(&files, older_than_ms))
    }
}

fn report(files: &[PredictionFile], older_than_ms: i64) -> PruneReport {
    let bytes = files.iter().map(|f| f.entry.size).sum();
    PruneReport { kept_from: format_day(older_than_ms.div_euclid(DAY_MS)), files: files.len() as u64, bytes }
}
