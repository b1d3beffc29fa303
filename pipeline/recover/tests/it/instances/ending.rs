//! Terminate: only what is stopped and marked as replaced, and once.

use super::{done, launch, prepared, request, waits};
use forewarn_domain::action::RecoveryAction::TerminateReplaced;
use forewarn_domain::step::StepKind::Terminate;
use forewarn_domain::time::UnixMs;
use forewarn_recover::aws::AwsRecovery;
use forewarn_recover::ports::{FactReader, StepDriver, StepOutcome};
use forewarn_recovery::facts::{Read, RetainedInstance};
use forewarn_testkit::moto::REGION;
use forewarn_testkit::world::World;

#[test]
fn what_was_replaced_is_seen_as_such_and_ended_once() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, old, new) =
        (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""), launch(&world, ""));
    let kept = |id: &str| match aws.look(id, UnixMs(0)).instance {
        Read::Known(facts) => facts.kept,
        Read::Failed(why) | Read::Absent(why) => panic!("{why}"),
    };
    assert_eq!(kept(&old), None);
    let end = prepared(&aws, request(Terminate, TerminateReplaced, &old));
    let refused = |reply: StepOutcome| {
        assert!(matches!(&reply, StepOutcome::Failed(why) if why.contains("not ended")), "{reply:?}");
    };
    refused(aws.perform(&end));

    let tag = |value: &str| {
        world.python(&format!(
            "c = aws('ec2')\n\
             c.create_tags(Resources=['{old}'], Tags=[{{'Key': 'forewarn:replaced-by', 'Value': '{new}'}}, \
             {{'Key': 'forewarn:terminate-after', 'Value': '{value}'}}])"
        ))
    };
    tag("tomorrow");
    assert!(
        matches!(aws.look(&old, UnixMs(0)).instance, Read::Failed(why) if why.contains("forewarn:terminate-after") && why.contains(&old))
    );
    tag("1970-01-01T00:00:01Z");
    assert_eq!(kept(&old), Some(RetainedInstance { until_ms: UnixMs(1000), successor_runs: true }));
    // It runs: whoever started it needs it.
    refused(aws.perform(&end));
    world.python(&format!("aws('ec2').stop_instances(InstanceIds=['{old}'])"));
    waits(&aws.perform(&end));
    assert_eq!(done(aws.perform(&end)), "terminated");
    assert_eq!(aws.find(&end), Ok(Some("terminated".to_owned())));
    let ends = world.calls().iter().filter(|c| c["action"] == "TerminateInstances").count();
    assert_eq!(ends, 1);
    assert_eq!(kept(&new), None);
}
