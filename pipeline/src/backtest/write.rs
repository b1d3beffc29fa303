//! Writes a replay's predictions as Parquet, whole or not at all.

use crate::analyze::AnalyzeError;
use crate::render::columns::{text, time};
use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use forewarn_rules::assess::Assessed;
use forewarn_rules::table::FeatureTable;
use parquet::arrow::ArrowWriter;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Writes one row for every instance and step.
#[derive(Debug)]
pub struct PredictionWriter {
    path: PathBuf,
    staged: PathBuf,
    writer: ArrowWriter<File>,
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("instance_id", DataType::Utf8, false),
        Field::new("as_of", crate::render::columns::time_type(), false),
        Field::new("p24", DataType::Float64, true),
        Field::new("p72", DataType::Float64, true),
        Field::new("p168", DataType::Float64, true),
        Field::new("confidence", DataType::Utf8, false),
        Field::new("failure_type", DataType::Utf8, true),
    ]))
}

impl PredictionWriter {
    /// Starts a file that takes its name only when it is finished.
    ///
    /// # Errors
    /// In words, when the file can't be made.
    pub fn create(path: &Path) -> Result<Self, String> {
        let fail = |e: &dyn std::fmt::Display| format!("cannot write {}: {e}", path.display());
        let mut staged = path.as_os_str().to_owned();
        staged.push(".partial");
        let staged = PathBuf::from(staged);
        let file = File::create(&staged).map_err(|e| fail(&e))?;
        let writer = ArrowWriter::try_new(file, schema(), None).map_err(|e| fail(&e))?;
        Ok(Self { path: path.to_owned(), staged, writer })
    }

    /// Adds the rows of a table.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn add(&mut self, table: &FeatureTable, assessed: &Assessed) -> Result<(), AnalyzeError> {
        let p = |k: usize| -> ArrayRef {
            let known = assessed.probability[k].iter().map(|p| (!p.is_nan()).then_some(*p));
            Arc::new(known.collect::<Float64Array>())
        };
        let failure =
            assessed.failure_type.iter().zip(&assessed.level).map(|(f, l)| {
                f.filter(|_| crate::render::columns::at_risk(*l)).map(crate::render::columns::failure_name)
            });
        let columns: Vec<ArrayRef> = vec![
            text(table.instance_ids.iter().map(|id| Some(id.as_str()))),
            time(table.as_of.iter().copied()),
            p(0),
            p(1),
            p(2),
            text(assessed.level.iter().map(|l| Some(l.name()))),
            text(failure),
        ];
        let batch = RecordBatch::try_new(schema(), columns).map_err(|e| self.failed(&e))?;
        self.writer.write(&batch).map_err(|e| self.failed(&e))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn finish(self) -> Result<(), AnalyzeError> {
        let fail = |e: &dyn std::fmt::Display| AnalyzeError::Write { path: self.path.clone(), why: e.to_string() };
        self.writer.close().map_err(|e| fail(&e))?;
        std::fs::rename(&self.staged, &self.path).map_err(|e| fail(&e))
    }

    fn failed(&self, e: &dyn std::fmt::Display) -> AnalyzeError {
        AnalyzeError::Write { path: self.path.clone(), why: e.to_string() }
    }
}
