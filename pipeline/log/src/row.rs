//! Rows of the tables of current state.

use super::event::change::ChangeMarked;
use super::event::health::HealthEvent;
use super::event::incident::IncidentObserved;
use super::event::instance::{Check, InstanceState, LeftCause};
use super::event::operator::Opinion;
use super::event::prediction::{Outcome, Verdict};
use super::table::Table;
use forewarn_domain::episode::EpisodeState;
use forewarn_domain::prediction::{FailureType, Level, Prediction};
use forewarn_domain::silence::Silence;
use forewarn_domain::workload::WorkloadEpisode;
use forewarn_recovery::state::Recovery;
use serde::{Deserialize, Serialize};

/// The latest announced prediction of an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurrentPrediction {
    /// The EC2 instance id.
    pub instance_id: String,
    /// The episode it belongs to.
    pub episode_id: Option<String>,
    /// True until the episode is cleared or resolved.
    pub open: bool,
    /// The time the prediction is made for.
    pub as_of: String,
    pub confidence: Level,
    pub prediction: Prediction,
}

/// An episode: one trouble of one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// Identifies the episode.
    pub episode_id: String,
    /// The EC2 instance id.
    pub instance_id: String,
    /// What the instance is a copy of, where known.
    pub workload: Option<String>,
    /// The time of the prediction that opened it; null when only its end is known.
    pub opened_at: Option<String>,
    /// The level now.
    pub level: Option<Level>,
    /// The highest level it had.
    pub peak: Option<Level>,
    /// What is going to break.
    pub failure_type: Option<FailureType>,
    /// How often its level changed.
    pub updates: u32,
    /// The time of its latest prediction.
    pub last_as_of: Option<String>,
    /// When it was cleared.
    pub cleared_at: Option<String>,
    /// How it turned out.
    pub outcome: Option<Outcome>,
    /// When that became known.
    pub resolved_at: Option<String>,
    /// The incident that came.
    pub incident_id: Option<String>,
    /// What an operator said.
    pub verdict: Option<Verdict>,
    /// The silence that kept its last news back; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence_id: Option<String>,
    /// True while nothing of it has been announced because of a silence.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[serde(rename = "untold")]
    pub unannounced: bool,
}

impl Episode {
    /// Makes the row of an episode of which nothing is known yet.
    pub fn new(episode_id: &str, instance_id: &str) -> Self {
        Self {
            episode_id: episode_id.to_owned(),
            instance_id: instance_id.to_owned(),
            workload: None,
            opened_at: None,
            level: None,
            peak: None,
            failure_type: None,
            updates: 0,
            last_as_of: None,
            cleared_at: None,
            outcome: None,
            resolved_at: None,
            incident_id: None,
            verdict: None,
            silence_id: None,
            unannounced: false,
        }
    }
}

/// What an operator noted of an episode, last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The episode.
    pub target: String,
    pub at: String,
    /// Whether the prediction was right, where that was said.
    pub verdict: Option<Opinion>,
    pub note: Option<String>,
}

/// What the log knows of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The EC2 instance id.
    pub instance_id: String,
    pub state: Option<InstanceState>,
    /// The time of the latest change of state.
    pub state_at: Option<String>,
    /// The check that failed last.
    pub failed_check: Option<Check>,
    /// Since when it failed.
    pub failed_since: Option<String>,
    /// When it left the fleet.
    pub left_at: Option<String>,
    /// Why it left.
    pub left_cause: Option<LeftCause>,
}

/// Where an instance's episode stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceEpisode {
    /// The EC2 instance id.
    pub instance_id: String,
    /// The time of the newest prediction (RFC 3339, UTC).
    pub as_of: String,
    /// Where it stands.
    pub state: EpisodeState,
}

/// A workload episode as it was last announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// True until it is cleared.
    pub open: bool,
    #[serde(flatten)]
    pub episode: WorkloadEpisode,
}

/// A recovery as its stream has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryRow {
    /// Identifies the recovery.
    pub recovery_id: String,
    /// The EC2 instance that it began with.
    pub instance_id: String,
    /// The first of the instances that replaced one another.
    pub lineage: String,
    /// How many entries its stream has.
    pub version: u64,
    /// Whether it may still do something.
    pub open: bool,
    /// When it began (RFC 3339, UTC).
    pub opened_at: String,
    /// When its last event happened (RFC 3339, UTC).
    pub updated_at: String,
    /// The first event that could not follow on what was before it; nothing is done for the recovery then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub illegal: Option<String>,
    /// Where it stands.
    pub state: Recovery,
}

/// A row of any table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Row {
    /// Of [`Table::PredictionsCurrent`].
    Prediction(Box<CurrentPrediction>),
    /// Of [`Table::Episodes`].
    Episode(Box<Episode>),
    /// Of [`Table::EpisodeStates`].
    EpisodeState(Box<InstanceEpisode>),
    /// Of [`Table::WorkloadEpisodes`].
    Workload(Box<Workload>),
    /// Of [`Table::Incidents`].
    Incident(IncidentObserved),
    /// Of [`Table::Changes`].
    Change(ChangeMarked),
    /// Of [`Table::Silences`].
    Silence(Silence),
    /// Of [`Table::Acks`].
    Ack(Ack),
    /// Of [`Table::Instances`].
    Instance(Instance),
    /// Of [`Table::Recoveries`].
    Recovery(Box<RecoveryRow>),
    /// Of [`Table::HealthEvents`].
    Health(Box<HealthEvent>),
}

impl Row {
    /// Reads a row of `table` from JSON.
    ///
    /// # Errors
    /// When the text is not a row of that table.
    pub fn decode(table: Table, text: &str) -> Result<Self, serde_json::Error> {
        Ok(match table {
            Table::PredictionsCurrent => Self::Prediction(serde_json::from_str(text)?),
            Table::Episodes => Self::Episode(serde_json::from_str(text)?),
            Table::EpisodeStates => Self::EpisodeState(serde_json::from_str(text)?),
            Table::WorkloadEpisodes => Self::Workload(serde_json::from_str(text)?),
            Table::Incidents => Self::Incident(serde_json::from_str(text)?),
            Table::Changes => Self::Change(serde_json::from_str(text)?),
            Table::Silences => Self::Silence(serde_json::from_str(text)?),
            Table::Acks => Self::Ack(serde_json::from_str(text)?),
            Table::Instances => Self::Instance(serde_json::from_str(text)?),
            Table::Recoveries => Self::Recovery(serde_json::from_str(text)?),
            Table::HealthEvents => Self::Health(serde_json::from_str(text)?),
        })
    }
}
