//! Events of notices to people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Says that a notice reached its channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    /// Identifies the notice.
    pub notice_id: String,
    /// The channel, by its name in the settings.
    pub channel: String,
    /// The event it is about, by its id.
    pub about: String,
    /// Counts the attempts from 1.
    pub attempt: u32,
}

/// Says that a notice did not reach its channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    /// Identifies the notice.
    pub notice_id: String,
    /// The channel, by its name in the settings.
    pub channel: String,
    /// The event it is about, by its id.
    pub about: String,
    /// Counts the attempts from 1.
    pub attempt: u32,
    /// What went wrong.
    pub error: String,
    /// True when it will be tried again.
    pub retry: bool,
}
