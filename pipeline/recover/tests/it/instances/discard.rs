//! Discard and keep.

use super::{MINUTE, NOW, done, fails, launch, prepared, request, waits};
use forewarn_domain::action::RecoveryAction::Replace;
use forewarn_domain::step::StepKind::{Discard, KeepOld, Launch};
use forewarn_recover::aws::AwsRecovery;
use forewarn_recover::ports::StepDriver;
use forewarn_testkit::moto::REGION;
use forewarn_testkit::world::World;

#[test]
fn only_what_this_plan_launched_and_nobody_uses_is_ended() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, old) =
        (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, "'DisableApiTermination': True"));
    let start = prepared(&aws, request(Launch, Replace, &old));
    let successor = done(aws.perform(&start));
    let discard = |of: Option<&str>| {
        let mut discard = request(Discard, Replace, &old);
        discard.successor = of.map(str::to_owned);
        prepared(&aws, discard)
    };
    let stranger = launch(&world, "");
    fails(aws.perform(&discard(Some(&stranger))), "no tag of this plan");
    fails(aws.perform(&discard(Some(&old))), "no tag of this plan");
    let allocation = world.python(&format!(
        "c = aws('ec2'); a = c.allocate_address(Domain='vpc')['AllocationId']\n\
         print(c.associate_address(AllocationId=a, InstanceId='{successor}')['AssociationId'])"
    ));
    fails(aws.perform(&discard(Some(&successor))), "Elastic IP");
    world.python(&format!("aws('ec2').disassociate_address(AssociationId='{allocation}')"));
    // The reply of the launch was lost, so nobody knows its id; and it took the old one's protection over.
    let lost = discard(None);
    assert_eq!(aws.find(&lost), Ok(None));
    waits(&aws.perform(&lost));
    waits(&aws.perform(&lost));
    assert_eq!(done(aws.perform(&lost)), successor);
    assert_eq!(aws.find(&lost), Ok(Some(successor)));
}

#[test]
fn where_nothing_was_launched_it_is_waited_for_what_may_be_hidden() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, old) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    let mut discard = prepared(&aws, request(Discard, Replace, &old));
    waits(&aws.perform(&discard));
    discard.now_ms = NOW.saturating_add(MINUTE);
    done(aws.perform(&discard));
    assert_eq!(world.count("TerminateInstances"), 0);
}

#[test]
fn the_old_one_is_kept_and_marked() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, old) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    let mut keep = request(KeepOld, Replace, &old);
    keep.successor = Some("i-0123456789abcdef0".to_owned());
    let keep = prepared(&aws, keep);
    assert_eq!(aws.find(&keep), Ok(None));
    done(aws.perform(&keep));
    assert!(aws.find(&keep).unwrap().is_some());
    let tags = world.python(&format!(
        "print(sorted((t['Key'], t['Value']) for t in aws('ec2').describe_tags(Filters=[{{'Name': 'resource-id', \
         'Values': ['{old}']}}])['Tags']))"
    ));
    assert_eq!(
        tags,
        "[('forewarn:kept-for', 'rec-1'), ('forewarn:replaced-by', 'i-0123456789abcdef0'), ('forewarn:terminate-after', \
         '2026-02-02T00:00:00Z')]"
    );
    assert_eq!(world.count("TerminateInstances"), 0);
}
