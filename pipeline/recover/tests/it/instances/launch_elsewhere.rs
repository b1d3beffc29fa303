//! Launch, in another zone and in another region; and what is missing there.

use super::{decoded_note, done, launch, prepared, request, waits};
use forewarn_domain::action::RecoveryAction::{FailOverRegion, FailOverZone, Replace, RestartApplication, SafeRestart};
use forewarn_domain::step::StepKind::{Launch, Snapshot};
use forewarn_recover::aws::AwsRecovery;
use forewarn_recover::ports::{FactReader, StepDriver, StepRequest};
use forewarn_recovery::facts::Read;
use forewarn_recovery::policy::Policy;
use forewarn_recovery::targets::OtherRegion;
use forewarn_testkit::moto::REGION;
use forewarn_testkit::world::World;

pub(super) fn elsewhere(world: &World, policy: &mut Policy) -> String {
    let subnet = world.python("print(aws('ec2', 'eu-west-1').describe_subnets()['Subnets'][0]['SubnetId'])");
    let image = world.python("print(aws('ec2', 'eu-west-1').describe_images()['Images'][0]['ImageId'])");
    policy.targets.other_region = Some(OtherRegion {
        region: "eu-west-1".to_owned(),
        image_id: image.clone(),
        subnet_id: subnet,
        hosted_zone_id: "Z1".to_owned(),
        record_name: "app.example.com".to_owned(),
        ttl_s: 60,
        copy_age_ms: i64::MAX,
    });
    image
}

fn snapshots(world: &World, old: &str) -> String {
    world.python(&format!(
        "c = aws('ec2')\n\
         i = c.describe_instances(InstanceIds=['{old}'])['Reservations'][0]['Instances'][0]\n\
         print(json.dumps([{{'volume': m['Ebs']['VolumeId'], 'device': m['DeviceName'], \
         'snapshot': c.create_snapshot(VolumeId=m['Ebs']['VolumeId'])['SnapshotId']}} for m in i['BlockDeviceMappings']]))"
    ))
}

fn zone(world: &World, region: &str, id: &str) -> String {
    world.python(&format!(
        "print(aws('ec2', '{region}').describe_instances(InstanceIds=['{id}'])['Reservations'][0]['Instances'][0]['Placement']\
         ['AvailabilityZone'])"
    ))
}

#[test]
fn a_failover_leaves_the_zone() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, old) = (
        AwsRecovery::new(&world.aws(), REGION, None).unwrap(),
        launch(&world, "'Placement': {'AvailabilityZone': 'us-east-1a'}"),
    );
    let made = snapshots(&world, &old);
    let plan = |request: StepRequest| decoded_note(request, Snapshot, &made);
    let launch = prepared(&aws, plan(request(Launch, FailOverZone, &old)));
    waits(&aws.perform(&launch));
    let id = done(aws.perform(&launch));
    assert_ne!(zone(&world, "us-east-1", &id), "us-east-1a");
    assert_eq!(aws.find(&launch), Ok(Some(id)));

    let mut same = plan(request(Launch, FailOverZone, &old));
    let subnet = "print([s['SubnetId'] for s in aws('ec2').describe_subnets()['Subnets'] if s['AvailabilityZone'] == 'us-east-1a'][0])";
    same.policy.targets.replacement.subnet_id = Some(world.python(subnet));
    assert!(aws.prepare(&same).unwrap_err().contains("the zone that is to be left"));
}

#[test]
fn a_failover_to_another_region_launches_there_and_is_found_there() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, old) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    let mut launch = request(Launch, FailOverRegion, &old);
    assert!(aws.prepare(&launch).unwrap_err().contains("no other region"));
    elsewhere(&world, &mut launch.policy);
    let launch = prepared(&aws, launch);
    let id = done(aws.perform(&launch));
    assert!(zone(&world, "eu-west-1", &id).starts_with("eu-west-1"));
    assert_eq!(aws.find(&launch), Ok(Some(id)));
    assert_eq!(world.calls().last().unwrap()["region"], "eu-west-1");
}

#[test]
fn what_is_missing_is_told_in_words() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, old) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    let policy = Policy::default();
    for action in [RestartApplication, SafeRestart, Replace, FailOverZone] {
        assert_eq!(aws.capacity_check(action, &old, &policy), Read::Known(None), "{action:?}");
    }
    let missing = |action, policy: &Policy| match aws.capacity_check(action, &old, policy) {
        Read::Known(Some(words)) => words,
        Read::Known(None) => panic!("nothing is missing"),
        Read::Failed(why) | Read::Absent(why) => panic!("{why}"),
    };
    assert!(missing(FailOverRegion, &policy).contains("no other region"));
    let mut elsewhere_policy = Policy::default();
    elsewhere(&world, &mut elsewhere_policy);
    assert_eq!(aws.capacity_check(FailOverRegion, &old, &elsewhere_policy), Read::Known(None));
    elsewhere_policy.targets.other_region.as_mut().unwrap().copy_age_ms = 1;
    assert!(missing(FailOverRegion, &elsewhere_policy).contains("h old"));
    elsewhere_policy.targets.other_region.as_mut().unwrap().image_id = "ami-00000000".to_owned();
    assert!(missing(FailOverRegion, &elsewhere_policy).contains("ami-00000000"));
    let mut rare = Policy::default();
    rare.targets.replacement.instance_type = Some("x9.nothing".to_owned());
    rare.targets.replacement.subnet_id =
        Some(world.python("print(aws('ec2').describe_subnets()['Subnets'][0]['SubnetId'])"));
    assert!(missing(Replace, &rare).contains("x9.nothing is not offered in us-east-1"));
    assert!(matches!(aws.capacity_check(SafeRestart, "i-0123456789abcdef0", &policy), Read::Failed(_)));
}
