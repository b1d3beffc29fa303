//! The tables of current state, and the names of their rows.

use serde::{Deserialize, Serialize};

/// A table of current state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// The latest announced prediction of each instance.
    PredictionsCurrent,
    /// Episodes by id.
    Episodes,
    /// Where each instance's episode stands.
    EpisodeStates,
    /// Workload episodes by id.
    WorkloadEpisodes,
    /// Incidents by id.
    Incidents,
    /// Declared changes by id.
    Changes,
    /// Silences by target.
    Silences,
    /// What operators noted, by episode.
    Acks,
    /// Instances by id.
    Instances,
    /// Recoveries by id.
    Recoveries,
    /// What AWS Health announced, by ARN.
    HealthEvents,
}

/// Every table.
pub const TABLES: [Table; 11] = [
    Table::PredictionsCurrent,
    Table::Episodes,
    Table::EpisodeStates,
    Table::WorkloadEpisodes,
    Table::Incidents,
    Table::Changes,
    Table::Silences,
    Table::Acks,
    Table::Instances,
    Table::Recoveries,
    Table::HealthEvents,
];

impl Table {
    /// Gives the table's name in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PredictionsCurrent => "predictions_current",
            Self::Episodes => "episodes",
            Self::EpisodeStates => "episode_states",
            Self::WorkloadEpisodes => "workload_episodes",
            Self::Incidents => "incidents",
            Self::Changes => "changes",
            Self::Silences => "silences",
            Self::Acks => "acks",
            Self::Instances => "instances",
            Self::Recoveries => "recoveries",
            Self::HealthEvents => "health_events",
        }
    }
}

/// Names one row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Key {
    pub table: Table,
    /// The row's key in it.
    pub id: String,
}
