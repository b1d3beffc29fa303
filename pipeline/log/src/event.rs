//! Lists every type of event, and turns stored data into typed events and back.

pub mod alarm;
pub mod blob;
pub mod change;
pub mod group;
pub mod health;
pub mod incident;
pub mod instance;
pub mod matched;
pub mod notice;
pub mod operator;
pub mod policy;
pub mod prediction;
pub mod prior;
pub mod pruned;
pub mod recovery;
pub mod spot;
pub mod volume;
pub mod workload;

mod family;
mod upcast;

use recovery::old::UPCASTS;
use recovery::{Happened, Noted};
use schemars::{Schema, SchemaGenerator};
use serde_json::Value;
use std::sync::LazyLock;

/// Prefix of every type that forewarn writes.
pub const PREFIX: &str = "forewarn.";

/// Explains why stored data could not be made a typed event.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A newer forewarn wrote the event.
    #[error("event type {name}.v{found} is newer than v{known}, the newest this forewarn knows; upgrade forewarn")]
    Newer {
        /// The type without its version.
        name: String,
        /// The version found.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// The type does not end in a version.
    #[error("event type {0:?} does not end in a version such as .v1")]
    Unversioned(String),
    /// The data does not fit the type.
    #[error("data of {type_} does not fit its type")]
    Data {
        /// The full type.
        type_: String,
        /// What did not fit.
        #[source]
        source: serde_json::Error,
    },
    /// No step leads from an old version to the present one.
    #[error("event type {name}.v{from} cannot be brought up to date: the step from v{from} is missing")]
    NoUpcast {
        /// The type without its version.
        name: String,
        /// The version that has no step.
        from: u32,
    },
}

/// Splits a type into its name and version: `forewarn.prediction.made.v1` gives `("forewarn.prediction.made", 1)`.
///
/// # Errors
/// When the type does not end in `.v` and a positive number without leading zeros.
pub fn split_type(type_: &str) -> Result<(&str, u32), DecodeError> {
    let unversioned = || DecodeError::Unversioned(type_.to_owned());
    let (name, version) = type_.rsplit_once(".v").ok_or_else(unversioned)?;
    let number: u32 = version.parse().map_err(|_| unversioned())?;
    if name.is_empty() || number == 0 || number.to_string() != version {
        return Err(unversioned());
    }
    Ok((name, number))
}

/// Describes one known type, for schemas and listings.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The type without its version.
    pub name: &'static str,
    /// The version written today.
    pub version: u32,
    shape: Shape,
}

/// What a kind's data is.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// A type of its own.
    Own(fn(SchemaGenerator) -> Schema),
    /// What happened to a recovery.
    Recovery,
    /// What an account and region took note of.
    Admission,
}

impl Kind {
    /// Gives the full type, version included.
    pub fn full(&self) -> String {
        format!("{}.v{}", self.name, self.version)
    }

    /// Makes the JSON Schema of its data.
    pub fn schema(&self, generator: SchemaGenerator) -> Schema {
        match self.shape {
            Shape::Own(make) => make(generator),
            Shape::Recovery => family::schema::<Happened>(generator, self.name),
            Shape::Admission => family::schema::<Noted>(generator, self.name),
        }
    }
}

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($payload:ty) = $name:literal v $version:literal;)*) => {
        /// One thing that happened, typed.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event {
            $($(#[$doc])* $variant($payload),)*
            /// Something happened to a recovery.
            Recovery(Happened),
            /// An account and region took note of something about recoveries.
            Admission(Noted),
            /// A type this forewarn does not know: kept as it is, and named in reports.
            Unknown {
                /// The full type.
                type_: String,
                /// The data as stored.
                data: Value,
            },
        }

        const OWN: &[Kind] = &[$(Kind {
            name: concat!("forewarn.", $name),
            version: $version,
            shape: Shape::Own(|generator| generator.into_root_schema_for::<$payload>()),
        },)*];

        impl Event {
            /// Gives the full type, version included.
            pub fn type_(&self) -> &str {
                match self {
                    $(Self::$variant(_) => concat!("forewarn.", $name, ".v", $version),)*
                    Self::Recovery(e) => e.type_(),
                    Self::Admission(e) => e.type_(),
                    Self::Unknown { type_, .. } => type_,
                }
            }

            /// Gives the data as JSON.
            ///
            /// # Errors
            /// When the data cannot be written as JSON.
            pub fn data(&self) -> Result<Value, serde_json::Error> {
                match self {
                    $(Self::$variant(payload) => serde_json::to_value(payload),)*
                    Self::Recovery(e) => serde_json::to_value(e),
                    Self::Admission(e) => serde_json::to_value(e),
                    Self::Unknown { data, .. } => Ok(data.clone()),
                }
            }

            /// Makes a typed event from a stored type and its data, bringing old versions up to date.
            ///
            /// # Errors
            /// When the type has no version, is newer than this forewarn, or the data does not fit.
            pub fn decode(type_: &str, data: &Value) -> Result<Self, DecodeError> {
                let (name, found) = split_type(type_)?;
                match name {
                    $(concat!("forewarn.", $name) => {
                        let current = upcast::to_current(name, found, $version, data, UPCASTS)?;
                        serde_json::from_value(current.into_owned())
                            .map(Self::$variant)
                            .map_err(|source| DecodeError::Data { type_: type_.to_owned(), source })
                    })*
                    _ => match family::decode(type_, name, found, data)? {
                        Some(event) => Ok(event),
                        None => Ok(Self::Unknown { type_: type_.to_owned(), data: data.clone() }),
                    },
                }
            }
        }
    };
}

events! {
    /// An instance entered another state.
    InstanceStateChanged(instance::StateChanged) = "instance.state_changed" v 1;
    /// A status check of an instance failed.
    InstanceCheckFailed(instance::CheckFailed) = "instance.check_failed" v 1;
    /// An instance left the fleet.
    InstanceLeft(instance::Left) = "instance.left" v 1;
    /// EC2 is about to take a Spot instance back.
    SpotInterruptionWarned(spot::InterruptionWarned) = "spot.interruption_warned" v 1;
    /// EC2 sees an elevated risk of interruption.
    SpotRebalanceRecommended(spot::RebalanceRecommended) = "spot.rebalance_recommended" v 1;
    /// AWS Health announced something.
    HealthEvent(health::HealthEvent) = "health.event" v 1;
    /// A CloudWatch alarm changed its state.
    AlarmChanged(alarm::AlarmChanged) = "alarm.changed" v 1;
    /// Log lines matched a pattern.
    LogMatched(matched::LogMatched) = "log.matched" v 1;
    /// A person or a deployment declared a change.
    ChangeMarked(change::ChangeMarked) = "change.marked" v 1;
    /// A failure happened.
    IncidentObserved(incident::IncidentObserved) = "incident.observed" v 1;
    /// An episode opened.
    PredictionMade(prediction::Opened) = "prediction.made" v 1;
    /// The level of an open episode changed.
    PredictionUpdated(prediction::Updated) = "prediction.updated" v 1;
    /// An open episode was looked at again.
    PredictionObserved(prediction::Observed) = "prediction.observed" v 1;
    /// An episode that was silenced is announced.
    PredictionAnnounced(prediction::Announced) = "prediction.announced" v 1;
    /// The trouble of an episode is over.
    PredictionCleared(prediction::Cleared) = "prediction.cleared" v 1;
    /// It is known how a prediction, or the lack of one, turned out.
    PredictionResolved(prediction::Resolved) = "prediction.resolved" v 1;
    /// It was estimated how often the fleet fails.
    PriorEstimated(prior::Estimated) = "prior.estimated" v 1;
    /// Several members of a workload have the same failure ahead.
    WorkloadPredicted(workload::Predicted) = "workload.predicted" v 1;
    /// A workload episode grew.
    WorkloadUpdated(workload::Updated) = "workload.updated" v 1;
    /// A workload episode is over.
    WorkloadCleared(workload::Cleared) = "workload.cleared" v 1;
    /// A notice reached its channel.
    NoticeSent(notice::Sent) = "notice.sent" v 1;
    /// A notice did not reach its channel.
    NoticeFailed(notice::Failed) = "notice.failed" v 1;
    PolicyChanged(policy::PolicyChanged) = "policy.changed" v 1;
    /// An operator did something.
    OperatorActed(operator::OperatorActed) = "operator.acted" v 1;
    /// The log's oldest entries were forgotten.
    LogPruned(pruned::LogPruned) = "log.pruned" v 1;
    /// An Auto Scaling group did something.
    GroupChanged(group::GroupChanged) = "group.changed" v 1;
    /// EBS did something with a volume.
    VolumeChanged(volume::VolumeChanged) = "volume.changed" v 1;
}

/// Every known type.
pub static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| OWN.iter().copied().chain(family::kinds()).collect());

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_type_is_split_or_refused() {
        assert_eq!(split_type("forewarn.spot.x.v12").unwrap(), ("forewarn.spot.x", 12));
        for bad in ["forewarn.spot", "forewarn.v", "x.v0", "x.v01", ".v1", "x.v-1", "x.v+1", "x.v99999999999"] {
            assert!(split_type(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_newer_version_is_an_error_and_an_unknown_type_is_kept() {
        let newer = Event::decode("forewarn.policy.changed.v2", &json!({})).unwrap_err();
        assert!(matches!(newer, DecodeError::Newer { found: 2, known: 1, .. }), "{newer}");
        let unknown = Event::decode("forewarn.weather.changed.v7", &json!({"rain": true})).unwrap();
        assert_eq!(unknown.type_(), "forewarn.weather.changed.v7");
        assert_eq!(unknown.data().unwrap(), json!({"rain": true}));
    }

    #[test]
    fn kinds_are_distinct_and_well_formed() {
        let mut names: Vec<String> = KINDS.iter().map(Kind::full).collect();
        for name in &names {
            assert!(name.starts_with(PREFIX) && split_type(name).is_ok(), "{name}");
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
    }
}
