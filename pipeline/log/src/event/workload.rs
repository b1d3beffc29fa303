//! Events of the life of a workload episode.

use forewarn_domain::prediction::Level;
use forewarn_domain::workload::WorkloadEpisode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Says that several members of a workload have the same failure ahead; the data is the episode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Predicted {
    /// The episode.
    pub episode: Box<WorkloadEpisode>,
}

/// Says that members joined, or that the level rose; the data is the episode and the level before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Grown")]
pub struct Updated {
    /// The level before.
    pub previous: Level,
    /// The episode.
    #[serde(flatten)]
    pub episode: Box<WorkloadEpisode>,
}

/// Says that too few members are left for one episode; the data is the episode and the level before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Over")]
pub struct Cleared {
    /// The level before.
    pub previous: Level,
    /// The episode, with the members that are still in trouble on their own.
    #[serde(flatten)]
    pub episode: Box<WorkloadEpisode>,
}
