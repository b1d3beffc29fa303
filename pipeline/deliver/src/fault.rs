//! Says why `EventBridge` refused something, and what helps.

/// What helps against a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Trying again soon may help: AWS is busy or failed, or nobody knows the code.
    Retry,
    /// Nothing is taken until somebody changes something: a permission, the bus, the credentials.
    Hold,
    /// The entry is never taken as it is.
    Park,
}

/// Why one entry was refused, or the whole call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Fault {
    /// AWS's code for it.
    pub code: String,
    /// What AWS says.
    pub message: String,
    pub remedy: Remedy,
}

/// Parts of codes that say that there was too much at once.
const THROTTLED: [&str; 3] = ["Throttl", "TooManyRequests", "RequestLimit"];
/// Parts of codes that say that AWS failed.
const FAILED: [&str; 3] = ["Internal", "Unavailable", "Timeout"];
/// Parts of codes that say that an entry is not fit.
const UNFIT: [&str; 9] = [
    "Validation",
    "InvalidArgument",
    "InvalidParameter",
    "InvalidTime",
    "Malformed",
    "Serialization",
    "SizeExceeded",
    "TooLarge",
    "TooLong",
];
/// Parts of codes that say that nobody may, or that there is no such bus.
const FORBIDDEN: [&str; 10] = [
    "AccessDenied",
    "Credentials",
    "Disabled",
    "ExpiredToken",
    "InvalidAccountId",
    "InvalidClientToken",
    "NotAuthorized",
    "NotFound",
    "Signature",
    "UnrecognizedClient",
];

fn is_any(code: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| code.contains(part))
}

impl Fault {
    /// Makes the fault of one entry from AWS's code. One that nobody knows is tried again.
    pub fn of_entry(code: &str, message: &str) -> Self {
        let remedy = match () {
            () if is_any(code, &THROTTLED) || is_any(code, &FAILED) => Remedy::Retry,
            () if is_any(code, &FORBIDDEN) => Remedy::Hold,
            () if is_any(code, &UNFIT) => Remedy::Park,
            () => Remedy::Retry,
        };
        Self { code: code.to_owned(), message: message.to_owned(), remedy }
    }

    /// Makes the fault of a whole call from AWS's code. One that nobody knows speaks of the caller, not of an entry.
    pub fn of_call(code: &str, message: &str) -> Self {
        let fault = Self::of_entry(code, message);
        let is_known = [&THROTTLED[..], &FAILED, &UNFIT].iter().any(|parts| is_any(code, parts));
        Self { remedy: if is_known { fault.remedy } else { Remedy::Hold }, ..fault }
    }

    pub(crate) fn is_throttle(&self) -> bool {
        is_any(&self.code, &THROTTLED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_what_helps() {
        for (code, entry, call) in [
            ("ThrottlingException", Remedy::Retry, Remedy::Retry),
            ("InternalFailure", Remedy::Retry, Remedy::Retry),
            ("ServiceUnavailable", Remedy::Retry, Remedy::Retry),
            ("MalformedDetail", Remedy::Park, Remedy::Park),
            ("ValidationException", Remedy::Park, Remedy::Park),
            ("RequestEntityTooLargeException", Remedy::Park, Remedy::Park),
            ("AccessDeniedException", Remedy::Hold, Remedy::Hold),
            ("NotAuthorizedForSourceException", Remedy::Hold, Remedy::Hold),
            ("ResourceNotFoundException", Remedy::Hold, Remedy::Hold),
            ("ExpiredTokenException", Remedy::Hold, Remedy::Hold),
            ("NobodyKnowsThisCode", Remedy::Retry, Remedy::Hold),
        ] {
            assert_eq!(Fault::of_entry(code, "").remedy, entry, "{code}");
            assert_eq!(Fault::of_call(code, "").remedy, call, "{code}");
        }
    }
}
