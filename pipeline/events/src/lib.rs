//! Understands events of AWS: parses what EventBridge delivers, takes them from queues, and sets aside what can't be understood.
//!
//! [`parse`] is pure: bytes to typed events, or the [`Reason`] why not. Whatever a message is, it ends as events or as a dead letter.

mod bounds;
pub mod dead;
mod doc;
pub mod lambda;
mod parse;
pub mod queue;
mod reason;
#[cfg(feature = "aws")]
pub mod sqs;
mod unwrap;

pub use bounds::Bounds;
pub use dead::{DeadLetter, DeadLetters, JsonLinesDead};
pub use doc::is_id;
pub use parse::parse;
pub use queue::{Queue, QueueError, Received};
pub use reason::Reason;
pub use reason::quoted;
pub use unwrap::unwrap;

/// Longest event, in bytes: what EventBridge and SQS carry.
pub const MAX_BYTES: usize = 256 << 10;
/// Deepest nesting of an event.
pub const MAX_DEPTH: usize = 32;
