//! What a recovery would do about a prediction, as people and programs receive it (public, versioned).

mod text;

use crate::action::RecoveryAction;
use crate::step::StepKind;
use crate::time::rfc3339;
use serde::{Deserialize, Serialize};

/// What a recovery would do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Stance")]
pub enum PreviewDecision {
    /// It would tell people, and do nothing else.
    Tells,
    /// It would begin.
    Acts,
    /// It would begin as soon as a person approves.
    Asks,
    /// It would wait: what speaks against it passes.
    Waits,
    /// It would do nothing.
    Refuses,
    /// It can't be told: something that has to be known could not be read.
    Unknown,
}

/// What a recovery would do about a prediction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Outlook")]
pub struct RecoveryPreview {
    /// The action that it would begin with.
    pub action: RecoveryAction,
    /// Whether it would; what the account admits at once is asked only when it begins.
    pub stance: PreviewDecision,
    /// The steps, in order.
    pub steps: Vec<StepKind>,
    /// The last step whose failure is still undone; null where nothing is.
    pub undo_until: Option<StepKind>,
    /// When everything here was looked at (RFC 3339, UTC).
    pub checked_at: String,
    /// Every reason against it, in words.
    pub refusals: Vec<String>,
    /// What was tried and looked at.
    pub checks: Vec<Check>,
    /// How old the data would be if every volume were made from its newest complete snapshot, seconds: the age of the oldest of
    /// these; null where a volume has none, or it is not known.
    pub newest_snapshot_age_s: Option<i64>,
    /// How long the instance would be down; null where it stays up, or is not meant to come back.
    pub downtime: Option<Downtime>,
    /// How others like it ended; null where the log could not be read.
    pub similar: Option<Similar>,
}

impl RecoveryPreview {
    /// Makes the one of an instance of which nothing could be seen, for this reason.
    pub fn unseen(why: &str, now_ms: i64) -> Self {
        Self {
            action: RecoveryAction::NotifyOnly,
            stance: PreviewDecision::Unknown,
            steps: Vec::new(),
            undo_until: None,
            checked_at: rfc3339(now_ms),
            refusals: vec![why.to_owned()],
            checks: unknown_checks(why),
            newest_snapshot_age_s: None,
            downtime: None,
            similar: None,
        }
    }
}

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// One call to EC2 that the plan makes, as a dry run; other services have none.
    DryRun,
    /// Whether there is room where an instance would start.
    Capacity,
    /// Whether the account may run as much.
    Quota,
    /// Whether there is a complete snapshot of every volume.
    Snapshots,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Nothing stands in the way, as far as it can be asked.
    Passed,
    /// Something does.
    Failed,
    /// It could not be asked, or the answer tells nothing.
    Unknown,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Check {
    /// What.
    pub what: CheckKind,
    /// What came of it.
    pub state: CheckState,
    /// What was asked, and what is wrong or not known, in words.
    pub detail: String,
}

const ALL: [CheckKind; 4] = [CheckKind::DryRun, CheckKind::Capacity, CheckKind::Quota, CheckKind::Snapshots];

/// Makes every check unknown for one reason.
pub fn unknown_checks(why: &str) -> Vec<Check> {
    ALL.map(|what| Check { what, state: CheckState::Unknown, detail: why.to_owned() }).to_vec()
}

/// Where an expectation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The median of earlier recoveries with the same action.
    Past,
    /// What each step typically takes.
    Typical,
}

/// How long an instance is expected to be down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Downtime {
    /// So many seconds.
    pub expected_s: i64,
    /// By this.
    pub from: Basis,
    /// How many earlier recoveries tell; fewer than three are not asked.
    pub recoveries: u32,
}

/// How others like it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Similar {
    /// Earlier episodes at high with the same failure ahead.
    pub episodes: u32,
    /// Those whose failure came.
    pub hits: u32,
    /// Those whose failure did not come.
    pub false_alarms: u32,
    /// Earlier recoveries that ended with the same action.
    pub recoveries: u32,
    /// Those after which the instance was well.
    pub recovered: u32,
    /// Those that people had to take over.
    pub handed_over: u32,
}
