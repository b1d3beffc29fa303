//! Dry runs: calls that EC2 answers as if they were made, and does not make.

use super::AwsRecovery;
use super::call::{CallError, ask};
use super::ec2_reads::require_instance_view;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::InstanceSpecification;
use forewarn_domain::step::StepKind;
use forewarn_recovery::facts::Read;
use forewarn_recovery::plan::Plan;
use forewarn_recovery::preview::DryRunResult;

/// The code of a call that would have gone well.
const FINE: &str = "DryRunOperation";
/// Codes that tell what is in the way; others tell nothing.
const REFUSED: [&str; 12] = [
    "UnauthorizedOperation",
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientReservedInstanceCapacity",
    "InsufficientFreeAddressesInSubnet",
    "InstanceLimitExceeded",
    "VcpuLimitExceeded",
    "MaxSpotInstanceCountExceeded",
    "Unsupported",
    "UnsupportedOperation",
    "OperationNotPermitted",
    "IncorrectInstanceState",
];

/// Reads what came of a dry run: why the call would be refused, if it would.
pub(super) fn said<T>(call: &str, answer: Result<T, CallError>) -> Result<Option<String>, String> {
    match answer {
        Ok(_) => Err(format!("{call}: a dry run that AWS did not answer as one")),
        Err(error) if error.code == FINE => Ok(None),
        Err(error) if REFUSED.contains(&error.code.as_str()) => Ok(Some(error.words)),
        Err(error) => Err(error.words),
    }
}

/// Makes the stop, the start and the snapshot of a plan as dry runs; a launch is one of what is missing for it.
pub(super) async fn dry_run(aws: &AwsRecovery, plan: &Plan, id: &str) -> Vec<DryRunResult> {
    let mut results = Vec::new();
    for step in &plan.steps {
        results.extend(Box::pin(try_step(aws, step.kind, id)).await);
    }
    results
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other steps have no dry run, or need what is made before them")]
async fn try_step(aws: &AwsRecovery, kind: StepKind, id: &str) -> Option<DryRunResult> {
    match kind {
        StepKind::Stop => {
            let call = aws.ec2.stop_instances().instance_ids(id).dry_run(true);
            Some(result_of("ec2:StopInstances", call.send()).await)
        }
        StepKind::Start => {
            let call = aws.ec2.start_instances().instance_ids(id).dry_run(true);
            Some(result_of("ec2:StartInstances", call.send()).await)
        }
        StepKind::Snapshot => snapshot(aws, id).await,
        _ => None,
    }
}

/// A snapshot of one volume is another call, with its own permission, than one of several.
async fn snapshot(aws: &AwsRecovery, id: &str) -> Option<DryRunResult> {
    let disks = match require_instance_view(aws, id).await {
        Ok(view) => view.disks,
        Err(why) => return Some(DryRunResult { call: "ec2:CreateSnapshots".to_owned(), refused: Read::Failed(why) }),
    };
    match disks.as_slice() {
        [] => None,
        [only] => {
            let call = aws.ec2.create_snapshot().volume_id(&only.volume).dry_run(true);
            Some(result_of("ec2:CreateSnapshot", call.send()).await)
        }
        _ => {
            let of = InstanceSpecification::builder().instance_id(id).build();
            let call = aws.ec2.create_snapshots().instance_specification(of).dry_run(true);
            Some(result_of("ec2:CreateSnapshots", Box::pin(call.send())).await)
        }
    }
}

async fn result_of<T, E>(call: &str, sent: impl Future<Output = Result<T, SdkError<E>>>) -> DryRunResult
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let name = format!("{call} (dry run)");
    let refused = said(&name, ask(&name, sent).await).map_or_else(Read::Failed, Read::Known);
    DryRunResult { call: call.to_owned(), refused }
}
