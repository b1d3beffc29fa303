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
mod region;
mod regions;
mod root;
mod snapshots;
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
    fn prepare(&self, _aws: &AwsRecovery, _request: &StepRequest) -> Result<String, String> {
        Ok(String::new())
    }

    /// As [`StepDriver::perform`].
    fn perform(&self, aws: &AwsRecovery, request: &StepRequest) -> StepOutcome;

    /// As [`StepDriver::find`].
    fn find(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<Option<String>, String>;
}

/// Says which part a step belongs to; telling people is the executor's own.
fn part(kind: S) -> Option<&'static dyn Part> {
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
        let account = call::account(aws, &config).map_err(AwsRecoveryError::Account)?;
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

    fn look(&self, instance: &str, now_ms: i64) -> Seen {
        facts::look(self, instance, now_ms)
    }

    fn still_holds(&self, trigger: &Trigger) -> Read<bool> {
        holds::still_holds(self, trigger)
    }

    fn capacity_check(&self, action: RecoveryAction, instance: &str, policy: &Policy) -> Read<Option<String>> {
        capacity_check::capacity_check(self, action, instance, policy)
    }

    fn is_well(&self, instance: &str, policy: &Policy) -> Read<bool> {
        well::is_well(self, instance, policy)
    }
}

impl DryRunner for AwsRecovery {
    fn dry_run(&self, plan: &Plan, instance: &str) -> Vec<DryRunResult> {
        dry::dry_run(self, plan, instance)
    }

    fn snapshot_age(&self, instance: &str, now_ms: i64) -> Read<Option<i64>> {
        snapshots::age(self, instance, now_ms)
    }
}

impl StepDriver for AwsRecovery {
    fn prepare(&self, request: &StepRequest) -> Result<String, String> {
        part(request.kind).map_or_else(|| Ok(String::new()), |p| p.prepare(self, request))
    }

    fn perform(&self, request: &StepRequest) -> StepOutcome {
        part(request.kind).map_or_else(|| StepOutcome::Done(String::new()), |p| p.perform(self, request))
    }

    fn find(&self, request: &StepRequest) -> Result<Option<String>, String> {
        part(request.kind).map_or_else(|| Ok(None), |p| p.find(self, request))
    }
}
