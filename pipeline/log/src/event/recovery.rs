//! Events of recoveries, and of what an account and region admits: what `forewarn_recovery` decides, each with whom it is about.
//!
//! Intents are written before the calls that carry them out.

pub(super) mod old;

use super::Event;
use forewarn_recovery::admission::AdmissionEvent;
use forewarn_recovery::event::RecoveryEvent;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::marker::PhantomData;

/// Names one kind of event among those of its stream.
pub trait Named {
    /// The name, as in `event`.
    const NAME: &'static str;
}

/// Something that happened to a recovery; `N` says which kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Happened<N> {
    /// Identifies the recovery.
    pub recovery_id: String,
    /// The EC2 instance that it began with.
    pub instance_id: String,
    /// What happened.
    #[serde(flatten)]
    pub event: RecoveryEvent,
    #[serde(skip)]
    kind: PhantomData<N>,
}

/// Something that an account and region took note of about recoveries; `N` says which kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Noted<N> {
    /// The AWS account id.
    pub account: String,
    /// The AWS region.
    pub region: String,
    /// What was noted.
    #[serde(flatten)]
    pub event: AdmissionEvent,
    #[serde(skip)]
    kind: PhantomData<N>,
}

/// As [`Happened`] is written, whatever its kind.
#[derive(Deserialize, JsonSchema)]
struct AnyHappened {
    /// Identifies the recovery.
    recovery_id: String,
    /// The EC2 instance that it began with.
    instance_id: String,
    #[serde(flatten)]
    event: RecoveryEvent,
}

/// As [`Noted`] is written, whatever its kind.
#[derive(Deserialize, JsonSchema)]
struct AnyNoted {
    /// The AWS account id.
    account: String,
    /// The AWS region.
    region: String,
    #[serde(flatten)]
    event: AdmissionEvent,
}

impl<'de, N: Named> Deserialize<'de> for Happened<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let AnyHappened { recovery_id, instance_id, event } = AnyHappened::deserialize(deserializer)?;
        is_named::<N, D::Error>(event.name())?;
        Ok(Self { recovery_id, instance_id, event, kind: PhantomData })
    }
}

impl<'de, N: Named> Deserialize<'de> for Noted<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let AnyNoted { account, region, event } = AnyNoted::deserialize(deserializer)?;
        is_named::<N, D::Error>(event.name())?;
        Ok(Self { account, region, event, kind: PhantomData })
    }
}

fn is_named<N: Named, E: serde::de::Error>(found: &str) -> Result<(), E> {
    if found == N::NAME { Ok(()) } else { Err(E::custom(format!("event is {found:?}, expected {:?}", N::NAME))) }
}

impl<N: Named> JsonSchema for Happened<N> {
    fn schema_name() -> Cow<'static, str> {
        format!("recovery_{}", N::NAME).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        only(AnyHappened::json_schema(generator), N::NAME)
    }
}

impl<N: Named> JsonSchema for Noted<N> {
    fn schema_name() -> Cow<'static, str> {
        format!("admission_{}", N::NAME).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        only(AnyNoted::json_schema(generator), N::NAME)
    }
}

/// Leaves one kind of a schema of all kinds.
fn only(mut schema: Schema, name: &str) -> Schema {
    let is_it = |kind: &serde_json::Value| kind["properties"]["event"]["const"] == name;
    if let Some(kinds) = schema.get_mut("oneOf").and_then(|k| k.as_array_mut()) {
        kinds.retain(is_it);
    }
    schema
}

macro_rules! kinds {
    ($($marker:ident = $name:literal, $rule:ident as $variant:ident;)* -- $($note:ident = $note_name:literal, $note_rule:ident as $note_variant:ident;)*) => {
        $(
            #[doc = concat!("Names `", $name, "`.")]
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub enum $marker {}
            impl Named for $marker {
                const NAME: &'static str = $name;
            }
        )*
        $(
            #[doc = concat!("Names `", $note_name, "`.")]
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub enum $note {}
            impl Named for $note {
                const NAME: &'static str = $note_name;
            }
        )*

        /// Makes the log's event of what happened to a recovery.
        pub fn happened(recovery_id: &str, instance_id: &str, event: RecoveryEvent) -> Event {
            let (recovery_id, instance_id) = (recovery_id.to_owned(), instance_id.to_owned());
            match event {
                $(RecoveryEvent::$rule { .. } => {
                    Event::$variant(Happened { recovery_id, instance_id, event, kind: PhantomData })
                })*
            }
        }

        /// Makes the log's event of what an account and region noted.
        pub fn decoded_note(account: &str, region: &str, event: AdmissionEvent) -> Event {
            let (account, region) = (account.to_owned(), region.to_owned());
            match event {
                $(AdmissionEvent::$note_rule { .. } => {
                    Event::$note_variant(Noted { account, region, event, kind: PhantomData })
                })*
            }
        }

        /// Gives the recovery, its instance and what happened to it; none for events of other families.
        pub fn of(event: &Event) -> Option<(&str, &str, &RecoveryEvent)> {
            match event {
                $(Event::$variant(e) => Some((&e.recovery_id, &e.instance_id, &e.event)),)*
                _ => None,
            }
        }

        /// Gives what an account and region noted; none for events of other families.
        pub fn note_of(event: &Event) -> Option<&AdmissionEvent> {
            match event {
                $(Event::$note_variant(e) => Some(&e.event),)*
                _ => None,
            }
        }
    };
}

kinds! {
    Requested = "requested", Requested as RecoveryRequested;
    Joined = "joined", Joined as RecoveryJoined;
    Planned = "planned", Planned as RecoveryPlanned;
    Denied = "denied", Denied as RecoveryDenied;
    Deferred = "deferred", Deferred as RecoveryDeferred;
    Announced = "announced", Announced as RecoveryAnnounced;
    Objected = "objected", Objected as RecoveryObjected;
    Approved = "approved", Approved as RecoveryApproved;
    Admitted = "admitted", Admitted as RecoveryAdmitted;
    Leased = "leased", Leased as RecoveryLeased;
    LeaseReleased = "lease_released", LeaseReleased as RecoveryLeaseReleased;
    StepIntended = "step_intended", StepIntended as RecoveryStepIntended;
    StepDone = "step_done", StepDone as RecoveryStepDone;
    StepWaiting = "step_waiting", StepWaiting as RecoveryStepWaiting;
    StepFailed = "step_failed", StepFailed as RecoveryStepFailed;
    Undoing = "undoing", Undoing as RecoveryUndoing;
    Verified = "verified", Verified as RecoveryVerified;
    Escalated = "escalated", Escalated as RecoveryEscalated;
    Completed = "completed", Completed as RecoveryCompleted;
    Stuck = "stuck", Stuck as RecoveryStuck;
    Stopped = "stopped", Stopped as RecoveryStopped;
    Retried = "retried", Retried as RecoveryRetried;
    --
    Entered = "admitted", Admitted as AdmissionEntered;
    Released = "released", Released as AdmissionReleased;
    Succeeded = "succeeded", Succeeded as AdmissionSucceeded;
    StormSeen = "storm_seen", StormSeen as AdmissionStormSeen;
}
