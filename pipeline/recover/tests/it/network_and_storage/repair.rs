//! A volume is replaced by one made of its snapshot, and the old one goes back where that fails.

use super::Scene;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind as S;
use forewarn_recover::ports::StepOutcome;
use serde_json::{Value, json};

const SLOW: &[&str] = &["--lag-ms", "7000:7000", "--hide-ms", "2000:2000"];
const MAPPINGS: &str = "one = ec2.describe_instances(InstanceIds=[who])['Reservations'][0]['Instances'][0]
print(json.dumps({m['DeviceName']: [m['Ebs']['VolumeId'], m['Ebs']['DeleteOnTermination']] for m in one['BlockDeviceMappings']}))";

/// A repair that has come to the point where the broken volume, the first, is to be taken off.
fn repair() -> Option<Scene> {
    let scene = Scene::start(&["ec2"], &[], RecoveryAction::RepairVolume)?;
    scene.world.script(&json!({"kind": "volume_status", "volume": scene.volume(0), "io_enabled": true}));
    scene.python(
        "change = [{'DeviceName': '/dev/sdf', 'Ebs': {'DeleteOnTermination': True}}]\n\
         ec2.modify_instance_attribute(InstanceId=who, BlockDeviceMappings=change)",
    );
    Some(scene)
}

/// Makes the new volume: the instance is stopped, and the snapshot complete.
fn new_volume(scene: &mut Scene) -> String {
    scene.python("ec2.stop_instances(InstanceIds=[who])");
    scene.done(S::Snapshot);
    scene.done(S::AwaitSnapshot);
    scene.done(S::CreateVolume)
}

fn mapping(scene: &Scene, device: &str) -> Value {
    serde_json::from_str::<Value>(&scene.python(MAPPINGS)).unwrap()[device].clone()
}

#[test]
fn a_broken_volume_is_replaced_by_its_likeness_and_kept() {
    let Some(mut scene) = repair() else { return };
    let new = new_volume(&mut scene);
    assert_eq!(scene.find(), Some(new.clone()));
    assert_eq!(scene.perform(), StepOutcome::Done(new.clone()));
    assert_eq!(scene.world.count("CreateVolume"), 3, "two of the launch, one of ours");
    scene.done(S::Detach);
    assert_eq!(scene.find(), Some(scene.volume(0)));
    scene.done(S::AttachNew);
    assert_eq!(scene.find(), Some(new.clone()));
    assert_eq!(mapping(&scene, "/dev/sdf"), json!([new, true]));
    let told = scene.python(
        "old, new = ec2.describe_volumes(VolumeIds=[data[0]])['Volumes'][0], ec2.describe_volumes(Filters=[{'Name': \
         'tag:forewarn:replaces', 'Values': [data[0]]}])['Volumes'][0]\n\
         tags = lambda v: {t['Key']: t['Value'] for t in v['Tags']}\n\
         print(json.dumps([old['State'], tags(old)['forewarn:replaced-by'], tags(new)['Name'], new['VolumeType'], new['Iops']]))",
    );
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap(), json!(["available", new, "data", "gp3", 3000]));
}

#[test]
fn nothing_is_taken_from_a_running_instance() {
    let Some(mut scene) = repair() else { return };
    let why = scene.fails(S::Detach);
    assert!(why.contains("stop the owner first"), "{why}");
    assert_eq!(scene.world.count("DetachVolume"), 0);
}

#[test]
fn where_the_new_volume_cannot_be_attached_the_old_one_goes_back_and_the_new_one_goes() {
    let Some(mut scene) = repair() else { return };
    let new = new_volume(&mut scene);
    scene.done(S::Detach);
    scene.world.script(&json!({"kind": "attach_error", "volume": new}));
    assert!(scene.fails(S::AttachNew).contains("cannot be attached"));
    scene.done(S::AttachOld);
    assert_eq!(mapping(&scene, "/dev/sdf"), json!([scene.volume(0), true]));
    scene.done(S::DeleteVolume);
    scene.done(S::DeleteVolume);
    assert_eq!(scene.python("print(len(ec2.describe_volumes()['Volumes']))"), "3");
}

#[test]
fn a_new_volume_that_never_comes_gives_its_device_up_to_the_old_one() {
    let Some(mut scene) = repair() else { return };
    let new = new_volume(&mut scene);
    scene.done(S::Detach);
    scene.world.script(&json!({"kind": "attach_stuck", "volume": new}));
    scene.begin(S::AttachNew).unwrap();
    assert_eq!((scene.perform(), scene.perform()), (StepOutcome::Waiting(3_000), StepOutcome::Waiting(3_000)));
    assert_eq!(scene.find(), None);
    let calls = |scene: &Scene| scene.world.count("AttachVolume");
    assert_eq!(calls(&scene), 3, "two of the launch, one of ours");
    scene.done(S::AttachOld);
    assert_eq!(mapping(&scene, "/dev/sdf"), json!([scene.volume(0), true]));
    scene.done(S::DeleteVolume);
}

#[test]
fn a_volume_that_is_not_ours_or_is_in_use_is_kept() {
    let Some(mut scene) = repair() else { return };
    let others = scene.volume(1);
    scene.begin(S::CreateVolume).unwrap_err();
    let note = forewarn_recovery::state::Note { before: String::new(), result: Some(others.clone()) };
    scene.request.notes.insert(S::CreateVolume, note);
    assert!(scene.fails(S::DeleteVolume).contains("was not made by"));
    let ours = format!(
        "ec2.create_tags(Resources=['{others}'], Tags=[{{'Key': 'forewarn:plan', 'Value': 'recovery-7-1'}}, \
         {{'Key': 'forewarn:recovery', 'Value': 'recovery-7'}}])"
    );
    scene.python(&ours);
    assert!(scene.fails(S::DeleteVolume).contains("is attached to"));
    assert_eq!(scene.world.count("DeleteVolume"), 0);
}

#[test]
fn everything_comes_true_where_calls_take_time_and_new_things_are_hidden() {
    let Some(mut scene) = Scene::start(&["ec2"], SLOW, RecoveryAction::RepairVolume) else { return };
    scene.world.script(&json!({"kind": "volume_status", "volume": scene.volume(0), "io_enabled": true}));
    scene.python("ec2.stop_instances(InstanceIds=[who])");
    scene.pass(60_000);
    for kind in [S::Snapshot, S::AwaitSnapshot, S::CreateVolume, S::Detach, S::AttachNew] {
        scene.done(kind);
    }
    let new = scene.request.notes[&S::CreateVolume].result.clone().unwrap();
    assert_eq!(mapping(&scene, "/dev/sdf")[0], json!(new));
    for (action, times) in [("CreateVolume", 3), ("CreateSnapshot", 1), ("AttachVolume", 3), ("DetachVolume", 1)] {
        assert_eq!(scene.world.count(action), times, "{action}, those of the launch counted");
    }
    scene.done(S::DetachNew);
    scene.done(S::AttachOld);
    scene.done(S::DeleteVolume);
    assert_eq!(mapping(&scene, "/dev/sdf")[0], json!(scene.volume(0)));
}

#[test]
fn volumes_that_aws_shut_off_write_again() {
    let Some(mut scene) = Scene::start(&["ec2"], &[], RecoveryAction::RepairVolume) else { return };
    let shut = |n| json!({"kind": "volume_status", "volume": scene.volume(n), "io_enabled": false});
    scene.world.script(&json!([shut(0), shut(1)]));
    scene.done(S::EnableIo);
    assert_eq!(scene.world.count("EnableVolumeIO"), 2);
    assert_eq!(scene.perform(), StepOutcome::Done(serde_json::to_string(&scene.made["data"]).unwrap()));
    assert_eq!(scene.world.count("EnableVolumeIO"), 2);
}

#[test]
fn the_root_is_replaced_in_place_and_a_failure_is_told() {
    let Some(mut scene) = Scene::start(&["ec2"], &[], RecoveryAction::ReplaceRootVolume) else { return };
    scene.done(S::Snapshot);
    scene.done(S::AwaitSnapshot);
    scene.world.script(&json!({"kind": "replace_root", "outcome": "failed"}));
    assert!(scene.fails(S::ReplaceRoot).contains("the old one is in place"));
    assert_eq!(scene.find(), None);

    let task = scene.done(S::ReplaceRoot);
    assert!(task.starts_with("replacevol-"), "{task}");
    assert_eq!(scene.find(), Some(task.clone()));
    assert_eq!(scene.perform(), StepOutcome::Done(task));
    assert_eq!(scene.world.count("CreateReplaceRootVolumeTask"), 2, "one that failed, one that did not");
    assert_eq!(scene.python("print(ec2.describe_volumes(VolumeIds=[root])['Volumes'][0]['State'])"), "available");

    scene.world.script(&json!({"kind": "replace_root", "outcome": "failed-detached"}));
    assert!(scene.fails(S::ReplaceRoot).contains("a person must attach"));
}
