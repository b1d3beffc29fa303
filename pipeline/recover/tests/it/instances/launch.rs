//! Launch, in the region.

use super::{IMAGE, MINUTE, decoded_note, done, fails, launch, prepared, request, waits};
use forewarn_domain::action::RecoveryAction::{Replace, ReplaceStateful};
use forewarn_domain::step::StepKind::{self, Launch};
use forewarn_recover::aws::AwsRecovery;
use forewarn_recover::ports::{StepDriver, StepRequest};
use forewarn_testkit::moto::REGION;
use forewarn_testkit::world::World;
use serde_json::{Value, json};

const HIDDEN: [&str; 4] = ["--hide-ms", "60000:60000", "--lag-ms", "60000:60000"];

fn described(world: &World, id: &str) -> Value {
    let found = world.python(&format!(
        "print(json.dumps(aws('ec2').describe_instances(InstanceIds=['{id}'])['Reservations'][0]['Instances'][0], default=str))"
    ));
    serde_json::from_str(&found).unwrap()
}

fn tag<'a>(found: &'a Value, key: &str) -> Option<&'a str> {
    found["Tags"].as_array()?.iter().find(|t| t["Key"] == key)?["Value"].as_str()
}

/// A launch whose arguments are settled.
fn settled(world: &World, subject: &str) -> StepRequest {
    prepared(&AwsRecovery::new(&world.aws(), REGION, None).unwrap(), request(Launch, Replace, subject))
}

#[test]
fn the_same_token_gives_one_instance_and_a_lost_reply_is_found() {
    let Some(world) = World::start(&["ec2"], &HIDDEN) else { return };
    let aws = AwsRecovery::new(&world.aws(), REGION, None).unwrap();
    let tags = "'TagSpecifications': [{'ResourceType': 'instance', 'Tags': [{'Key': 'AutoRecovery', 'Value': 'enabled'}, \
                {'Key': 'Name', 'Value': 'web'}, {'Key': 'forewarn:kept-for', 'Value': 'older'}]}], 'UserData': 'echo hello', \
                'DisableApiTermination': True, 'MetadataOptions': {'HttpTokens': 'required', 'HttpPutResponseHopLimit': 2}";
    let old = launch(&world, tags);
    world.advance(2 * MINUTE);
    let launch = settled(&world, &old);
    assert!(!launch.before.contains("hello") && !launch.before.contains("ZWNobyBoZWxsbw"), "{}", launch.before);
    assert_eq!(aws.find(&launch), Ok(None));
    let id = done(aws.perform(&launch));
    // It can't be seen yet: the token alone keeps it one.
    assert_eq!(aws.find(&launch), Ok(None));
    assert_eq!(done(aws.perform(&launch)), id);
    world.advance(2 * MINUTE);
    assert_eq!(aws.find(&launch), Ok(Some(id.clone())));
    assert_eq!(done(aws.perform(&launch)), id);
    assert_eq!(world.count("RunInstances"), 3, "the old one's, ours, and ours again while it was hidden");
    let found = described(&world, &id);
    for (key, value) in [
        ("AutoRecovery", "enabled"),
        ("Name", "web"),
        ("SelfHealed", "true"),
        ("ReplacedInstance", &old),
        ("Timestamp", "2026-02-01T00:00:00Z"),
        ("forewarn:recovery", "rec-1"),
        ("forewarn:plan", "RECOVERY-1"),
        ("forewarn:step", &launch.token),
    ] {
        assert_eq!(tag(&found, key), Some(value), "{key}");
    }
    assert_eq!(tag(&found, "forewarn:kept-for"), None);
    assert_eq!(found["InstanceType"], "t3.micro");
    let ran = world.calls().into_iter().filter(|c| c["action"] == "RunInstances").nth(1).unwrap()["args"].to_string();
    for part in ["ZWNobyBoZWxsbw==", "required", "DisableApiTermination", "\"volume\"", "BlockDeviceMapping"] {
        assert!(ran.contains(part), "{part}: {ran}");
    }
}

#[test]
fn another_attempt_launches_anew() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, old) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    let first = settled(&world, &old);
    let mut second = first.clone();
    second.token = "f".repeat(32);
    second.before = aws.prepare(&second).unwrap();
    assert_ne!(done(aws.perform(&first)), done(aws.perform(&second)));
}

#[test]
fn where_there_is_no_room_for_a_type_the_next_is_taken_and_found_again() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, old) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    let mut launch = request(Launch, Replace, &old);
    launch.policy.targets.replacement.fallback_types = ["t3.micro", "t3.small", "t3.medium"].map(str::to_owned).into();
    let launch = prepared(&aws, launch);
    for kind in ["t3.micro", "t3.small"] {
        world.script(&json!({"kind": "capacity", "call": "RunInstances", "type": kind, "times": null}));
    }
    let id = done(aws.perform(&launch));
    assert_eq!(described(&world, &id)["InstanceType"], "t3.medium");
    assert_eq!(aws.find(&launch), Ok(Some(id.clone())));
    // Room for the first has come meanwhile: it is one instance all the same.
    world.script(&json!({"kind": "clear"}));
    assert_eq!(done(aws.perform(&launch)), id);

    let mut other = launch;
    other.token = "e".repeat(32);
    world.script(&json!({"kind": "capacity", "call": "RunInstances", "times": null}));
    fails(aws.perform(&other), "t3.medium");
    assert_eq!(aws.find(&other), Ok(None));
}

#[test]
fn user_data_that_changed_is_not_launched_with() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, old) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, "'UserData': 'one'"));
    let launch = settled(&world, &old);
    world.python(&format!(
        "c = aws('ec2'); c.stop_instances(InstanceIds=['{old}']); \
         c.modify_instance_attribute(InstanceId='{old}', Attribute='userData', Value='dHdv')"
    ));
    fails(aws.perform(&launch), "is not what it was");
}

#[test]
fn data_comes_from_every_snapshot_or_nothing_is_launched() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let aws = AwsRecovery::new(&world.aws(), REGION, None).unwrap();
    let devices = "'BlockDeviceMappings': [{'DeviceName': '/dev/sda1', 'Ebs': {'VolumeSize': 8}}, {'DeviceName': '/dev/sdf', \
                   'Ebs': {'VolumeSize': 9, 'VolumeType': 'gp3', 'DeleteOnTermination': False}}]";
    let old = launch(&world, devices);
    let snapshots: Value = serde_json::from_str(&world.python(&format!(
        "c = aws('ec2')\n\
         i = c.describe_instances(InstanceIds=['{old}'])['Reservations'][0]['Instances'][0]\n\
         print(json.dumps([{{'volume': m['Ebs']['VolumeId'], 'device': m['DeviceName'], \
         'snapshot': c.create_snapshot(VolumeId=m['Ebs']['VolumeId'])['SnapshotId']}} for m in i['BlockDeviceMappings']]))"
    )))
    .unwrap();
    let all = snapshots.as_array().unwrap();
    assert_eq!(all.len(), 2, "{snapshots}");
    let with = |of: &Value| decoded_note(request(Launch, ReplaceStateful, &old), StepKind::Snapshot, &of.to_string());
    for part in all {
        assert!(aws.prepare(&with(&json!([part]))).unwrap_err().contains("no snapshot of vol-"));
    }
    assert!(aws.prepare(&request(Launch, ReplaceStateful, &old)).unwrap_err().contains("no snapshots"));

    let launch = prepared(&aws, with(&snapshots));
    // The image of the root comes first.
    waits(&aws.perform(&launch));
    let id = done(aws.perform(&launch));
    assert_eq!(done(aws.perform(&launch)), id);
    assert_eq!(world.count("RegisterImage"), 1);
    let data = all.iter().find(|s| s["device"] == "/dev/sdf").unwrap()["snapshot"].as_str().unwrap().to_owned();
    let root = all.iter().find(|s| s["device"] != "/dev/sdf").unwrap()["snapshot"].as_str().unwrap().to_owned();
    let args = |action: &str| world.calls().iter().rev().find(|c| c["action"] == action).unwrap()["args"].to_string();
    let ran = args("RunInstances");
    assert!(ran.contains(&data) && !ran.contains(&root) && ran.contains("\"Iops\":3000"), "{ran}");
    assert!(args("RegisterImage").contains(&root));
    let image = described(&world, &id)["ImageId"].as_str().unwrap().to_owned();
    assert_ne!(image, IMAGE);
}

#[test]
fn a_template_is_used_in_the_version_that_was_its_default() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, old) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    world.python(&format!(
        "aws('ec2').create_launch_template(LaunchTemplateName='web', LaunchTemplateData={{'ImageId': '{IMAGE}', \
         'InstanceType': 't3.large'}})"
    ));
    let mut launch = request(Launch, Replace, &old);
    launch.policy.targets.replacement.launch_template = Some("web".to_owned());
    let launch = prepared(&aws, launch);
    let id = done(aws.perform(&launch));
    assert_eq!(described(&world, &id)["InstanceType"], "t3.large");
    let mut unknown = request(Launch, Replace, &old);
    unknown.policy.targets.replacement.launch_template = Some("absent".to_owned());
    assert!(aws.prepare(&unknown).unwrap_err().contains("LaunchTemplate"));
}
