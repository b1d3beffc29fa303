//! Tells what a failed call means for whoever made it.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemError;
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_continuous_backups::UpdateContinuousBackupsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::CancellationReason;

/// What to do about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError {
    /// There were too many: call again, later.
    Throttled,
    /// It may have been lost, before or after it took effect: call again.
    Passing,
    /// What stands there is not what was believed: look again, and decide again.
    Refused,
    /// Another transaction is at it: look again, later.
    Contended,
    /// There is no such table.
    NoSuchTable,
    /// The table is there already.
    Exists,
    /// Calling again does not help.
    Lasting,
}

/// An error of an operation, with what a cancelled transaction says of its items.
pub trait Answer: ProvideErrorMetadata {
    /// Gives why a transaction was cancelled, item by item; nothing for any other error.
    fn reasons(&self) -> &[CancellationReason] {
        &[]
    }
}

impl Answer for BatchGetItemError {}
impl Answer for BatchWriteItemError {}
impl Answer for CreateTableError {}
impl Answer for DescribeTableError {}
impl Answer for GetItemError {}
impl Answer for PutItemError {}
impl Answer for QueryError {}
impl Answer for UpdateContinuousBackupsError {}
impl Answer for UpdateItemError {}

impl Answer for TransactGetItemsError {
    fn reasons(&self) -> &[CancellationReason] {
        if let Self::TransactionCanceledException(e) = self { e.cancellation_reasons() } else { &[] }
    }
}

impl Answer for TransactWriteItemsError {
    fn reasons(&self) -> &[CancellationReason] {
        if let Self::TransactionCanceledException(e) = self { e.cancellation_reasons() } else { &[] }
    }
}

/// Sorts an error of any call.
pub(super) fn of<E: Answer>(error: &SdkError<E>) -> CallError {
    if let SdkError::ServiceError(e) = error {
        let codes: Vec<&str> = e.err().reasons().iter().filter_map(CancellationReason::code).collect();
        return by_answer(e.raw().status().as_u16(), e.err().code().unwrap_or_default(), &codes);
    }
    // The others are timeouts, closed connections, answers that cannot be read.
    if matches!(error, SdkError::ConstructionFailure(_)) { CallError::Lasting } else { CallError::Passing }
}

fn by_answer(status: u16, code: &str, reasons: &[&str]) -> CallError {
    match code {
        "TransactionCanceledException" => by_reasons(reasons),
        "ConditionalCheckFailedException" => CallError::Refused,
        "TransactionConflictException" => CallError::Contended,
        "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "ThrottlingException"
        | "Throttling"
        | "LimitExceededException" => CallError::Throttled,
        "TransactionInProgressException"
        | "InternalServerError"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "ContinuousBackupsUnavailableException" => CallError::Passing,
        "ResourceNotFoundException" | "TableNotFoundException" => CallError::NoSuchTable,
        "ResourceInUseException" => CallError::Exists,
        _ if status >= 500 => CallError::Passing,
        _ => CallError::Lasting,
    }
}

/// Sorts a cancelled transaction: what is wrong for good weighs most, then that a condition failed, that another is at it, that there
/// were too many.
fn by_reasons(codes: &[&str]) -> CallError {
    let rank = |code: &&str| match *code {
        "None" => 0,
        "ThrottlingError" | "ProvisionedThroughputExceeded" => 1,
        "TransactionConflict" => 2,
        "ConditionalCheckFailed" => 3,
        _ => 4,
    };
    match codes.iter().map(rank).max() {
        Some(1) => CallError::Throttled,
        Some(3) => CallError::Refused,
        Some(4..) => CallError::Lasting,
        // Without a reason nothing is known but that it did not happen.
        None | Some(..=2) => CallError::Contended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let of = |code: &str| by_answer(400, code, &[]);
        assert_eq!(of("ProvisionedThroughputExceededException"), CallError::Throttled);
        assert_eq!(of("TransactionInProgressException"), CallError::Passing);
        assert_eq!(of("ConditionalCheckFailedException"), CallError::Refused);
        assert_eq!(of("ResourceNotFoundException"), CallError::NoSuchTable);
        assert_eq!(of("IdempotentParameterMismatchException"), CallError::Lasting);
        assert_eq!(of("AccessDeniedException"), CallError::Lasting);
        assert_eq!(by_answer(503, "whatever", &[]), CallError::Passing);
    }

    #[test]
    fn of_the_reasons_for_a_cancellation_the_gravest_counts() {
        let of = |reasons: &[&str]| by_answer(400, "TransactionCanceledException", reasons);
        assert_eq!(of(&["ConditionalCheckFailed", "None", "TransactionConflict"]), CallError::Refused);
        assert_eq!(of(&["TransactionConflict", "ThrottlingError"]), CallError::Contended);
        assert_eq!(of(&["None", "ProvisionedThroughputExceeded"]), CallError::Throttled);
        assert_eq!(of(&["ConditionalCheckFailed", "ValidationError"]), CallError::Lasting);
        assert_eq!(of(&[]), CallError::Contended);
    }
}
