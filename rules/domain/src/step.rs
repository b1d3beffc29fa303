//! What a plan is made of: one call or one wait each, with its way back.

use serde::{Deserialize, Serialize};

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

impl StepKind {
    /// Gives how it is repeated after a crash (AWS.md, idempotency of calls).
    pub const fn repeat(self) -> Repeat {
        match self {
            Self::Launch | Self::CreateVolume | Self::ReplaceRoot => Repeat::Token,
            Self::Snapshot | Self::RestartUnits | Self::DrainApplication | Self::Diagnose => Repeat::Search,
            Self::EnterStandby
            | Self::ExitStandby
            | Self::Deregister
            | Self::Register
            | Self::Stop
            | Self::Start
            | Self::Detach
            | Self::AttachOld
            | Self::AttachNew
            | Self::DetachNew
            | Self::MoveAddress
            | Self::Isolate
            | Self::RestoreGroups
            | Self::CompleteLifecycle
            | Self::PointDns
            | Self::EnableIo
            | Self::SuspendProcesses
            | Self::ResumeProcesses
            | Self::Terminate => Repeat::Converge,
            Self::Notify
            | Self::AwaitSnapshot
            | Self::FindSnapshots
            | Self::AwaitHealthy
            | Self::AwaitInService
            | Self::KeepOld
            | Self::Discard
            | Self::DeleteVolume
            | Self::SetUnhealthy => Repeat::Harmless,
        }
    }

    /// Gives the step that takes it back; none where there is nothing to take back or nothing can.
    pub const fn undo(self) -> Option<Self> {
        match self {
            Self::SuspendProcesses => Some(Self::ResumeProcesses),
            Self::EnterStandby => Some(Self::ExitStandby),
            Self::Deregister => Some(Self::Register),
            Self::Stop => Some(Self::Start),
            Self::Start => Some(Self::Stop),
            Self::Launch => Some(Self::Discard),
            Self::CreateVolume => Some(Self::DeleteVolume),
            Self::Detach => Some(Self::AttachOld),
            Self::AttachNew => Some(Self::DetachNew),
            Self::Isolate => Some(Self::RestoreGroups),
            Self::Notify
            | Self::Diagnose
            | Self::RestartUnits
            | Self::DrainApplication
            | Self::ResumeProcesses
            | Self::ExitStandby
            | Self::Register
            | Self::Snapshot
            | Self::AwaitSnapshot
            | Self::FindSnapshots
            | Self::Discard
            | Self::AwaitHealthy
            | Self::MoveAddress
            | Self::KeepOld
            | Self::Terminate
            | Self::DeleteVolume
            | Self::AttachOld
            | Self::DetachNew
            | Self::EnableIo
            | Self::ReplaceRoot
            | Self::RestoreGroups
            | Self::CompleteLifecycle
            | Self::SetUnhealthy
            | Self::AwaitInService
            | Self::PointDns => None,
        }
    }

    /// Says whether it changes nothing in AWS: what is not known of such a call can be asked again at once.
    pub const fn only_reads(self) -> bool {
        matches!(
            self,
            Self::Notify | Self::AwaitSnapshot | Self::FindSnapshots | Self::AwaitHealthy | Self::AwaitInService
        )
    }

    /// Says whether the recovery goes on when it fails for good: telling people and collecting diagnostics hold nothing up.
    pub const fn is_optional(self) -> bool {
        matches!(self, Self::Notify | Self::Diagnose | Self::DrainApplication)
    }
}
