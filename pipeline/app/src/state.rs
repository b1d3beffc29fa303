//! The state of the pipeline, opened from what names it: everything that is kept beside the history.
//!
//! A directory holds it in SQLite and files, for one machine. A table of DynamoDB holds the log, leases, progress and checkpoints for
//! processes anywhere; what cannot be understood lies in the history then.

mod dead;
#[cfg(feature = "aws")]
mod table;

use dead::HistoryDead;
use forewarn_events::{DeadLetters, JsonLinesDead};
use forewarn_history::HistoryError;
use forewarn_ingest::archive::{ArchiveError, ArchiveReport, ArchiveState, Gap, RetryReport, SetAside};
use forewarn_ingest::archive::{drain, retry_set_aside};
use forewarn_ingest::stream::StreamSpec;
use forewarn_log::spec::is_table;
use forewarn_log::{LogError, LogSpec, SqliteLog, log_path};
use forewarn_recover::store::Store;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::lease::{Lease, Leases};
use forewarn_runtime::place::StatePlace;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use table::Table;

/// Parts of the work, as leases, progress and logs know them.
pub const ARCHIVE: &str = forewarn_ingest::archive::PART;
/// See [`ARCHIVE`].
pub const ANALYZE: &str = forewarn_predict::prediction_run::PART;
/// See [`ARCHIVE`].
pub const EMIT: &str = "emit";
/// See [`ARCHIVE`].
pub const MAINTAIN: &str = "maintain";
/// How a name of a table begins.
const TABLE: &str = "dynamodb:";

/// Explains why there is no such state, or it can't do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// No table is called that.
    #[error(
        "state {0:?} is neither a directory nor dynamodb:TABLE: a table's name has 3 to 255 letters, digits, `_`, `.` and `-`"
    )]
    Name(String),
    /// It is a table where only a directory will do.
    #[error("{what} is kept in a state directory, and the state is dynamodb:{table}; give --state DIR")]
    NeedsDirectory {
        table: String,
        /// What is asked for.
        what: &'static str,
    },
    /// It is a directory where only a table will do.
    #[error(
        "the state of a Lambda function can't be a directory ({}): SQLite on the function's own disk goes with it, and on a mounted file \
         system several functions at once damage it; set FOREWARN_STATE=dynamodb:TABLE", .0.display()
    )]
    NeedsTable(PathBuf),
    /// It is a history in a directory where only a bucket will do.
    #[error(
        "the history of a Lambda function can't be a directory ({0}): the function's own disk goes with it; set FOREWARN_HISTORY=s3://BUCKET/PREFIX"
    )]
    NeedsBucket(String),
    /// The directory can't be made.
    #[error("cannot create {}", path.display())]
    Create {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The archive stopped.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// AWS can't be reached.
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Aws(#[from] forewarn_runtime::aws::AwsError),
    /// Built without AWS.
    #[error(
        "this forewarn was built without AWS, and has no table {0}; build it with the feature `aws`, or give --state DIR"
    )]
    NoAws(String),
}

impl StateError {
    /// True when the input is at fault.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Name(_)
            | Self::NeedsDirectory { .. }
            | Self::NeedsTable(_)
            | Self::NeedsBucket(_)
            | Self::Create { .. }
            | Self::NoAws(_) => true,
            Self::History(e) => e.is_bad_input(),
            Self::Log(_) | Self::Archive(_) => false,
            #[cfg(feature = "aws")]
            Self::Aws(_) => true,
        }
    }
}

/// What names a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateSpec {
    Dir(PathBuf),
    /// A table of DynamoDB.
    Table(String),
}

impl StateSpec {
    /// Reads `DIR` or `dynamodb:TABLE`.
    ///
    /// # Errors
    /// When no table is called that.
    pub fn parse(text: &str) -> Result<Self, StateError> {
        match text.strip_prefix(TABLE) {
            None => Ok(Self::Dir(PathBuf::from(text))),
            Some(name) if is_table(name) => Ok(Self::Table(name.to_owned())),
            Some(_) => Err(StateError::Name(text.to_owned())),
        }
    }

    /// Gives the directory, for what is kept nowhere else.
    ///
    /// # Errors
    /// When it is a table.
    pub fn dir(&self, what: &'static str) -> Result<&Path, StateError> {
        match self {
            Self::Dir(dir) => Ok(dir),
            Self::Table(table) => Err(StateError::NeedsDirectory { table: table.clone(), what }),
        }
    }

    /// Gives where messages go that can't be understood: into the directory, or into the history at a location.
    ///
    /// # Errors
    /// When the location is none.
    pub fn dead(&self, history: &str) -> Result<Box<dyn DeadLetters>, StateError> {
        match self {
            Self::Dir(dir) => Ok(Box::new(JsonLinesDead::in_state(dir))),
            Self::Table(_) => Ok(Box::new(HistoryDead::open(history)?)),
        }
    }

    /// Names the log in it.
    pub fn log(&self) -> LogSpec {
        match self {
            Self::Dir(dir) => LogSpec::in_state(dir),
            Self::Table(table) => LogSpec::DynamoDb { table: table.clone() },
        }
    }

    /// Says whether there is a log: in a directory it is made when something is written.
    pub fn has_log(&self) -> bool {
        match self {
            Self::Dir(dir) => log_path(dir).exists(),
            Self::Table(_) => true,
        }
    }

    /// Refuses a directory: in a Lambda function nothing may be kept in one.
    ///
    /// # Errors
    /// When it is one.
    pub fn refuse_dir(&self) -> Result<(), StateError> {
        match self {
            Self::Dir(dir) => Err(StateError::NeedsTable(dir.clone())),
            Self::Table(_) => Ok(()),
        }
    }
}

/// The variable that is there in a Lambda function only.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// Says whether this process is a Lambda function.
pub fn in_function() -> bool {
    std::env::var_os(RUNTIME_API).is_some()
}

/// Refuses a history in a directory: in a Lambda function nothing may be kept in one.
///
/// # Errors
/// When it is one.
pub fn refuse_local(history: &str) -> Result<(), StateError> {
    if history.starts_with("s3://") { Ok(()) } else { Err(StateError::NeedsBucket(history.to_owned())) }
}

/// A state that was opened.
#[derive(Debug)]
pub struct State(Place);

#[derive(Debug)]
enum Place {
    Dir(PathBuf),
    Table(Box<Table>),
}

impl State {
    /// Opens a state; a directory is made where there is none, a table is there already.
    ///
    /// # Errors
    /// When the directory can't be made, or AWS can't be reached.
    pub fn open(spec: StateSpec, ctx: &RuntimeContext) -> Result<Self, StateError> {
        match spec {
            StateSpec::Dir(dir) => match std::fs::create_dir_all(&dir) {
                Ok(()) => Ok(Self(Place::Dir(dir))),
                Err(source) => Err(StateError::Create { path: dir, source }),
            },
            StateSpec::Table(name) => Ok(Self(Place::Table(Box::new(Table::open(&name, ctx)?)))),
        }
    }

    /// Gives the directory, for what is kept nowhere else.
    ///
    /// # Errors
    /// When it is a table.
    pub fn dir(&self, what: &'static str) -> Result<&Path, StateError> {
        match &self.0 {
            Place::Dir(dir) => Ok(dir),
            Place::Table(table) => Err(StateError::NeedsDirectory { table: table.name().to_owned(), what }),
        }
    }

    /// Gives the directory; none where it is a table.
    pub fn local(&self) -> Option<&Path> {
        match &self.0 {
            Place::Dir(dir) => Some(dir),
            Place::Table(_) => None,
        }
    }

    /// Names it.
    pub fn spec(&self) -> StateSpec {
        match &self.0 {
            Place::Dir(dir) => StateSpec::Dir(dir.clone()),
            Place::Table(table) => StateSpec::Table(table.name().to_owned()),
        }
    }

    /// Says whether there is a log: in a directory it is made when something is written.
    pub fn has_log(&self) -> bool {
        self.spec().has_log()
    }

    /// Gives where parts keep what is small: how far they have come, and what they were about to do.
    pub fn place(&self) -> StatePlace {
        match &self.0 {
            Place::Dir(dir) => StatePlace::Dir(dir.clone()),
            Place::Table(table) => StatePlace::Cells(table.cells()),
        }
    }

    /// Gives where leases are taken.
    pub fn leases(&self) -> Leases {
        match &self.0 {
            Place::Dir(dir) => Leases::Dir(dir.clone()),
            Place::Table(table) => table.leases(),
        }
    }

    /// Opens the log for a part. With a table, a part keeps what it has read.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn log(&self, part: &'static str) -> Result<Arc<dyn Store>, StateError> {
        match &self.0 {
            Place::Dir(dir) => Ok(Arc::new(SqliteLog::open(&log_path(dir))?)),
            Place::Table(table) => table.log(part, None),
        }
    }

    /// Opens the log for a part that holds a lease: once that is lost, nothing more is appended.
    ///
    /// # Errors
    /// As [`State::log`].
    pub fn log_under(&self, part: &'static str, lease: &Lease) -> Result<Arc<dyn Store>, StateError> {
        match &self.0 {
            Place::Dir(_) => self.log(part),
            Place::Table(table) => table.log(part, lease.guard()),
        }
    }

    /// Gives where records go that can't be read: beside the log, or in the history at a location.
    ///
    /// # Errors
    /// When the location is none.
    pub fn aside(&self, history: &str) -> Result<SetAside, StateError> {
        match &self.0 {
            Place::Dir(dir) => Ok(SetAside::of(dir)),
            Place::Table(_) => Ok(SetAside::in_history(history)?),
        }
    }

    /// Gives where messages go that can't be understood, as [`StateSpec::dead`].
    ///
    /// # Errors
    /// When the location is none.
    pub fn dead(&self, history: &str) -> Result<Box<dyn DeadLetters>, StateError> {
        self.spec().dead(history)
    }

    /// Takes what waits in a stream into the history at a location.
    ///
    /// # Errors
    /// When the state can't be opened; otherwise as [`drain`].
    pub fn archive(
        &self,
        history: &str,
        stream: &StreamSpec,
        gap: Gap,
        ctx: &RuntimeContext,
    ) -> Result<ArchiveReport, StateError> {
        self.archiving(history, |kept| drain(history, kept, stream, gap, ctx))
    }

    /// Tries again what was set aside, into the history at a location.
    ///
    /// # Errors
    /// When the state can't be opened; otherwise as [`retry_set_aside`].
    pub fn retry_set_aside(&self, history: &str, ctx: &RuntimeContext) -> Result<RetryReport, StateError> {
        self.archiving(history, |kept| retry_set_aside(history, kept, ctx))
    }

    fn archiving<T>(
        &self,
        history: &str,
        work: impl FnOnce(&ArchiveState<'_>) -> Result<T, ArchiveError>,
    ) -> Result<T, StateError> {
        let (log, aside, leases) = (self.log(ARCHIVE)?, self.aside(history)?, self.leases());
        let kept = ArchiveState { leases: &leases, log: &*log, aside: &aside, checkpoints: self.place() };
        Ok(work(&kept)?)
    }
}

#[cfg(not(feature = "aws"))]
mod table {
    //! There is no table without AWS.

    use super::{Arc, Leases, RuntimeContext, StateError, Store};
    use forewarn_runtime::cells::Cells;
    use forewarn_runtime::lease::Guard;

    /// None of these comes to be.
    #[derive(Debug)]
    pub(super) enum Table {}

    impl Table {
        pub(super) fn open(name: &str, _: &RuntimeContext) -> Result<Self, StateError> {
            Err(StateError::NoAws(name.to_owned()))
        }

        pub(super) fn name(&self) -> &str {
            match *self {}
        }

        pub(super) fn leases(&self) -> Leases {
            match *self {}
        }

        pub(super) fn cells(&self) -> Arc<dyn Cells> {
            match *self {}
        }

        pub(super) fn log(&self, _: &'static str, _: Option<Guard>) -> Result<Arc<dyn Store>, StateError> {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_a_directory_or_a_table_or_refused_in_words() {
        assert_eq!(StateSpec::parse("a/b").unwrap(), StateSpec::Dir(PathBuf::from("a/b")));
        assert_eq!(StateSpec::parse("dynamodb:fleet-1").unwrap(), StateSpec::Table("fleet-1".to_owned()));
        for wrong in ["dynamodb:", "dynamodb:a b", "dynamodb://fleet"] {
            assert!(StateSpec::parse(wrong).unwrap_err().to_string().contains(wrong));
        }
        let table = StateSpec::Table("fleet".to_owned());
        table.refuse_dir().unwrap();
        assert!(table.dir("the state of ingest").unwrap_err().to_string().contains("--state DIR"));
        let refused = StateSpec::Dir(PathBuf::from("state")).refuse_dir().unwrap_err().to_string();
        assert!(refused.contains("FOREWARN_STATE=dynamodb:TABLE"), "{refused}");
    }
}
