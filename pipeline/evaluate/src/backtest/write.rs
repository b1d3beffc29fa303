//! Writes a replay's predictions as Parquet, whole or not at all.

use super::job::prior_of;
use super::records::Verdict;
use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use forewarn_domain::prediction::FailureType;
use forewarn_domain::prediction::Level;
use forewarn_history::columns::{text, time, time_type};
use forewarn_predict::error::AnalyzeError;
use forewarn_predict::truth::RowTruth;
use forewarn_rules::assess::Assessed;
use forewarn_rules::ruleset::RuleSet;
use forewarn_rules::table::FeatureTable;
use parquet::arrow::ArrowWriter;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Writes one row for every instance and step.
///
/// Where nothing can be assessed the table still has probabilities, those that the rule set holds without any evidence: who
/// scores the table must not be able to win by silence. `confidence` says `unassessable`.
#[derive(Debug)]
pub struct PredictionWriter {
    path: PathBuf,
    /// Where the rows stand until they are complete; None once the file has its name.
    staged: Option<PathBuf>,
    writer: Option<ArrowWriter<File>>,
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("instance_id", DataType::Utf8, false),
        Field::new("as_of", time_type(), false),
        Field::new("p24", DataType::Float64, false),
        Field::new("p72", DataType::Float64, false),
        Field::new("p168", DataType::Float64, false),
        Field::new("confidence", DataType::Utf8, false),
        Field::new("failure_type", DataType::Utf8, true),
        Field::new("high", DataType::Boolean, false),
        Field::new("outcome", DataType::Utf8, true),
        Field::new("outcome_reason", DataType::Utf8, true),
    ]))
}

/// What a row came to: its outcome, and where that needs one the reason.
fn outcome(truth: RowTruth, level: Level) -> (&'static str, Option<&'static str>) {
    let unassessable = (level == Level::Unassessable).then_some("unassessable");
    match (truth, level == Level::High) {
        (RowTruth::Censored(why), _) => ("censored", Some(why.name())),
        (RowTruth::Followed, true) => ("hit", None),
        (RowTruth::Followed, false) => ("miss", unassessable),
        (RowTruth::Quiet, true) => ("false_alarm", None),
        (RowTruth::Quiet, false) => ("quiet", unassessable),
    }
}

/// Makes the rows of a table. `truth` is empty where no incidents are known; Where nothing can be assessed the rule set's
/// probabilities without evidence stand.
///
/// # Errors
/// When the columns don't fit together.
pub(super) fn rows(
    table: &FeatureTable,
    assessed: &Assessed,
    truth: &[RowTruth],
    ruleset: &RuleSet,
) -> Result<RecordBatch, ArrowError> {
    let p = |k: usize| -> ArrayRef {
        let known = assessed.probability[k].iter().enumerate();
        let known = known.map(|(row, p)| if p.is_nan() { prior_of(ruleset, table, row)[k] } else { *p });
        Arc::new(Float64Array::from_iter_values(known))
    };
    let failure = assessed.failure_type.iter().zip(&assessed.level);
    let outcomes: Vec<(Option<&str>, Option<&str>)> = (0..table.len())
        .map(|row| match truth.get(row) {
            Some(truth) => {
                let (outcome, reason) = outcome(*truth, assessed.level[row]);
                (Some(outcome), reason)
            }
            None => (None, None),
        })
        .collect();
    let columns: Vec<ArrayRef> = vec![
        text(table.instance_ids.iter().map(|id| Some(id.as_str()))),
        time(table.as_of.iter().copied()),
        p(0),
        p(1),
        p(2),
        text(assessed.level.iter().map(|l| Some(l.name()))),
        text(failure.map(|(f, l)| f.filter(|_| l.is_at_risk()).map(FailureType::name))),
        Arc::new(assessed.level.iter().map(|l| Some(*l == Level::High)).collect::<BooleanArray>()),
        text(outcomes.iter().map(|o| o.0)),
        text(outcomes.iter().map(|o| o.1)),
    ];
    RecordBatch::try_new(schema(), columns)
}

impl PredictionWriter {
    /// Starts a file that takes its name only when it is finished; what an earlier run left half-done is overwritten.
    ///
    /// # Errors
    /// In words, when the file can't be made.
    pub fn create(path: &Path) -> Result<Self, String> {
        let fail = |e: &dyn std::fmt::Display| format!("cannot write {}: {e}", path.display());
        if path.is_dir() {
            return Err(fail(&"it is a directory"));
        }
        let mut staged = path.as_os_str().to_owned();
        staged.push(".partial");
        let staged = PathBuf::from(staged);
        let file = File::create(&staged).map_err(|e| fail(&e))?;
        let mut out = Self { path: path.to_owned(), staged: Some(staged), writer: None };
        out.writer = Some(ArrowWriter::try_new(file, schema(), None).map_err(|e| fail(&e))?);
        Ok(out)
    }

    /// Adds rows as [`rows`] makes them.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(super) fn add(&mut self, rows: &Result<RecordBatch, ArrowError>) -> Result<(), AnalyzeError> {
        let rows = rows.as_ref().map_err(|e| self.failed(e))?;
        match &mut self.writer {
            Some(writer) => writer.write(rows).map_err(|e| self.failed(&e)),
            None => Ok(()),
        }
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn finish(mut self) -> Result<(), AnalyzeError> {
        if let Some(writer) = self.writer.take() {
            writer.close().map_err(|e| self.failed(&e))?;
        }
        if let Some(staged) = &self.staged {
            std::fs::rename(staged, &self.path).map_err(|e| self.failed(&e))?;
        }
        self.staged = None;
        Ok(())
    }

    fn failed(&self, e: &dyn std::fmt::Display) -> AnalyzeError {
        AnalyzeError::Write { path: self.path.clone(), why: e.to_string() }
    }
}

impl Drop for PredictionWriter {
    /// Takes away what was never finished.
    fn drop(&mut self) {
        if let Some(staged) = self.staged.take() {
            // Nobody is left to tell, and the next run overwrites it.
            std::fs::remove_file(staged).ok();
        }
    }
}

impl Verdict {
    /// Reads what an assessment says of each row; where nothing can be assessed, what the rule set says without evidence stands for it.
    pub(super) fn of(ruleset: &RuleSet, table: &FeatureTable, assessed: &Assessed) -> Self {
        let mut verdict = Self::default();
        for (row, (p, level)) in assessed.probability[0].iter().zip(&assessed.level).enumerate() {
            let p = if p.is_nan() { prior_of(ruleset, table, row)[0] } else { *p };
            verdict.push(p, *level == Level::High);
        }
        verdict
    }
}
