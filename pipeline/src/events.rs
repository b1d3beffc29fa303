//! Takes events of AWS in: parses what EventBridge delivers, sets aside what can't be understood, and says what the history keeps.
//!
//! [`parse`] is pure: bytes to typed events, or the [`Reason`] why not. Whatever a message is, it ends as events or as a dead letter.

pub mod archive;
pub mod dead;
mod doc;
pub mod file;
pub mod lambda;
mod parse;
pub mod queue;
mod reason;
#[cfg(feature = "aws")]
pub mod sqs;
pub mod take;
mod unwrap;

pub use dead::{DeadLetter, DeadLetters, JsonLinesDead};
pub(crate) use doc::is_id;
pub use parse::parse;
pub use queue::{Poll, Queue, poll};
pub use reason::Reason;
pub(crate) use reason::quoted;
pub(crate) use unwrap::unwrap;

/// Longest event, in bytes: what EventBridge and SQS carry.
pub const MAX_BYTES: usize = 256 << 10;
/// Deepest nesting of an event.
pub const MAX_DEPTH: usize = 32;
