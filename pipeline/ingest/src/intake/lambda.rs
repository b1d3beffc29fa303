//! The intake as a Lambda function behind an event source mapping on SQS.

use super::Intake;
use forewarn_events::lambda::{Failure, Message, Response};

/// Deals with a batch, message by message: one that fails for now is given again, alone.
pub fn handle(intake: &mut Intake<'_>, messages: &[Message], now_ms: i64) -> Response {
    let mut response = Response::default();
    for message in messages {
        if let Err(e) = intake.take(&message.queue, &[message.body.as_bytes()], now_ms) {
            tracing::warn!(message = message.id, error = %e, "message not dealt with; it will be given again");
            response.batch_item_failures.push(Failure { item_identifier: message.id.clone() });
        }
    }
    response
}
