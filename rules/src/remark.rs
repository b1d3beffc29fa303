//! What is to be said of an instance beside its risk: what was kept out of a signal, and what is no news.

use crate::doubt::Doubt;
use forewarn_domain::signal::Signal;
use serde::{Deserialize, Serialize};

/// Something to be said of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    /// A device has been used up all week.
    Standing {
        /// What of it.
        signal: Signal,
        /// The device, where the series has one.
        device: Option<String>,
        /// Where it stands, in the signal's unit.
        now: f64,
    },
    /// A series is something else than its signal reads, and was kept out of it.
    KeptOut {
        /// The metric.
        metric: String,
        /// The device, where the series has one.
        device: Option<String>,
        /// What it is.
        doubt: Doubt,
    },
    /// Credits are unlimited, for surplus credits were spent or the instance is set so.
    Unlimited,
}
