//! Dry runs: calls that EC2 answers as if they were made, and does not make.

use super::AwsRecovery;
use super::call::CallError;
use super::ec2_reads;
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
        Err(trouble) if trouble.code == FINE => Ok(None),
        Err(trouble) if REFUSED.contains(&trouble.code.as_str()) => Ok(Some(trouble.words)),
        Err(trouble) => Err(trouble.words),
    }
}

/// Makes the stop, the start and the snapshot of a plan as dry runs; a launch is one of what is missing for it.
pub(super) fn dry_run(aws: &AwsRecovery, plan: &Plan, id: &str) -> Vec<DryRunResult> {
    plan.steps.iter().filter_map(|step| try_step(aws, step.kind, id)).collect()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other steps have no dry run, or need what is made before them")]
fn try_step(aws: &AwsRecovery, kind: StepKind, id: &str) -> Option<DryRunResult> {
    match kind {
        StepKind::Stop => {
            let call = aws.ec2.stop_instances().instance_ids(id).dry_run(true);
            Some(trial("ec2:StopInstances", |name| ec2_reads::ask(aws, name, call.send())))
        }
        StepKind::Start => {
            let call = aws.ec2.start_instances().instance_ids(id).dry_run(true);
            Some(trial("ec2:StartInstances", |name| ec2_reads::ask(aws, name, call.send())))
        }
        StepKind::Snapshot => snapshot(aws, id),
        _ => None,
    }
}

/// A snapshot of one volume is another call, with its own permission, than one of several.
fn snapshot(aws: &AwsRecovery, id: &str) -> Option<DryRunResult> {
    let disks = match ec2_reads::must_see(aws, id) {
        Ok(machine) => machine.disks,
        Err(why) => return Some(DryRunResult { call: "ec2:CreateSnapshots".to_owned(), refused: Read::Failed(why) }),
    };
    match disks.as_slice() {
        [] => None,
        [only] => {
            let call = aws.ec2.create_snapshot().volume_id(&only.volume).dry_run(true);
            Some(trial("ec2:CreateSnapshot", |name| ec2_reads::ask(aws, name, call.send())))
        }
        _ => {
            let of = InstanceSpecification::builder().instance_id(id).build();
            let call = aws.ec2.create_snapshots().instance_specification(of).dry_run(true);
            Some(trial("ec2:CreateSnapshots", |name| ec2_reads::ask(aws, name, call.send())))
        }
    }
}

fn trial<T>(call: &str, ask: impl FnOnce(&str) -> Result<T, CallError>) -> DryRunResult {
    let name = format!("{call} (dry run)");
    let refused = said(&name, ask(&name)).map_or_else(Read::Failed, Read::Known);
    DryRunResult { call: call.to_owned(), refused }
}
