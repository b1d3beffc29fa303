//! Wraps an event for the log: CloudEvents 1.0 in its JSON form.

use super::event::{DecodeError, Event, split_type};
use forewarn_domain::id::{MAX_NAME_BYTES, is_name};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of CloudEvents spoken here.
pub const SPEC_VERSION: &str = "1.0";
/// The source of everything that forewarn itself says.
pub const SOURCE: &str = "forewarn";
/// Longest data of one event, in bytes of JSON; samples and long texts do not belong in the log.
pub const MAX_DATA_BYTES: usize = 1 << 20;

/// An event as stored and as published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The version of CloudEvents, always `1.0`.
    pub specversion: String,
    /// Identifies the event for good; the first event written with an id wins.
    pub id: String,
    /// Who says it.
    pub source: String,
    /// The type, its version at the end.
    #[serde(rename = "type")]
    pub type_: String,
    /// What it is about: an instance id, a workload, a policy.
    pub subject: String,
    /// When it happened (RFC 3339, UTC).
    pub time: String,
    /// Names the JSON Schema of the data.
    pub dataschema: String,
    /// The data, shaped as the type says.
    pub data: Value,
}

/// An event to be appended.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Identifies the event for good; make it from what happened, not from a counter or a clock.
    pub id: String,
    /// Who says it.
    pub source: String,
    /// What it is about.
    pub subject: String,
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    pub event: Event,
}

/// Explains why an event may not enter the log.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEvent {
    /// A name is empty, too long, or holds control characters.
    #[error("{field} of event {id:?} must be 1 to {MAX_NAME_BYTES} bytes without control characters")]
    Name {
        field: &'static str,
        /// The event's id as given.
        id: String,
    },
    /// A fixed field has another value than the one expected.
    #[error("{field} of event {id:?} is {found:?}, expected {expected:?}")]
    Field {
        field: &'static str,
        /// The event's id.
        id: String,
        /// What it says.
        found: String,
        /// What it should say.
        expected: String,
    },
    /// The time is not RFC 3339.
    #[error("time {found:?} of event {id:?} is not RFC 3339")]
    Time {
        /// The event's id.
        id: String,
        /// What it says.
        found: String,
        /// What did not parse.
        #[source]
        source: jiff::Error,
    },
    /// The data is too long.
    #[error(
        "data of event {id:?} has {bytes} bytes, at most {MAX_DATA_BYTES} are allowed; keep long texts outside the log"
    )]
    TooLong {
        /// The event's id.
        id: String,
        /// Its length.
        bytes: usize,
    },
    /// The data does not fit the type.
    #[error("event {id:?} cannot be read back")]
    Data {
        /// The event's id.
        id: String,
        /// What did not fit.
        #[source]
        source: DecodeError,
    },
    /// The event would read back as another one: a number that is not finite becomes null.
    #[error("event {id:?} would not read back as written; is every number finite?")]
    Unfaithful {
        /// The event's id.
        id: String,
    },
    /// The data cannot be written as JSON.
    #[error("event {id:?} cannot be written as JSON")]
    Json {
        /// The event's id.
        id: String,
        /// What could not be written.
        #[source]
        source: serde_json::Error,
    },
}

impl NewEvent {
    /// Makes an event that forewarn itself says.
    pub fn new(id: impl Into<String>, subject: impl Into<String>, time: Timestamp, event: Event) -> Self {
        Self { id: id.into(), source: SOURCE.to_owned(), subject: subject.into(), time, event }
    }

    /// Wraps the event, checking everything the log relies on.
    ///
    /// # Errors
    /// When a name is empty or too long, the data too long, or the data would not read back.
    pub fn seal(&self) -> Result<Envelope, InvalidEvent> {
        let data = self.event.data().map_err(|source| InvalidEvent::Json { id: self.id.clone(), source })?;
        let type_ = self.event.type_().to_owned();
        let envelope = Envelope {
            specversion: SPEC_VERSION.to_owned(),
            id: self.id.clone(),
            source: self.source.clone(),
            dataschema: schema_urn(&type_),
            type_,
            subject: self.subject.clone(),
            time: self.time.to_string(),
            data,
        };
        envelope.check()?;
        match envelope.event() {
            Ok(read_back) if read_back == self.event => Ok(envelope),
            _ => Err(InvalidEvent::Unfaithful { id: self.id.clone() }),
        }
    }
}

/// Names the JSON Schema of a type's data.
pub fn schema_urn(type_: &str) -> String {
    format!("urn:forewarn:schema:{type_}")
}

impl Envelope {
    /// Makes the typed event.
    ///
    /// # Errors
    /// As [`Event::decode`].
    pub fn event(&self) -> Result<Event, DecodeError> {
        Event::decode(&self.type_, &self.data)
    }

    /// Gives the time.
    ///
    /// # Errors
    /// When it is not RFC 3339.
    pub fn timestamp(&self) -> Result<Timestamp, InvalidEvent> {
        self.time.parse().map_err(|source| InvalidEvent::Time { id: self.id.clone(), found: self.time.clone(), source })
    }

    /// Checks the envelope and that its data fits its type.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check(&self) -> Result<(), InvalidEvent> {
        let id = || self.id.clone();
        for (field, value) in [("id", &self.id), ("source", &self.source), ("subject", &self.subject)] {
            if !is_name(value) {
                return Err(InvalidEvent::Name { field, id: id() });
            }
        }
        let canonical_time = self.timestamp()?.to_string();
        for (field, found, expected) in [
            ("specversion", &self.specversion, SPEC_VERSION),
            ("dataschema", &self.dataschema, schema_urn(&self.type_).as_str()),
            ("time", &self.time, canonical_time.as_str()),
        ] {
            if found != expected {
                return Err(InvalidEvent::Field {
                    field,
                    id: id(),
                    found: found.clone(),
                    expected: expected.to_owned(),
                });
            }
        }
        split_type(&self.type_).map_err(|source| InvalidEvent::Data { id: id(), source })?;
        let bytes = self.data.to_string().len();
        if bytes > MAX_DATA_BYTES {
            return Err(InvalidEvent::TooLong { id: id(), bytes });
        }
        self.event().map_err(|source| InvalidEvent::Data { id: id(), source })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::policy::PolicyChanged;
    use crate::event::prediction::{Outcome, Resolved};

    fn policy(id: &str, subject: &str) -> NewEvent {
        let payload = PolicyChanged {
            policy: "modes".to_owned(),
            sha256: "00".repeat(32),
            summary: "observe only".to_owned(),
            by: None,
        };
        NewEvent::new(id, subject, Timestamp::UNIX_EPOCH, Event::PolicyChanged(payload))
    }

    #[test]
    fn a_sealed_event_reads_back() {
        let new = policy("e1", "modes");
        let envelope = new.seal().unwrap();
        assert_eq!(envelope.time, "1970-01-01T00:00:00Z");
        assert_eq!(envelope.dataschema, "urn:forewarn:schema:forewarn.policy.changed.v1");
        let text = serde_json::to_string(&envelope).unwrap();
        assert_eq!(serde_json::from_str::<Envelope>(&text).unwrap(), envelope);
        assert_eq!(envelope.event().unwrap(), new.event);
    }

    #[test]
    fn what_could_not_be_read_back_is_refused() {
        assert!(matches!(policy("", "modes").seal(), Err(InvalidEvent::Name { field: "id", .. })));
        assert!(matches!(policy("e", "a\nb").seal(), Err(InvalidEvent::Name { field: "subject", .. })));
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        assert!(matches!(policy(&long, "modes").seal(), Err(InvalidEvent::Name { .. })));
        let mut too_much = policy("e", "modes");
        if let Event::PolicyChanged(p) = &mut too_much.event {
            p.summary = "x".repeat(MAX_DATA_BYTES);
        }
        assert!(matches!(too_much.seal(), Err(InvalidEvent::TooLong { .. })));
        let unknown = Event::Unknown { type_: "forewarn.policy.changed.v2".to_owned(), data: Value::Null };
        let newer = NewEvent { event: unknown, ..policy("e", "modes") };
        assert!(matches!(newer.seal(), Err(InvalidEvent::Data { .. })));
    }

    #[test]
    fn a_number_that_is_not_finite_never_enters() {
        let resolved = Resolved {
            episode_id: None,
            instance_id: "i-1".to_owned(),
            outcome: Outcome::Missed,
            incident_id: None,
            lead_hours: Some(f64::NAN),
            at: "1970-01-01T00:00:00Z".to_owned(),
            evidence: "none".to_owned(),
            verdict: None,
            by: None,
        };
        let new = NewEvent::new("e", "i-1", Timestamp::UNIX_EPOCH, Event::PredictionResolved(resolved));
        assert!(matches!(new.seal(), Err(InvalidEvent::Unfaithful { .. })));
    }
}
