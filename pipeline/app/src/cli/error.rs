//! What a command can end with, and the exit code that goes with it.

use std::error::Error;
use std::fmt;

type Source = Box<dyn Error + Send + Sync>;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(super) enum CliError {
    /// The input or the usage is at fault: exit code 2.
    Input(Source),
    /// Something else failed: exit code 1.
    Failed(Source),
    /// Somebody pressed Ctrl-C: exit code 130, as shells have it.
    Interrupted(Source),
}

impl CliError {
    /// Blames the input.
    pub(super) fn input(e: impl Into<Source>) -> Self {
        Self::Input(e.into())
    }

    /// Blames the machine.
    pub(super) fn failed(e: impl Into<Source>) -> Self {
        Self::Failed(e.into())
    }

    /// Says that Ctrl-C ended it, and what has become of the work.
    pub(super) fn interrupted(e: impl Into<Source>) -> Self {
        Self::Interrupted(e.into())
    }

    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) => 2,
            Self::Failed(_) => 1,
            Self::Interrupted(_) => 130,
        }
    }

    /// True when whoever read our output has gone: not worth a word.
    pub(super) fn is_closed_pipe(&self) -> bool {
        let mut source: Option<&(dyn Error + 'static)> = Some(self.inner());
        while let Some(e) = source {
            if e.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) {
                return true;
            }
            source = e.source();
        }
        false
    }

    fn inner(&self) -> &(dyn Error + 'static) {
        match self {
            Self::Input(e) | Self::Failed(e) | Self::Interrupted(e) => e.as_ref(),
        }
    }
}

impl fmt::Display for CliError {
    /// Writes the error and everything below it on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&forewarn_runtime::telemetry::causes(self.inner()))
    }
}

/// Blames the machine for these, whatever they say.
macro_rules! failed {
    ($($e:ty),+) => { $(impl From<$e> for CliError {
        fn from(e: $e) -> Self {
            Self::failed(e)
        }
    })+ };
}

/// Blames the input for these.
macro_rules! input {
    ($($e:ty),+) => { $(impl From<$e> for CliError {
        fn from(e: $e) -> Self {
            Self::input(e)
        }
    })+ };
}

/// Asks these who is to blame.
macro_rules! either {
    ($($e:ty),+) => { $(impl From<$e> for CliError {
        fn from(e: $e) -> Self {
            if e.is_bad_input() { Self::input(e) } else { Self::failed(e) }
        }
    })+ };
}

failed!(
    std::io::Error,
    serde_json::Error,
    forewarn_predict::resolve::ResolveError,
    forewarn_log::LogError,
    forewarn_deliver::BusError,
    forewarn_deliver::PumpError
);
input!(
    forewarn_history::import::table::TableError,
    forewarn_rules::ruleset::RuleSetError,
    forewarn_runtime::settings::SettingsError,
    forewarn_runtime::time::TimeError
);
either!(
    forewarn_history::HistoryError,
    forewarn_history::import::ImportError,
    forewarn_predict::error::AnalyzeError,
    forewarn_evaluate::backtest::BacktestError,
    forewarn_evaluate::fit::LearnError,
    forewarn_predict::incidents::IncidentsError,
    forewarn_predict::evidence_file::EvidenceError,
    crate::state::StateError
);

impl From<String> for CliError {
    /// A sentence of our own is always about the input.
    fn from(e: String) -> Self {
        Self::input(e)
    }
}
