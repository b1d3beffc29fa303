//! Tells what a failed call means for whoever made it.

use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};

/// What to do about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallError {
    /// There were too many: call again, later.
    Throttled,
    /// It may have been lost, before or after it took effect: call again.
    Passing,
    /// The iterator is too old: get another.
    Expired,
    /// The place or the shard is none of this stream, or no longer.
    NoSuchPlace,
    /// Calling again does not help.
    Lasting,
}

/// Sorts an error of any call.
pub(super) fn of<E: ProvideErrorMetadata>(error: &SdkError<E>) -> CallError {
    if let SdkError::ServiceError(e) = error {
        return by_answer(e.raw().status().as_u16(), e.err().code().unwrap_or_default());
    }
    // The others are timeouts, closed connections, answers that cannot be read.
    if matches!(error, SdkError::ConstructionFailure(_)) { CallError::Lasting } else { CallError::Passing }
}

fn by_answer(status: u16, code: &str) -> CallError {
    match code {
        "ExpiredIteratorException" => CallError::Expired,
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "Throttling"
        | "LimitExceededException"
        | "KMSThrottlingException"
        | "RequestLimitExceeded" => CallError::Throttled,
        "InvalidArgumentException" | "ResourceNotFoundException" => CallError::NoSuchPlace,
        "InternalFailureException" | "InternalFailure" | "ServiceUnavailable" => CallError::Passing,
        _ if status >= 500 => CallError::Passing,
        _ => CallError::Lasting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        assert_eq!(by_answer(400, "ProvisionedThroughputExceededException"), CallError::Throttled);
        assert_eq!(by_answer(400, "ExpiredIteratorException"), CallError::Expired);
        assert_eq!(by_answer(503, "whatever"), CallError::Passing);
        assert_eq!(by_answer(400, "AccessDeniedException"), CallError::Lasting);
        assert_eq!(by_answer(400, "ResourceNotFoundException"), CallError::NoSuchPlace);
    }
}
