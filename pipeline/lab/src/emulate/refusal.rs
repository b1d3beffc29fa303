//! The errors that AWS answers with, as each protocol writes them.

use super::cbor::Writer;

/// Kinds of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Throttling,
    Internal,
    Unavailable,
    Validation,
    InvalidValue,
    InvalidCombination,
    MissingParameter,
    InvalidNextToken,
    LimitExceeded,
    Serialization,
    TooLarge,
    UnknownOperation,
    InvalidAction,
    InvalidInstanceId,
}

impl Kind {
    /// HTTP status, the code that the Query protocol has, and the shape that RPC v2 names.
    const fn facts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Throttling => (400, "Throttling", "com.amazon.coral.availability#ThrottlingException"),
            Self::Internal => (500, "InternalServiceError", "com.amazonaws.cloudwatch#InternalServiceFault"),
            Self::Unavailable => (503, "ServiceUnavailable", "com.amazon.coral.service#ServiceUnavailableException"),
            Self::Validation => (400, "ValidationError", "com.amazon.coral.validate#ValidationException"),
            Self::InvalidValue => {
                (400, "InvalidParameterValue", "com.amazonaws.cloudwatch#InvalidParameterValueException")
            }
            Self::InvalidCombination => {
                (400, "InvalidParameterCombination", "com.amazonaws.cloudwatch#InvalidParameterCombinationException")
            }
            Self::MissingParameter => {
                (400, "MissingParameter", "com.amazonaws.cloudwatch#MissingRequiredParameterException")
            }
            Self::InvalidNextToken => (400, "InvalidNextToken", "com.amazonaws.cloudwatch#InvalidNextToken"),
            Self::LimitExceeded => (400, "LimitExceeded", "com.amazonaws.cloudwatch#LimitExceededFault"),
            Self::Serialization => (400, "SerializationException", "com.amazon.coral.service#SerializationException"),
            Self::TooLarge => (413, "RequestEntityTooLarge", "com.amazon.coral.service#RequestEntityTooLargeException"),
            Self::UnknownOperation => {
                (404, "UnknownOperationException", "com.amazon.coral.service#UnknownOperationException")
            }
            Self::InvalidAction => (400, "InvalidAction", "com.amazon.coral.service#InvalidAction"),
            Self::InvalidInstanceId => (400, "InvalidInstanceID.NotFound", "com.amazonaws.ec2#InvalidInstanceID"),
        }
    }

    /// HTTP status.
    pub(super) const fn status(self) -> u16 {
        self.facts().0
    }

    pub(super) const fn code(self) -> &'static str {
        self.facts().1
    }

    /// Whose fault it is.
    const fn side(self) -> &'static str {
        if self.status() >= 500 { "Receiver" } else { "Sender" }
    }
}

/// An error with its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: Kind,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Writes the body of RPC v2.
    pub(super) fn cbor(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.map(2).text("__type").text(self.kind.facts().2).text("message").text(&self.message);
        w.finish()
    }

    /// The header by which clients of RPC v2 learn the code that the Query protocol had.
    pub(super) fn query_error(&self) -> String {
        format!("{};{}", self.kind.code(), self.kind.side())
    }
}
