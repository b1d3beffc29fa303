//! Events of the life of an episode.

use super::blob::BlobRef;
use forewarn_domain::episode::EpisodeState;
use forewarn_domain::prediction::{Level, Prediction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Says that an episode opened; the data is the prediction itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "Made")]
pub struct Opened {
    /// The prediction that opened it.
    pub prediction: Box<Prediction>,
}

/// Says that the level of an open episode changed; the data is the prediction and the level before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Updated {
    /// The level before.
    pub previous: Level,
    /// The prediction that changed it.
    #[serde(flatten)]
    pub prediction: Box<Prediction>,
}

/// Says that an episode that was silenced is still open now that it isn't; the data is the prediction and the silence that was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Announced {
    /// The silence that kept the episode back.
    pub after_silence: String,
    /// The newest prediction of the episode.
    #[serde(flatten)]
    pub prediction: Box<Prediction>,
}

/// Says that the trouble is over; the data is the prediction and the level before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cleared {
    /// The level before.
    pub previous: Level,
    /// The prediction that cleared it.
    #[serde(flatten)]
    pub prediction: Box<Prediction>,
}

/// Says where an instance's episode stands after a prediction, so that hysteresis goes on from there; it is not announced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observed {
    /// The EC2 instance id.
    pub instance_id: String,
    /// The prediction.
    pub prediction_id: String,
    /// The time that it speaks for (RFC 3339, UTC).
    pub as_of: String,
    /// Its level.
    pub confidence: Level,
    /// Where the episode stands.
    pub state: Box<EpisodeState>,
}

/// How a prediction turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The failure came.
    Hit,
    /// A failure came that nothing announced.
    Missed,
    /// No failure came.
    False,
    /// Something else ended the instance or the horizon first, so nobody can know.
    Censored,
    /// The instance is gone.
    Gone,
}

/// What an operator says about a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was right.
    Right,
    /// It was wrong.
    #[serde(rename = "wrong")]
    Incorrect,
    /// It was right, and an action prevented the failure.
    Prevented,
}

/// Says how a prediction, or the lack of one, turned out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resolved {
    /// The episode; null for a missed incident.
    pub episode_id: Option<String>,
    /// The EC2 instance id.
    pub instance_id: String,
    /// How it turned out.
    pub outcome: Outcome,
    /// The incident that came, where one did.
    pub incident_id: Option<String>,
    /// Hours from the first high prediction to the incident.
    pub lead_hours: Option<f64>,
    /// When this became known (RFC 3339, UTC).
    pub at: String,
    /// What shows it.
    pub evidence: String,
    /// What an operator said.
    pub verdict: Option<Verdict>,
    /// Who said so, kept outside the chain.
    pub by: Option<BlobRef>,
}
