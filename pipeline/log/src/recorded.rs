//! An entry of the log, as it was recorded.

use super::envelope::Envelope;
use super::event::{DecodeError, Event};
use serde::{Deserialize, Serialize};

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The place among all entries, from 1, without gaps.
    pub position: u64,
    pub stream: String,
    /// The place in the stream, from 1, without gaps.
    pub version: u64,
    /// The event.
    pub envelope: Envelope,
    /// The hash of the entry before, [`GENESIS`](super::chain::GENESIS) for the first.
    pub previous_hash: String,
    /// The hash of this entry.
    pub hash: String,
}

impl Recorded {
    /// Makes the typed event.
    ///
    /// # Errors
    /// As [`Event::decode`].
    pub fn event(&self) -> Result<Event, DecodeError> {
        self.envelope.event()
    }
}
