//! Says why `EventBridge` refused something.

/// Why one entry was refused, or the whole call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Fault {
    /// AWS's code for it.
    pub code: String,
    /// What AWS says.
    pub message: String,
    /// True when trying again may help.
    pub transient: bool,
}

impl Fault {
    /// Makes a fault from AWS's code, which says whether trying again may help.
    pub fn of_entry(code: &str, message: &str) -> Self {
        let transient = ["Throttl", "Internal", "Unavailable", "Timeout", "TooManyRequests", "RequestLimit"]
            .iter()
            .any(|part| code.contains(part));
        Self { code: code.to_owned(), message: message.to_owned(), transient }
    }

    pub(crate) fn is_throttle(&self) -> bool {
        ["Throttl", "TooManyRequests", "RequestLimit"].iter().any(|part| self.code.contains(part))
    }
}
