//! Tells by what AWS says what its error asks the caller to do.

use super::api::ApiError;

/// What AWS said, as far as it said anything.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ErrorDetails<'a> {
    pub(super) status: Option<u16>,
    pub(super) code: Option<&'a str>,
    pub(super) message: Option<&'a str>,
}

const SKEWED: [&str; 4] = ["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", "InvalidSignatureException"];
const DENIED: [&str; 12] = [
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "ExpiredToken",
    "ExpiredTokenException",
    "AuthFailure",
    "MissingAuthenticationToken",
    "IncompleteSignature",
    "OptInRequired",
    "NotAuthorized",
];
const THROTTLED: [&str; 8] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "LimitExceededException",
    "SlowDown",
];
const PASSING: [&str; 6] = [
    "InternalServiceFault",
    "InternalServiceError",
    "InternalFailure",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
];
const TOKEN: [&str; 3] = ["InvalidNextToken", "InvalidPaginationToken", "InvalidPaginationTokenException"];

/// Names the error. `operation` is the permission that the call needs.
pub(super) fn classify(said: ErrorDetails<'_>, operation: &'static str) -> ApiError {
    // RPC and Query protocols put a namespace before or a word behind the code.
    let bare = said.code.and_then(|c| c.rsplit(['#', ':']).next()).unwrap_or_default();
    let bare = bare.strip_suffix("Fault").filter(|b| !PASSING.contains(&bare) && !b.is_empty()).unwrap_or(bare);
    let message = said.message.unwrap_or_default();
    let words = || {
        let text = if message.is_empty() { bare } else { message };
        let text = if text.is_empty() { format!("HTTP status {}", said.status.unwrap_or(0)) } else { text.to_owned() };
        text.chars().filter(|c| !c.is_control()).take(300).collect::<String>()
    };
    let about_time = message.contains("Signature expired") || message.contains("not yet current");
    let signature = matches!(bare, "InvalidSignatureException" | "SignatureDoesNotMatch" | "InvalidSignature");
    if (SKEWED.contains(&bare) && !signature) || (signature && about_time) {
        return ApiError::Skewed(words());
    }
    if DENIED.contains(&bare) || signature {
        return ApiError::Denied { operation, why: words() };
    }
    if THROTTLED.contains(&bare) || said.status == Some(429) {
        return ApiError::Throttled(words());
    }
    if TOKEN.contains(&bare) {
        return ApiError::Token;
    }
    if PASSING.contains(&bare) || said.status.is_none_or(|s| s >= 500) {
        return ApiError::Passing(words());
    }
    if said.status == Some(403) || said.status == Some(401) {
        return ApiError::Denied { operation, why: words() };
    }
    ApiError::Invalid(words())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_known_by_its_code_before_its_status() {
        let of = |status, code, message| {
            classify(
                ErrorDetails { status: Some(status), code: Some(code), message: Some(message) },
                "cloudwatch:GetMetricData",
            )
        };
        assert!(matches!(of(400, "Throttling", "Rate exceeded"), ApiError::Throttled(_)));
        assert!(matches!(of(400, "com.amazon#LimitExceededFault", ""), ApiError::Invalid(_) | ApiError::Throttled(_)));
        assert!(matches!(of(429, "Whatever", ""), ApiError::Throttled(_)));
        assert!(matches!(of(500, "InternalServiceFault", ""), ApiError::Passing(_)));
        assert!(matches!(of(503, "", ""), ApiError::Passing(_)));
        assert!(matches!(of(400, "InvalidNextToken", ""), ApiError::Token));
        assert!(matches!(of(403, "AccessDenied", "no"), ApiError::Denied { .. }));
        assert!(matches!(of(400, "InvalidParameterValue", "bad"), ApiError::Invalid(_)));
        let skew = "Signature expired: 20260215T000000Z is now earlier than 20260215T001500Z";
        assert!(matches!(of(403, "InvalidSignatureException", skew), ApiError::Skewed(_)));
        assert!(matches!(of(403, "SignatureDoesNotMatch", skew), ApiError::Skewed(_)));
        assert!(matches!(of(403, "SignatureDoesNotMatch", "the secret is wrong"), ApiError::Denied { .. }));
        assert!(matches!(of(403, "RequestTimeTooSkewed", ""), ApiError::Skewed(_)));
        assert!(matches!(classify(ErrorDetails::default(), "x"), ApiError::Passing(_)));
    }

    #[test]
    fn what_aws_says_is_bounded() {
        let long = "x\u{1b}".repeat(10_000);
        let e = classify(ErrorDetails { status: Some(400), code: None, message: Some(&long) }, "x");
        assert!(e.to_string().len() < 400 && !e.to_string().contains('\u{1b}'));
    }
}
