//! EC2 and STS over the Query protocol.

use super::Emulator;
use super::refusal::{Kind, Refusal};

/// Answers a form.
pub(super) fn answer(_: &Emulator, _: &[u8], _: i64) -> Result<Vec<u8>, Refusal> {
    Err(Refusal::new(Kind::InvalidAction, "no action is answered yet"))
}

/// Writes an error.
pub(super) fn refuse(refusal: &Refusal) -> (u16, Vec<u8>) {
    (refusal.kind.status(), refusal.message.clone().into_bytes())
}
