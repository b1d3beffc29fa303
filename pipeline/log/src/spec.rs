//! Names where a log is kept, and opens it there: a file in the state directory, or a table of DynamoDB.

use super::maintain::{Maintain, Snapshots};
use super::port::{Cursors, EventLog, LogError};
use super::sqlite::SqliteLog;
use forewarn_runtime::context::RuntimeContext;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A log wherever it is kept.
pub trait Log: EventLog + Cursors + Maintain + Snapshots + Send + Sync + fmt::Debug {}

impl<T: EventLog + Cursors + Maintain + Snapshots + Send + Sync + fmt::Debug> Log for T {}

/// Where a log is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogSpec {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A table, in the account and region of the environment.
    DynamoDb { table: String },
}

/// Says that a place is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place of an event log: name a table of DynamoDB as dynamodb:TABLE")]
pub struct NotAPlace(String);

impl LogSpec {
    /// Names the file within a state directory.
    pub fn in_state(state: &Path) -> Self {
        Self::Sqlite(super::log_path(state))
    }

    /// Reads `dynamodb:TABLE`.
    ///
    /// # Errors
    /// When it is something else, or DynamoDB would not take the name.
    pub fn parse(place: &str) -> Result<Self, NotAPlace> {
        let table = place.strip_prefix("dynamodb:").filter(|name| is_table(name));
        let table = table.ok_or_else(|| NotAPlace(place.to_owned()))?;
        Ok(Self::DynamoDb { table: table.to_owned() })
    }

    /// Opens the log; a file is made where there is none, a table is not.
    ///
    /// # Errors
    /// When it cannot be reached, is something else's, or a newer forewarn's.
    pub fn open(&self, ctx: &RuntimeContext) -> Result<Arc<dyn Log>, LogError> {
        match self {
            Self::Sqlite(path) => Ok(Arc::new(SqliteLog::open(path)?.within(ctx.clone()))),
            Self::DynamoDb { table } => in_table(table, ctx),
        }
    }
}

/// Says whether DynamoDB would take the name of a table.
pub fn is_table(name: &str) -> bool {
    (3..=255).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

#[cfg(feature = "aws")]
fn in_table(table: &str, ctx: &RuntimeContext) -> Result<Arc<dyn Log>, LogError> {
    use forewarn_runtime::aws::Aws;
    let reach = |e| LogError::unavailable(format!("reach the event log dynamodb:{table}"), e);
    let aws = Aws::load().map_err(reach)?;
    aws.region().map_err(reach)?;
    aws.check_credentials(aws.base()).map_err(reach)?;
    let config = aws.base().clone();
    Ok(Arc::new(super::DynamoLog::open(aws, &config, table, ctx.clone())?))
}

#[cfg(not(feature = "aws"))]
fn in_table(table: &str, _: &RuntimeContext) -> Result<Arc<dyn Log>, LogError> {
    let what = "this forewarn was built without AWS; build it with the feature `aws`".to_owned();
    Err(LogError::Foreign { path: format!("dynamodb:{table}"), what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_table_or_none() {
        let table = LogSpec::DynamoDb { table: "forewarn-log".to_owned() };
        assert_eq!(LogSpec::parse("dynamodb:forewarn-log"), Ok(table));
        for wrong in ["dynamodb:", "dynamodb:a b", "forewarn-log", "s3://bucket"] {
            assert!(LogSpec::parse(wrong).unwrap_err().to_string().contains("dynamodb:TABLE"), "{wrong}");
        }
    }
}
