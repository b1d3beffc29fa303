//! Sets up logs: on standard error, as text or JSON, so that standard output stays data.

use serde::{Deserialize, Serialize};
use std::io::IsTerminal;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Writes an error and everything below it on one line, with what to do where the disk is full.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(e) = source {
        text.push_str(": ");
        text.push_str(&e.to_string());
        source = e.source();
    }
    if crate::disk::is_full(error) {
        text.push_str("; ");
        text.push_str(crate::disk::FULL);
    }
    text
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(UnknownFormat(text.to_owned())),
        }
    }
}

impl std::fmt::Display for LogFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Explains that a log format is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log format {0:?} is neither text nor json")]
pub struct UnknownFormat(String);

/// Explains why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is not one.
    #[error("log level {level:?} is not one; try info, debug, or forewarn=debug,warn")]
    Level {
        /// What was given.
        level: String,
        /// Why it is not.
        #[source]
        source: ParseError,
    },
    /// Logs were set up before.
    #[error("logs are set up already")]
    Twice(#[source] TryInitError),
}

/// Checks a level such as `info` or `forewarn=debug,warn`.
///
/// # Errors
/// When it is not one.
pub fn parse_level(level: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(level).map_err(|source| TelemetryError::Level { level: level.to_owned(), source })
}

/// Sends logs of this process to standard error.
///
/// # Errors
/// When the level is not one, or logs were set up before.
pub fn init(format: LogFormat, level: &str) -> Result<(), TelemetryError> {
    let colour = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parse_level(level)?)
        .with_writer(std::io::stderr)
        .with_ansi(colour && format == LogFormat::Text);
    match format {
        LogFormat::Text => builder.with_target(false).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    }
    .map_err(TelemetryError::Twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_formats_are_checked() {
        for good in ["info", "forewarn=debug,warn", "off"] {
            assert!(parse_level(good).is_ok(), "{good}");
        }
        assert!(matches!(parse_level("forewarn=loud"), Err(TelemetryError::Level { .. })));
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!("xml".parse::<LogFormat>(), Err(UnknownFormat("xml".to_owned())));
    }
}
