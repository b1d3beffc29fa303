//! The ports of a recovery: what is read, what is tried as a dry run, and what is done; what only reads can't write.

use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_recovery::admission::Health;
use forewarn_recovery::facts::{InstanceFacts, Read};
use forewarn_recovery::plan::Plan;
use forewarn_recovery::policy::Policy;
use forewarn_recovery::preview::DryRunResult;
use forewarn_recovery::state::Note;
use forewarn_recovery::trigger::Trigger;
use std::collections::BTreeMap;
use std::fmt;

/// What one step is about.
#[derive(Debug, Clone)]
pub struct StepRequest {
    pub kind: StepKind,
    /// What the whole of it is.
    pub action: RecoveryAction,
    pub recovery_id: String,
    /// The plan, `RECOVERY-N`: what one plan makes carries it as the tag `forewarn:plan`.
    pub plan_id: String,
    /// The instance that is healed.
    pub subject: String,
    /// The instance that this plan has launched in its place.
    pub successor: Option<String>,
    /// The instance that is to serve in the end: on the way back the old one, whoever was launched.
    pub serves: String,
    /// What makes the call the same when it is made again: 32 hexadecimal digits; the tag `forewarn:step` of what it makes.
    pub token: String,
    /// How things stood before the first call of this step, and the call's arguments: what [`StepDriver::prepare`] gave.
    pub before: String,
    /// What is known of the earlier steps of this plan.
    pub notes: BTreeMap<StepKind, Note>,
    /// When AWS takes the instance.
    pub deadline_ms: Option<UnixMs>,
    /// What people allow, and what the action needs.
    pub policy: Policy,
    /// The time.
    pub now_ms: UnixMs,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    /// It has had its effect; later steps may need what came of it: an id, or JSON.
    Done(String),
    /// It is on its way, and is looked at again after so many milliseconds.
    Waiting(i64),
    /// It has had no effect, for sure: AWS refused, or the call never left.
    Failed(String),
    /// Nobody knows: the reply was lost, or AWS failed in mid-call.
    Unknown(String),
}

impl fmt::Display for StepOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(result) if result.is_empty() => f.write_str("done"),
            Self::Done(result) => write!(f, "done: {result}"),
            Self::Waiting(ms) => write!(f, "on its way, looked at again in {} s", ms / 1000),
            Self::Failed(why) => write!(f, "failed: {why}"),
            Self::Unknown(why) => write!(f, "not known: {why}"),
        }
    }
}

/// Where an instance stands among others; by default nothing of it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    pub zone: String,
    /// How its group is; none without one.
    pub group: Option<Health>,
    /// How the instances of its zone are.
    pub in_zone: Health,
    /// How all instances of the account and region are.
    pub fleet: Health,
}

/// What is seen of an instance at one time.
#[derive(Debug, Clone)]
pub struct Seen {
    pub instance: Read<InstanceFacts>,
    /// Where it stands.
    pub place: Read<Place>,
    /// Until when AWS's own recovery may still act.
    pub aws_recovers_until: Read<Option<UnixMs>>,
}

/// Reads what the gates look at in one account and region; it changes nothing. Every call lasts a minute at most, all that it asks of
/// AWS included.
pub trait FactReader: Send + Sync + fmt::Debug {
    /// Gives the account's id and the region.
    fn home(&self) -> (&str, &str);

    /// Looks at an instance.
    fn look(&self, instance: &str, now: UnixMs) -> Seen;

    /// Says whether what a trigger told is still so.
    fn still_holds(&self, trigger: &Trigger) -> Read<bool>;

    /// Says what is missing for an action where its instance would start: capacity, quota, type, permission.
    fn capacity_check(&self, action: RecoveryAction, instance: &str, policy: &Policy) -> Read<Option<String>>;

    /// Says whether an instance is well: its checks and, where the policy names an endpoint, its application.
    fn is_well(&self, instance: &str, policy: &Policy) -> Read<bool>;
}

/// Asks what a preview tells people besides the facts; it changes nothing. Every call lasts a minute at most.
pub trait DryRunner: Send + Sync + fmt::Debug {
    /// Makes calls to EC2 of a plan as dry runs, and gives what EC2 said to each.
    fn dry_run(&self, plan: &Plan, instance: &str) -> Vec<DryRunResult>;

    /// Says how old the data would be, milliseconds, if every volume of an instance were made from its newest complete snapshot: the
    /// age of the oldest of these; none where a volume has none, absent where there are no volumes.
    fn snapshot_age(&self, instance: &str, now: UnixMs) -> Read<Option<i64>>;
}

/// Carries out steps in one account and region. Every call lasts a minute at most, all that it asks of AWS included.
pub trait StepDriver: Send + Sync + fmt::Debug {
    /// Settles what goes with a step's token before anything is called: how things stand (for the way back), and the arguments.
    /// It changes nothing.
    ///
    /// # Errors
    /// When it can't be read, or the step can't be made so: in words.
    fn prepare(&self, request: &StepRequest) -> Result<String, String>;

    /// Makes the step's calls, or looks how far what they began has come: it is asked again after [`StepOutcome::Waiting`], under the same
    /// token, and must then go on rather than begin again.
    fn perform(&self, request: &StepRequest) -> StepOutcome;

    /// Looks what came of calls that may have been made: the result if the step has had its whole effect, none if it must be made (again).
    ///
    /// # Errors
    /// When it can't be told, in words.
    fn find(&self, request: &StepRequest) -> Result<Option<String>, String>;
}
