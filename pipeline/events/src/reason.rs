//! Why a message was set aside.

use serde::{Deserialize, Serialize};

/// Longest piece of a message that is quoted in a reason, in characters.
const QUOTED: usize = 80;

/// Explains why a message could not be understood; paths are written `detail.instance-id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// It is too long.
    #[error("it has {bytes} bytes, at most {most} are taken")]
    Oversized {
        /// Its length.
        bytes: usize,
        /// What is taken.
        most: usize,
    },
    /// It is no text.
    #[error("it is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// The first byte that is not.
        at: usize,
    },
    /// It is no JSON.
    #[error("it is not JSON: {what}")]
    NotJson {
        /// What the parser says.
        what: String,
    },
    /// It is nested too deeply.
    #[error("it is nested more than {most} deep")]
    TooDeep {
        /// What is taken.
        most: usize,
    },
    /// A field is of another type.
    #[error("{path} is {found}, expected {expected}")]
    WrongType {
        /// The field.
        path: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A field is missing.
    #[error("{path} is missing")]
    Missing {
        /// The field.
        path: String,
    },
    /// Nobody here knows this kind of event.
    #[error(
        "no event of source {origin:?} and detail-type {detail_type:?} is known; narrow the EventBridge rule, or upgrade forewarn"
    )]
    UnknownType {
        /// Its source.
        origin: String,
        detail_type: String,
    },
    /// An id does not look like one.
    #[error("{path} is {found:?}, which is no {expected}")]
    BadId {
        /// The field.
        path: String,
        /// What kind of id it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A time is none, or out of reason.
    #[error("{path} is {found:?}, which is no time between 2006 and 2100")]
    BadTime {
        /// The field.
        path: String,
        /// What it is.
        found: String,
    },
    /// A value is none that the field takes.
    #[error("{path} is {found:?}, expected {expected}")]
    BadValue {
        /// The field.
        path: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// There are too many of something.
    #[error("{path} has {count} entries, at most {most} are taken")]
    TooMany {
        /// The field.
        path: String,
        /// How many there are.
        count: usize,
        /// What is taken.
        most: usize,
    },
    /// Its form is broken.
    #[error("it is damaged: {what}")]
    Damaged {
        /// What is broken.
        what: String,
    },
}

impl Reason {
    /// Gives the reason's name, as in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Oversized { .. } => "oversized",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::NotJson { .. } => "not_json",
            Self::TooDeep { .. } => "too_deep",
            Self::WrongType { .. } => "wrong_type",
            Self::Missing { .. } => "missing",
            Self::UnknownType { .. } => "unknown_type",
            Self::BadId { .. } => "bad_id",
            Self::BadTime { .. } => "bad_time",
            Self::BadValue { .. } => "bad_value",
            Self::TooMany { .. } => "too_many",
            Self::Damaged { .. } => "damaged",
        }
    }
}

/// Quotes text of a message: short, and without control characters.
pub fn quoted(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut out: String = text.chars().take(QUOTED).map(clean).collect();
    if text.chars().nth(QUOTED).is_some() {
        out.push('…');
    }
    out
}
