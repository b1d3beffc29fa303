//! Prunes predictions, and says which would go.

use super::error::Result;
use super::predictions::PredictionFile;
use super::prune::PruneReport;
use super::{History, Writer};
use forewarn_runtime::time::{DAY_MS, format_day};

impl History {
    /// Says what [`Writer::prune_predictions`] would delete.
    pub fn prunable_predictions(&self, older_than_ms: i64) -> Result<PruneReport> {
        Ok(report(&self.old_predictions(older_than_ms)?, older_than_ms))
    }

    fn old_predictions(&self, older_than_ms: i64) -> Result<Vec<PredictionFile>> {
        let limit_ms = older_than_ms.div_euclid(DAY_MS).saturating_mul(DAY_MS);
        self.rounds_in(i64::MIN..limit_ms)
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
