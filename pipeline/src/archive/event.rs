//! Takes an event of the stream into the log.

use crate::history::EventRow;
use crate::log::envelope::{Envelope, InvalidEvent};
use crate::log::{AppendError, DecodeError, EventLog, Expected, NewEvent};

/// Explains why an event could not be taken into the log.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The log refused or failed.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The envelope's time is none.
    #[error(transparent)]
    Envelope(#[from] InvalidEvent),
    /// The data does not fit the type.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Appends an event to the log, once, and gives the rows that it makes in the history.
///
/// # Errors
/// When the log refuses or fails.
pub(super) fn take(log: &dyn EventLog, envelope: &Envelope, _received_at: i64) -> Result<Vec<EventRow>, TakeError> {
    let new = NewEvent {
        id: envelope.id.clone(),
        source: envelope.source.clone(),
        subject: envelope.subject.clone(),
        time: envelope.timestamp()?,
        event: envelope.event()?,
    };
    log.append(&format!("subject/{}", envelope.subject), Expected::Any, &[new])?;
    Ok(Vec::new())
}
