//! What a plan is made of: one call or one wait each, with its way back.

mod spec;

pub use spec::{Access, Downtime, OnFailure, StepSpec, TimeLimit};

use serde::{Deserialize, Serialize};
use std::fmt;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Tell people; never holds anything up.
    Notify,
    /// Collect what will be gone after a restart.
    Diagnose,
    /// Restart the named units through SSM.
    RestartUnits,
    /// Stop the application through SSM.
    DrainApplication,
    /// Suspend the group's health check and replacement.
    SuspendProcesses,
    /// Resume what we suspended.
    ResumeProcesses,
    /// Put the member into standby.
    EnterStandby,
    /// Take it back into service.
    ExitStandby,
    /// Take it out of its target groups and wait for the drain.
    Deregister,
    /// Put it back.
    Register,
    /// Stop the instance and wait until it has stopped.
    Stop,
    /// Start it and wait until it runs.
    Start,
    /// Ask for a snapshot of every volume; accepted is enough.
    Snapshot,
    /// Wait until the snapshots are complete.
    AwaitSnapshot,
    /// Choose the newest whole set of snapshots that is not too old.
    FindSnapshots,
    /// Launch the successor.
    Launch,
    /// End a successor that never served.
    Discard,
    /// Wait until checks and application are well.
    AwaitHealthy,
    /// Move the Elastic IP, if the owner is whom we expect.
    MoveAddress,
    /// Tag the old instance, stopped, for a later decision.
    KeepOld,
    /// End the old instance that was kept.
    Terminate,
    /// Make a volume of the snapshot.
    CreateVolume,
    /// Delete a volume that we made and nobody used.
    DeleteVolume,
    /// Detach the broken volume.
    Detach,
    /// Attach the broken volume again.
    AttachOld,
    /// Attach the new volume.
    AttachNew,
    /// Detach the new volume.
    DetachNew,
    /// Let a volume read and write again that AWS had shut off.
    EnableIo,
    /// Replace the root volume in place.
    ReplaceRoot,
    /// Put the isolation group on every interface, the list before it kept.
    Isolate,
    /// Put the list back.
    RestoreGroups,
    /// Tell the group that the drained instance may go.
    CompleteLifecycle,
    /// Tell the group that the member is unhealthy.
    SetUnhealthy,
    /// Wait until the group has as many in service as it wants.
    AwaitInService,
    /// Point DNS to the successor and wait until every server has it.
    PointDns,
}

/// How a step that may have been done already is done without doing it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repeat {
    /// The call takes a client token: the same token gives the same thing.
    Token,
    /// What it made carries the step's tag: look for it first.
    Search,
    /// Look how things stand, and go on from there.
    Converge,
    /// Once more does no harm.
    Harmless,
}

impl fmt::Display for StepKind {
    /// Writes it in words: `await healthy`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(self).map_err(|_| fmt::Error)?;
        f.write_str(&name.as_str().unwrap_or_default().replace('_', " "))
    }
}

impl StepKind {
    /// Gives all its properties.
    pub const fn spec(self) -> StepSpec {
        StepSpec::of_step(self)
    }

    /// Gives how it is repeated after a crash.
    pub const fn repeat(self) -> Repeat {
        self.spec().repeat
    }

    /// Gives the step that takes it back; none where there is nothing to take back or nothing can.
    pub const fn undo(self) -> Option<Self> {
        self.spec().undo
    }

    /// Says whether it changes nothing in AWS: what is not known of such a call can be asked again at once.
    pub const fn only_reads(self) -> bool {
        matches!(self.spec().access, Access::Reads)
    }

    /// Says whether the recovery goes on when it fails for good: telling people and collecting diagnostics hold nothing up.
    pub const fn is_optional(self) -> bool {
        matches!(self.spec().on_failure, OnFailure::GoOn)
    }

    /// Says whether the instance does not serve from then on.
    pub const fn takes_down(self) -> bool {
        matches!(self.spec().downtime, Downtime::Begins)
    }

    /// Says whether it waits for snapshots, which take as long as they take.
    pub const fn waits_for_snapshots(self) -> bool {
        matches!(self.spec().time_limit, TimeLimit::Snapshots)
    }
}
