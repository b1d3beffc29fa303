//! The ports in AWS: what each step reads and calls.
//!
//! Steps on one kind of thing stand together in one file; `step_of` has all of them.

mod address;
mod call;
mod capacity_check;
mod commands;
mod compute;
mod dry;
mod ec2_reads;
mod ending;
mod facts;
mod group;
mod holds;
mod isolation;
mod launch;
mod record;
mod region;
mod regions;
mod root;
mod snapshots;
mod step;
mod tags;
mod traffic;
mod volumes;
mod well;

pub use regions::AwsRegions;

use super::ports::{DryRunner, FactReader, Seen, StepDriver, StepOutcome, StepRequest};
use aws_config::SdkConfig;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_recovery::facts::Read;
use forewarn_recovery::plan::Plan;
use forewarn_recovery::policy::Policy;
use forewarn_recovery::preview::DryRunResult;
use forewarn_recovery::trigger::Trigger;
use forewarn_runtime::aws::{Aws, AwsError, Role};
use step::{AnyStep, Step};

/// One account in one region, with a client for each service that actions call.
#[derive(Debug)]
pub struct AwsRecovery {
    runtime: Aws,
    config: SdkConfig,
    account: String,
    region: String,
    ec2: aws_sdk_ec2::Client,
    ssm: aws_sdk_ssm::Client,
    autoscaling: aws_sdk_autoscaling::Client,
    elb: aws_sdk_elasticloadbalancingv2::Client,
}

/// Explains why an account can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AwsRecoveryError {
    /// AWS can't be reached at all.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// It does not say who we are.
    #[error("cannot tell the account: {0}")]
    Account(String),
}

/// Gives the step of a kind; telling people is the executor's own.
fn step_of(kind: StepKind) -> Option<&'static dyn AnyStep> {
    Some(match kind {
        StepKind::Notify => return None,
        commands::Diagnose::KIND => &commands::Diagnose,
        commands::RestartUnits::KIND => &commands::RestartUnits,
        commands::DrainApplication::KIND => &commands::DrainApplication,
        group::SuspendProcesses::KIND => &group::SuspendProcesses,
        group::ResumeProcesses::KIND => &group::ResumeProcesses,
        group::EnterStandby::KIND => &group::EnterStandby,
        group::ExitStandby::KIND => &group::ExitStandby,
        traffic::Deregister::KIND => &traffic::Deregister,
        traffic::Register::KIND => &traffic::Register,
        compute::Stop::KIND => &compute::Stop,
        compute::Start::KIND => &compute::Start,
        snapshots::TakeSnapshots::KIND => &snapshots::TakeSnapshots,
        snapshots::AwaitSnapshots::KIND => &snapshots::AwaitSnapshots,
        snapshots::FindSnapshots::KIND => &snapshots::FindSnapshots,
        launch::Launch::KIND => &launch::Launch,
        launch::Discard::KIND => &launch::Discard,
        well::AwaitHealthy::KIND => &well::AwaitHealthy,
        address::MoveAddress::KIND => &address::MoveAddress,
        launch::KeepOld::KIND => &launch::KeepOld,
        ending::Terminate::KIND => &ending::Terminate,
        volumes::CreateVolume::KIND => &volumes::CreateVolume,
        volumes::DeleteVolume::KIND => &volumes::DeleteVolume,
        volumes::Detach::KIND => &volumes::Detach,
        volumes::AttachOld::KIND => &volumes::AttachOld,
        volumes::AttachNew::KIND => &volumes::AttachNew,
        volumes::DetachNew::KIND => &volumes::DetachNew,
        volumes::EnableIo::KIND => &volumes::EnableIo,
        root::ReplaceRoot::KIND => &root::ReplaceRoot,
        isolation::Isolate::KIND => &isolation::Isolate,
        isolation::RestoreGroups::KIND => &isolation::RestoreGroups,
        group::CompleteLifecycle::KIND => &group::CompleteLifecycle,
        group::SetUnhealthy::KIND => &group::SetUnhealthy,
        group::AwaitInService::KIND => &group::AwaitInService,
        region::PointDns::KIND => &region::PointDns,
    })
}

impl AwsRecovery {
    /// Takes an account, the own one or a role's, in a region, and asks who we are there.
    ///
    /// # Errors
    /// When AWS does not say who we are.
    pub fn new(aws: &Aws, region: &str, role: Option<&Role>) -> Result<Self, AwsRecoveryError> {
        let config = aws.config(region, role);
        let account = aws.block_on(call::account(&config)).map_err(AwsRecoveryError::Account)?;
        let config = call::without_retries(&config);
        Ok(Self {
            ec2: aws_sdk_ec2::Client::new(&config),
            ssm: aws_sdk_ssm::Client::new(&config),
            autoscaling: aws_sdk_autoscaling::Client::new(&config),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(&config),
            runtime: aws.clone(),
            account,
            region: region.to_owned(),
            config,
        })
    }
}

impl FactReader for AwsRecovery {
    fn home(&self) -> (&str, &str) {
        (&self.account, &self.region)
    }

    fn look(&self, instance: &str, _now: UnixMs) -> Seen {
        self.runtime.block_on(facts::look(self, instance))
    }

    fn still_holds(&self, trigger: &Trigger) -> Read<bool> {
        self.runtime.block_on(holds::still_holds(self, trigger))
    }

    fn capacity_check(&self, action: RecoveryAction, instance: &str, policy: &Policy) -> Read<Option<String>> {
        self.runtime.block_on(capacity_check::capacity_check(self, action, instance, policy))
    }

    fn is_well(&self, instance: &str, policy: &Policy) -> Read<bool> {
        self.runtime.block_on(well::is_well(self, instance, policy))
    }
}

impl DryRunner for AwsRecovery {
    fn dry_run(&self, plan: &Plan, instance: &str) -> Vec<DryRunResult> {
        self.runtime.block_on(dry::dry_run(self, plan, instance))
    }

    fn snapshot_age(&self, instance: &str, now: UnixMs) -> Read<Option<i64>> {
        self.runtime.block_on(snapshots::age(self, instance, now))
    }
}

impl StepDriver for AwsRecovery {
    fn prepare(&self, request: &StepRequest) -> Result<String, String> {
        step_of(request.kind)
            .map_or_else(|| Ok(String::new()), |step| self.runtime.block_on(step.prepare(self, request)))
    }

    fn perform(&self, request: &StepRequest) -> StepOutcome {
        step_of(request.kind)
            .map_or_else(|| StepOutcome::Done(String::new()), |step| self.runtime.block_on(step.perform(self, request)))
    }

    fn find(&self, request: &StepRequest) -> Result<Option<String>, String> {
        step_of(request.kind).map_or_else(|| Ok(None), |step| self.runtime.block_on(step.find(self, request)))
    }
}
