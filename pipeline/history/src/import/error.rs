//! Says what is wrong with an input and where.

use super::options::OnError;
use crate::HistoryError;
use forewarn_runtime::time::TimeError;
use std::path::Path;

/// An error of an import. Nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No file was given.
    #[error("no file to import was given")]
    NoFiles,
    /// An input cannot be read.
    #[error("cannot read {file}")]
    Read {
        /// The input.
        file: String,
        /// Why not.
        source: std::io::Error,
    },
    /// An input as a whole is not what it should be.
    #[error("{file}: {fault}")]
    File {
        /// The input.
        file: String,
        /// What is wrong and what to do.
        fault: String,
    },
    /// A row is bad.
    #[error("{place}: {fault}; nothing was imported (--on-error skip leaves such rows out)")]
    Row {
        /// `file:line` or `file: row N`.
        place: String,
        /// What is wrong.
        fault: String,
    },
    /// An option is bad.
    #[error("{0}")]
    Option(String),
    /// The zone is bad.
    #[error(transparent)]
    Zone(#[from] TimeError),
    /// The sorting file cannot be used.
    #[error("cannot {action} {path}")]
    Spill {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The record of an earlier import does not read.
    #[error("the record of import {0} does not read: {1}")]
    Record(String, String),
    /// The history cannot be written.
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl ImportError {
    /// Says whether the caller's input is at fault: exit code 2 rather than 1.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::NoFiles
            | Self::Read { .. }
            | Self::File { .. }
            | Self::Row { .. }
            | Self::Option(_)
            | Self::Zone(_) => true,
            Self::Spill { .. } | Self::Record(..) => false,
            Self::History(e) => e.is_bad_input(),
        }
    }

    pub(super) fn read(file: &Path, source: std::io::Error) -> Self {
        Self::Read { file: file.display().to_string(), source }
    }

    pub(super) fn file(file: &Path, fault: impl Into<String>) -> Self {
        Self::File { file: file.display().to_string(), fault: fault.into() }
    }

    pub(super) fn spill(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Spill { action, path: path.display().to_string(), source }
    }
}

/// How many bad rows a report names.
const SAMPLE: usize = 10;

/// Decides what a bad row means and counts.
#[derive(Debug)]
pub(super) struct Faults {
    on_error: OnError,
    pub(super) skipped: u64,
    pub(super) sample: Vec<String>,
}

impl Faults {
    pub(super) fn new(on_error: OnError) -> Self {
        Self { on_error, skipped: 0, sample: Vec::new() }
    }

    /// Reports a bad row.
    pub(super) fn row(&mut self, place: impl FnOnce() -> String, fault: &str) -> Result<(), ImportError> {
        match self.on_error {
            OnError::Fail => Err(ImportError::Row { place: place(), fault: fault.to_owned() }),
            OnError::Skip => {
                self.skipped += 1;
                if self.sample.len() < SAMPLE {
                    self.sample.push(format!("{}: {fault}", place()));
                }
                Ok(())
            }
        }
    }
}
