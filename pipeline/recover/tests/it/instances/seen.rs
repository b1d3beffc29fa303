//! Where an instance stands, and whether a trigger still holds.

use super::{MINUTE, NOW, launch};
use forewarn_domain::time::UnixMs;
use forewarn_recover::aws::AwsRecovery;
use forewarn_recover::ports::FactReader;
use forewarn_recovery::admission::Health;
use forewarn_recovery::facts::Read;
use forewarn_recovery::trigger::{Cause, Check, Trigger};
use forewarn_testkit::moto::REGION;
use forewarn_testkit::world::World;
use serde_json::json;

#[test]
fn what_is_impaired_counts_in_its_zone_and_in_all() {
    let Some(world) = World::start(&["ec2", "autoscaling", "elbv2"], &[]) else { return };
    let aws = AwsRecovery::new(&world.aws(), REGION, None).unwrap();
    let [a, b, c] =
        ["a", "a", "b"].map(|z| launch(&world, &format!("'Placement': {{'AvailabilityZone': 'us-east-1{z}'}}")));
    world.script(&json!([
        {"kind": "status", "instance": a, "checks": {"system": "impaired"}},
        {"kind": "status", "instance": b, "checks": {"instance": "initializing"}},
        {"kind": "status", "instance": c, "checks": {"attached_ebs": "impaired"}},
    ]));
    let seen = aws.look(&a, NOW);
    let Read::Known(place) = seen.place else { panic!("{:?}", seen.place) };
    assert_eq!(place.zone, "us-east-1a");
    assert_eq!(place.group, None);
    assert_eq!(place.in_zone, Health { members: 2, impaired: 1 });
    assert_eq!(place.fleet, Health { members: 3, impaired: 2 });
    // The world's time is the real one.
    let Read::Known(Some(until)) = seen.aws_recovers_until else { panic!("{:?}", seen.aws_recovers_until) };
    let ahead = until.since(UnixMs(forewarn_runtime::time::system_now_ms()));
    assert!((8 * MINUTE..=10 * MINUTE).contains(&ahead), "{ahead}");
    assert_eq!(aws.look(&c, NOW).aws_recovers_until, Read::Known(None));
    let absent = aws.look("i-0123456789abcdef0", NOW).instance;
    let words = "EC2 knows no instance i-0123456789abcdef0 in account 123456789012 and us-east-1";
    assert_eq!(absent, Read::Absent(words.to_owned()));
}

#[test]
fn a_member_of_a_group_is_one_however_it_is_known() {
    let Some(world) = World::start(&["ec2", "autoscaling", "elbv2"], &[]) else { return };
    let id = world.python(&format!(
        "a = aws('autoscaling'); a.create_launch_configuration(LaunchConfigurationName='l', ImageId='{}', InstanceType='t3.micro')\n\
         a.create_auto_scaling_group(AutoScalingGroupName='web', LaunchConfigurationName='l', MinSize=1, MaxSize=3, \
         DesiredCapacity=2, AvailabilityZones=['us-east-1a'])\n\
         a.suspend_processes(AutoScalingGroupName='web', ScalingProcesses=['Launch'])\n\
         i = a.describe_auto_scaling_groups()['AutoScalingGroups'][0]['Instances']\n\
         print(i[0]['InstanceId'])",
        super::IMAGE
    ));
    let aws = AwsRecovery::new(&world.aws(), REGION, None).unwrap();
    let look = || {
        let seen = aws.look(&id, NOW);
        let (Read::Known(facts), Read::Known(place)) = (seen.instance.clone(), seen.place.clone()) else {
            panic!("{seen:?}")
        };
        (facts.group.unwrap(), place.group)
    };
    let (group, health) = look();
    assert_eq!((group.name.as_str(), group.at_minimum), ("web", false));
    assert_eq!(group.suspended, ["Launch"]);
    assert_eq!(health, Some(Health { members: 2, impaired: 0 }));
    world.python("aws('autoscaling').update_auto_scaling_group(AutoScalingGroupName='web', MinSize=2)");
    assert!(look().0.at_minimum);
}

#[test]
fn a_check_that_is_well_again_does_not_hold() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, id) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    let holds = |cause: Cause| {
        let trigger =
            Trigger { id: "t".to_owned(), instance_id: id.clone(), cause, at_ms: NOW, evidence: String::new() };
        aws.still_holds(&trigger)
    };
    let failed = |check| Cause::CheckFailed { check };
    world.script(
        &json!({"kind": "status", "instance": id, "checks": {"system": "impaired", "instance": "initializing"}}),
    );
    assert_eq!(holds(failed(Check::System)), Read::Known(true));
    assert_eq!(holds(failed(Check::Instance)), Read::Known(false));
    assert_eq!(holds(failed(Check::AttachedEbs)), Read::Known(false));
    assert_eq!(holds(Cause::Scheduled), Read::Known(false));
    assert_eq!(holds(Cause::ApplicationDown), Read::Known(true));
    world.python(&format!("aws('ec2').stop_instances(InstanceIds=['{id}'])"));
    assert_eq!(holds(failed(Check::System)), Read::Known(false));
}
