//! Examines the way to AWS: calls that change nothing, and findings that say what to do.
//!
//! [`judge`] is pure: from what a call came to, it makes a finding. [`live`] makes the calls.

pub mod judge;
#[cfg(feature = "aws")]
pub mod live;

use serde::Serialize;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All is well.
    Good,
    /// There is nothing to check yet.
    Absent,
    /// It works, and should be looked at.
    Warning,
    /// It does not work.
    Fault,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked.
    pub check: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found.
    pub text: String,
    /// What to do about it; nothing where all is well.
    pub fix: Option<String>,
}

impl Finding {
    /// Says that all is well.
    pub fn good(check: impl Into<String>, text: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Good, text: text.into(), fix: None }
    }

    /// Says that there is nothing yet.
    pub fn absent(check: impl Into<String>, text: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Absent, text: text.into(), fix: None }
    }

    /// Says what should be looked at, and how to mend it.
    pub fn warning(check: impl Into<String>, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Warning, text: text.into(), fix: Some(fix.into()) }
    }

    /// Says what does not work, and how to mend it.
    pub fn fault(check: impl Into<String>, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Fault, text: text.into(), fix: Some(fix.into()) }
    }
}
