//! The ports in AWS: what each step reads and calls.
//!
//! Reads and calls of one kind of thing stand together in one `Part`; which step belongs to which is said in `part`.

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
mod tags;
mod traffic;
mod volumes;
mod well;

pub use regions::AwsRegions;

use super::ports::{DryRunner, FactReader, Seen, StepDriver, StepOutcome, StepRequest};
use aws_config::SdkConfig;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind as S;
use forewarn_recovery::facts::Read;
use forewarn_recovery::plan::Plan;
use forewarn_recovery::policy::Policy;
use forewarn_recovery::preview::DryRunResult;
use forewarn_recovery::trigger::Trigger;
use forewarn_runtime::aws::{Aws, AwsError, Role};
use std::pin::Pin;

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

/// The steps of one kind of thing.
trait Part {
    /// As [`StepDriver::prepare`]; by default nothing has to be settled.
    async fn prepare(&self, _aws: &AwsRecovery, _request: &StepRequest) -> Result<String, String> {
        Ok(String::new())
    }

    /// As [`StepDriver::perform`].
    async fn perform(&self, aws: &AwsRecovery, request: &StepRequest) -> StepOutcome;

    /// As [`StepDriver::find`].
    async fn find(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<Option<String>, String>;
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A part whose futures are on the heap: they are large, and of as many types as there are parts.
trait BoxedPart {
    fn prepare<'a>(&'a self, aws: &'a AwsRecovery, request: &'a StepRequest) -> Boxed<'a, Result<String, String>>;

    fn perform<'a>(&'a self, aws: &'a AwsRecovery, request: &'a StepRequest) -> Boxed<'a, StepOutcome>;

    fn find<'a>(&'a self, aws: &'a AwsRecovery, request: &'a StepRequest) -> Boxed<'a, Result<Option<String>, String>>;
}

impl<P: Part> BoxedPart for P {
    fn prepare<'a>(&'a self, aws: &'a AwsRecovery, request: &'a StepRequest) -> Boxed<'a, Result<String, String>> {
        Box::pin(Part::prepare(self, aws, request))
    }

    fn perform<'a>(&'a self, aws: &'a AwsRecovery, request: &'a StepRequest) -> Boxed<'a, StepOutcome> {
        Box::pin(Part::perform(self, aws, request))
    }

    fn find<'a>(&'a self, aws: &'a AwsRecovery, request: &'a StepRequest) -> Boxed<'a, Result<Option<String>, String>> {
        Box::pin(Part::find(self, aws, request))
    }
}

/// Says which part a step belongs to; telling people is the executor's own.
fn part(kind: S) -> Option<&'static dyn BoxedPart> {
    Some(match kind {
        S::Notify => return None,
        S::Diagnose | S::RestartUnits | S::DrainApplication => &commands::Commands,
        S::SuspendProcesses
        | S::ResumeProcesses
        | S::EnterStandby
        | S::ExitStandby
        | S::SetUnhealthy
        | S::AwaitInService
        | S::CompleteLifecycle => &group::Groups,
        S::Deregister | S::Register => &traffic::Traffic,
        S::Stop | S::Start => &compute::Compute,
        S::Snapshot | S::AwaitSnapshot | S::FindSnapshots => &snapshots::Snapshots,
        S::Launch | S::Discard | S::KeepOld => &launch::Launches,
        S::Terminate => &ending::Ending,
        S::AwaitHealthy => &well::Wellness,
        S::MoveAddress => &address::Addresses,
        S::CreateVolume | S::DeleteVolume | S::Detach | S::AttachOld | S::AttachNew | S::DetachNew | S::EnableIo => {
            &volumes::Volumes
        }
        S::ReplaceRoot => &root::Root,
        S::Isolate | S::RestoreGroups => &isolation::Isolation,
        S::PointDns => &region::Dns,
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

    fn look(&self, instance: &str, _now_ms: i64) -> Seen {
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

    fn snapshot_age(&self, instance: &str, now_ms: i64) -> Read<Option<i64>> {
        self.runtime.block_on(snapshots::age(self, instance, now_ms))
    }
}

impl StepDriver for AwsRecovery {
    fn prepare(&self, request: &StepRequest) -> Result<String, String> {
        part(request.kind).map_or_else(|| Ok(String::new()), |p| self.runtime.block_on(p.prepare(self, request)))
    }

    fn perform(&self, request: &StepRequest) -> StepOutcome {
        part(request.kind)
            .map_or_else(|| StepOutcome::Done(String::new()), |p| self.runtime.block_on(p.perform(self, request)))
    }

    fn find(&self, request: &StepRequest) -> Result<Option<String>, String> {
        part(request.kind).map_or_else(|| Ok(None), |p| self.runtime.block_on(p.find(self, request)))
    }
}
