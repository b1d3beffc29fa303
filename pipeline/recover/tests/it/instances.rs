//! What is done to instances in AWS, over the wire against the test world: looks, stop and start, launch, address, health, DNS.

mod address;
mod discard;
mod ending;
mod facts;
mod launch;
mod launch_elsewhere;
mod power;
mod region;
mod seen;
mod well;

use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_recover::aws::AwsRecovery;
use forewarn_recover::ports::{StepDriver, StepOutcome, StepRequest};
use forewarn_recovery::policy::Policy;
use forewarn_recovery::state::Note;
use forewarn_testkit::world::World;
use std::collections::BTreeMap;

/// 2026-02-01T00:00:00Z.
const NOW: UnixMs = UnixMs(1_769_904_000_000);
const MINUTE: i64 = 60_000;
/// An image that moto has.
const IMAGE: &str = "ami-12c6146b";

/// What a step is about, before anything of it is settled.
fn request(kind: StepKind, action: RecoveryAction, subject: &str) -> StepRequest {
    StepRequest {
        kind,
        action,
        recovery_id: "rec-1".to_owned(),
        plan_id: "RECOVERY-1".to_owned(),
        subject: subject.to_owned(),
        successor: None,
        serves: subject.to_owned(),
        token: "0123456789abcdef0123456789abcdef".to_owned(),
        before: String::new(),
        notes: BTreeMap::new(),
        deadline_ms: None,
        policy: Policy::default(),
        now_ms: NOW,
    }
}

/// Settles a step.
fn prepared(aws: &AwsRecovery, mut request: StepRequest) -> StepRequest {
    request.before = aws.prepare(&request).unwrap();
    request
}

/// Notes what came of an earlier step.
fn decoded_note(mut request: StepRequest, kind: StepKind, result: &str) -> StepRequest {
    request.notes.insert(kind, Note { before: String::new(), result: Some(result.to_owned()) });
    request
}

fn done(reply: StepOutcome) -> String {
    let StepOutcome::Done(result) = reply else { panic!("{reply:?}") };
    result
}

#[track_caller]
fn waits(reply: &StepOutcome) {
    assert!(matches!(reply, StepOutcome::Waiting(_)), "{reply:?}");
}

#[track_caller]
fn fails(reply: StepOutcome, why: &str) {
    let StepOutcome::Failed(words) = reply else { panic!("{reply:?}") };
    assert!(words.contains(why), "{words}");
}

/// Launches an instance in the world, with more arguments of boto3, and gives its id.
fn launch(world: &World, more: &str) -> String {
    world.python(&format!(
        "print(aws('ec2').run_instances(**({{'ImageId': '{IMAGE}', 'InstanceType': 't3.micro', 'MinCount': 1, 'MaxCount': 1}} \
         | {{{more}}}))['Instances'][0]['InstanceId'])"
    ))
}
