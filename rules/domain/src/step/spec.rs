//! What every step is, in one table: a step that does not say each of its properties does not compile.

use super::{Repeat, StepKind};

/// Whether a step changes anything in AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Reads,
    /// Something.
    Writes,
}

/// What becomes of the recovery when a step fails for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// It goes on without.
    GoOn,
    /// It turns back, or escalates.
    GiveUp,
}

/// What a step does to the time for which its instance does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Downtime {
    /// The instance does not serve from then on.
    Begins,
    /// Nothing: it serves, or does not, as before.
    Unchanged,
}

/// How long a step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// As any step of its plan, within the time of its rung.
    Usual,
    /// As long as snapshots take; its rung's time stands still meanwhile.
    Snapshots,
}

/// The properties of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepSpec {
    /// How it is repeated after a crash.
    pub repeat: Repeat,
    /// The step that takes it back; none where there is nothing to take back or nothing can.
    pub undo: Option<StepKind>,
    /// Whether it changes anything in AWS.
    pub access: Access,
    /// What becomes of the recovery when it fails for good.
    pub on_failure: OnFailure,
    /// Whether the instance does not serve from then on.
    pub downtime: Downtime,
    /// How long it may take.
    pub time_limit: TimeLimit,
    /// What it typically takes, seconds.
    pub typical_s: i64,
}

impl StepSpec {
    /// Gives the properties of a step.
    ///
    /// What is typical is by AWS's documentation: a stop and a start are done within minutes, the status checks of a new start take a few
    /// more, a snapshot of a volume that has earlier ones some ten minutes, and a target drains for 300 s.
    #[expect(clippy::match_same_arms, reason = "one row a step, so that each is found by its name")]
    pub(super) const fn of_step(step: StepKind) -> Self {
        use Access::{Reads, Writes};
        use Downtime::{Begins, Unchanged};
        use OnFailure::{GiveUp, GoOn};
        use Repeat::{Converge, Harmless, Search, Token};
        use StepKind as S;
        use TimeLimit::{Snapshots, Usual};
        match step {
            // Plans of older logs begin with it; it does nothing: people are told before any step.
            S::Notify => row(Harmless, None, Reads, GoOn, Unchanged, Usual, 0),
            S::Diagnose => row(Search, None, Writes, GoOn, Unchanged, Usual, 30),
            S::RestartUnits => row(Search, None, Writes, GiveUp, Begins, Usual, 30),
            S::DrainApplication => row(Search, None, Writes, GoOn, Begins, Usual, 30),
            S::SuspendProcesses => row(Converge, Some(S::ResumeProcesses), Writes, GiveUp, Unchanged, Usual, 5),
            S::ResumeProcesses => row(Converge, None, Writes, GiveUp, Unchanged, Usual, 5),
            S::EnterStandby => row(Converge, Some(S::ExitStandby), Writes, GiveUp, Unchanged, Usual, 30),
            S::ExitStandby => row(Converge, None, Writes, GiveUp, Unchanged, Usual, 30),
            S::Deregister => row(Converge, Some(S::Register), Writes, GiveUp, Unchanged, Usual, 300),
            S::Register => row(Converge, None, Writes, GiveUp, Unchanged, Usual, 60),
            S::Stop => row(Converge, Some(S::Start), Writes, GiveUp, Begins, Usual, 90),
            S::Start => row(Converge, Some(S::Stop), Writes, GiveUp, Unchanged, Usual, 60),
            S::Snapshot => row(Search, None, Writes, GiveUp, Unchanged, Usual, 15),
            S::AwaitSnapshot => row(Harmless, None, Reads, GiveUp, Unchanged, Snapshots, 600),
            S::FindSnapshots => row(Harmless, None, Reads, GiveUp, Unchanged, Usual, 1),
            S::Launch => row(Token, Some(S::Discard), Writes, GiveUp, Unchanged, Usual, 60),
            S::Discard => row(Harmless, None, Writes, GiveUp, Unchanged, Usual, 0),
            S::AwaitHealthy => row(Harmless, None, Reads, GiveUp, Unchanged, Usual, 180),
            S::MoveAddress => row(Converge, None, Writes, GiveUp, Unchanged, Usual, 15),
            S::KeepOld => row(Harmless, None, Writes, GiveUp, Unchanged, Usual, 0),
            S::Terminate => row(Converge, None, Writes, GiveUp, Unchanged, Usual, 60),
            S::CreateVolume => row(Token, Some(S::DeleteVolume), Writes, GiveUp, Unchanged, Usual, 15),
            S::DeleteVolume => row(Harmless, None, Writes, GiveUp, Unchanged, Usual, 0),
            S::Detach => row(Converge, Some(S::AttachOld), Writes, GiveUp, Unchanged, Usual, 30),
            S::AttachOld => row(Converge, None, Writes, GiveUp, Unchanged, Usual, 15),
            S::AttachNew => row(Converge, Some(S::DetachNew), Writes, GiveUp, Unchanged, Usual, 15),
            S::DetachNew => row(Converge, None, Writes, GiveUp, Unchanged, Usual, 30),
            S::EnableIo => row(Converge, None, Writes, GiveUp, Unchanged, Usual, 5),
            S::ReplaceRoot => row(Token, None, Writes, GiveUp, Begins, Usual, 180),
            S::Isolate => row(Converge, Some(S::RestoreGroups), Writes, GiveUp, Begins, Usual, 5),
            S::RestoreGroups => row(Converge, None, Writes, GiveUp, Unchanged, Usual, 5),
            S::CompleteLifecycle => row(Converge, None, Writes, GiveUp, Unchanged, Usual, 0),
            S::SetUnhealthy => row(Harmless, None, Writes, GiveUp, Begins, Usual, 5),
            S::AwaitInService => row(Harmless, None, Reads, GiveUp, Unchanged, Usual, 300),
            S::PointDns => row(Converge, None, Writes, GiveUp, Unchanged, Usual, 60),
        }
    }
}

const fn row(
    repeat: Repeat,
    undo: Option<StepKind>,
    access: Access,
    on_failure: OnFailure,
    downtime: Downtime,
    time_limit: TimeLimit,
    typical_s: i64,
) -> StepSpec {
    StepSpec { repeat, undo, access, on_failure, downtime, time_limit, typical_s }
}
