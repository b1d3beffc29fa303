//! Opens the stream that the settings name: the embedded one in the state, or a Kinesis stream.

use super::port::{Consumer, Producer, StreamError};
use super::sqlite::{self, SqliteConsumer, SqliteProducer};
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::place::StatePlace;
use std::path::PathBuf;

/// Longest name of a Kinesis stream.
const LONGEST_NAME: usize = 128;

/// Which stream it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StreamSpec {
    /// A SQLite file in the state.
    #[default]
    Embedded,
    /// A Kinesis stream of the own account and region.
    Kinesis { name: String },
}

/// Explains why a setting names no stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// It is neither.
    #[error("stream is {0:?}, expected `embedded` or `kinesis:NAME`")]
    Unknown(String),
    /// No Kinesis stream is called that.
    #[error("stream: {0:?} is no name of a Kinesis stream: 1 to 128 letters, digits, `_`, `.` and `-`")]
    Name(String),
}

impl StreamSpec {
    /// Reads the setting `stream`; where it says nothing the stream is embedded.
    ///
    /// # Errors
    /// When it names no stream.
    pub fn parse(setting: Option<&str>) -> Result<Self, SpecError> {
        match setting.map(str::trim) {
            None | Some("embedded") => Ok(Self::Embedded),
            Some(text) => {
                let name = text.strip_prefix("kinesis:").ok_or_else(|| SpecError::Unknown(text.to_owned()))?;
                let fits = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
                if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(fits) {
                    return Err(SpecError::Name(name.to_owned()));
                }
                Ok(Self::Kinesis { name: name.to_owned() })
            }
        }
    }
}

impl std::fmt::Display for StreamSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Kinesis { name } => write!(f, "kinesis:{name}"),
        }
    }
}

/// Opens a producer; a state directory is made where there is none.
///
/// # Errors
/// When the stream cannot be opened, is embedded without a directory, or is Kinesis in a build without AWS.
pub fn producer(
    spec: &StreamSpec,
    place: impl Into<StatePlace>,
    ctx: &RuntimeContext,
) -> Result<Box<dyn Producer>, StreamError> {
    match spec {
        StreamSpec::Embedded => Ok(Box::new(SqliteProducer::open(&embedded(&place.into())?, ctx.clone())?)),
        StreamSpec::Kinesis { name } => kinesis_producer(name, ctx),
    }
}

/// Gives the file of the embedded stream.
fn embedded(place: &StatePlace) -> Result<PathBuf, StreamError> {
    match place {
        StatePlace::Dir(dir) => Ok(dir.join(sqlite::FILE)),
        StatePlace::Cells(_) => Err(StreamError::Foreign {
            path: "stream embedded".to_owned(),
            what: "it is a file of a state directory, and the state is a table; set FOREWARN_STREAM=kinesis:NAME"
                .to_owned(),
        }),
    }
}

/// Opens the consumer called `name`, whose checkpoints are kept in a place.
///
/// # Errors
/// As [`producer`].
pub fn consumer(
    spec: &StreamSpec,
    name: &str,
    place: impl Into<StatePlace>,
    ctx: &RuntimeContext,
) -> Result<Box<dyn Consumer>, StreamError> {
    match spec {
        StreamSpec::Embedded => Ok(Box::new(SqliteConsumer::open(&embedded(&place.into())?, name, ctx.clone())?)),
        StreamSpec::Kinesis { name: stream } => kinesis_consumer(stream, name, &place.into(), ctx),
    }
}

#[cfg(feature = "aws")]
fn kinesis_producer(name: &str, ctx: &RuntimeContext) -> Result<Box<dyn Producer>, StreamError> {
    Ok(Box::new(super::kinesis::KinesisProducer::open(aws(name)?, name, ctx.clone())?))
}

#[cfg(feature = "aws")]
fn kinesis_consumer(
    stream: &str,
    name: &str,
    place: &StatePlace,
    ctx: &RuntimeContext,
) -> Result<Box<dyn Consumer>, StreamError> {
    Ok(Box::new(super::kinesis::KinesisConsumer::open(aws(stream)?, stream, name, place, ctx.clone())?))
}

#[cfg(feature = "aws")]
fn aws(stream: &str) -> Result<forewarn_runtime::aws::Aws, StreamError> {
    forewarn_runtime::aws::Aws::load()
        .map_err(|e| StreamError::unavailable(format!("kinesis:{stream}"), "reach AWS", e))
}

#[cfg(not(feature = "aws"))]
fn kinesis_producer(name: &str, _: &RuntimeContext) -> Result<Box<dyn Producer>, StreamError> {
    Err(without_aws(name))
}

#[cfg(not(feature = "aws"))]
fn kinesis_consumer(
    stream: &str,
    _: &str,
    _: &StatePlace,
    _: &RuntimeContext,
) -> Result<Box<dyn Consumer>, StreamError> {
    Err(without_aws(stream))
}

#[cfg(not(feature = "aws"))]
fn without_aws(name: &str) -> StreamError {
    StreamError::Foreign {
        path: format!("kinesis:{name}"),
        what: "this forewarn was built without AWS; build it with the feature `aws`, or set the stream to embedded"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_names_a_stream_or_is_refused_in_words() {
        fn parse(text: &str) -> Result<StreamSpec, SpecError> {
            StreamSpec::parse(Some(text))
        }
        assert_eq!(StreamSpec::parse(None), Ok(StreamSpec::Embedded));
        assert_eq!(parse(" embedded "), Ok(StreamSpec::Embedded));
        let named = parse("kinesis:fleet-1_a.b").unwrap();
        assert_eq!(named, StreamSpec::Kinesis { name: "fleet-1_a.b".to_owned() });
        assert_eq!(parse(&named.to_string()), Ok(named));
        assert_eq!(parse("kafka:x"), Err(SpecError::Unknown("kafka:x".to_owned())));
        for bad in ["", "a b", "arn:aws:kinesis", &"x".repeat(129)] {
            assert_eq!(parse(&format!("kinesis:{bad}")), Err(SpecError::Name(bad.to_owned())));
        }
    }
}
