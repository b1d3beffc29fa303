//! Ground truth: what became of an instance after a time, as far as the data tell.

/// Hours after an incident that are not scored: the outage and its repair.
pub const OUTAGE_HOURS: i64 = 10;

/// A failure that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// The instance.
    pub instance_id: String,
    /// When it began, milliseconds.
    pub ts: i64,
    /// What caused it, where known.
    pub cause: Option<String>,
    /// Whether anyone could have seen it coming, where known.
    pub predictable: Option<bool>,
}
