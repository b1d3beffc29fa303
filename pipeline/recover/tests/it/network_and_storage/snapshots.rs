//! Snapshots are taken once, found again, and refused where one of them has failed.

use super::Scene;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind as S;
use forewarn_recover::ports::{StepDriver, StepOutcome};
use serde_json::{Value, json};

const SLOW: &[&str] = &["--lag-ms", "60000:60000"];
const TAGS: &str = "found = ec2.describe_snapshots(OwnerIds=['self'])['Snapshots']
found = [s for s in found if any(t['Key'] == 'forewarn:plan' for t in s.get('Tags', []))]
print(json.dumps([{t['Key']: t['Value'] for t in s['Tags']} | {'volume': s['VolumeId']} for s in found]))";

fn volumes(result: &str) -> Vec<String> {
    let set: Vec<Value> = serde_json::from_str(result).unwrap();
    assert!(set.iter().all(|s| s["snapshot"].as_str().unwrap().starts_with("snap-")), "{result}");
    set.iter().map(|s| s["volume"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_set_is_taken_once_though_it_is_asked_for_twice_and_its_reply_is_lost() {
    let Some(mut scene) = Scene::start(&["ec2"], SLOW, RecoveryAction::SafeRestart) else { return };
    scene.begin(S::Snapshot).unwrap();
    assert!(scene.aws.find(&scene.request).is_err(), "what was just made may not show");
    scene.pass(11_000);
    assert_eq!(scene.find(), None, "nothing is made yet");
    let StepOutcome::Done(first) = scene.perform() else { panic!("{:?}", scene.perform()) };
    assert_eq!(volumes(&first).len(), 3);
    assert_eq!(scene.perform(), StepOutcome::Done(first.clone()));
    assert_eq!(scene.find(), Some(first));
    assert_eq!((scene.world.count("CreateSnapshots"), scene.world.count("CreateSnapshot")), (1, 0));

    let tags: Vec<Value> = serde_json::from_str(&scene.python(TAGS)).unwrap();
    assert_eq!(tags.len(), 3);
    for tag in &tags {
        assert_eq!(tag["forewarn:step"], json!(scene.request.token));
        assert_eq!(tag["forewarn:recovery"], "recovery-7");
        assert_eq!(tag["forewarn:instance"], json!(scene.request.subject));
        assert!(tag["forewarn:device"].as_str().unwrap().starts_with("/dev/"), "{tag}");
    }
    scene.done(S::Snapshot);
    scene.begin(S::AwaitSnapshot).unwrap();
    assert_eq!(scene.perform(), StepOutcome::Waiting(15_000));
    scene.done(S::AwaitSnapshot);
}

#[test]
fn only_what_is_missing_is_taken_again() {
    let Some(mut scene) = Scene::start(&["ec2"], &[], RecoveryAction::SafeRestart) else { return };
    scene.begin(S::Snapshot).unwrap();
    let lost = format!(
        "tags = [{{'ResourceType': 'snapshot', 'Tags': [{{'Key': 'forewarn:step', 'Value': '{}'}}]}}]\n\
         print(ec2.create_snapshot(VolumeId=data[0], TagSpecifications=tags)['SnapshotId'])",
        scene.request.token
    );
    let there = scene.python(&lost);
    let StepOutcome::Done(result) = scene.perform() else { panic!("{:?}", scene.perform()) };
    assert!(result.contains(&there), "what was there belongs to the set");
    assert_eq!((volumes(&result).len(), scene.world.count("CreateSnapshots")), (3, 0));
    assert_eq!(scene.world.count("CreateSnapshot"), 3, "one by hand, two that were missing");
}

#[test]
fn what_is_hidden_at_first_is_waited_for() {
    let Some(mut scene) = Scene::start(&["ec2"], &["--hide-ms", "20000:20000"], RecoveryAction::SafeRestart) else {
        return;
    };
    scene.done(S::Snapshot);
    scene.begin(S::AwaitSnapshot).unwrap();
    assert_eq!(scene.perform(), StepOutcome::Waiting(15_000));
    scene.done(S::AwaitSnapshot);
}

#[test]
fn a_set_of_which_one_has_failed_is_none() {
    let Some(mut scene) = Scene::start(&["ec2"], SLOW, RecoveryAction::ReplaceStateful) else { return };
    scene.world.script(&json!({"kind": "snapshot_error", "volume": scene.volume(1)}));
    scene.done(S::Snapshot);
    let why = scene.fails(S::AwaitSnapshot);
    assert!(why.contains(&scene.volume(1)) && why.contains("not whole"), "{why}");
}

#[test]
fn an_action_takes_what_it_needs() {
    let Some(mut scene) = Scene::start(&["ec2"], &[], RecoveryAction::DrainSpot) else { return };
    scene.request.policy.targets.data_volume = Some("data".to_owned());
    assert_eq!(volumes(&scene.done(S::Snapshot)), [scene.volume(0)]);
    let tags: Vec<Value> = serde_json::from_str(&scene.python(TAGS)).unwrap();
    assert_eq!((&tags[0]["Name"], &tags[0]["forewarn:device"]), (&json!("data"), &json!("/dev/sdf")));

    scene.request.notes.clear();
    scene.request.policy.targets.data_volume = Some("nobody's".to_owned());
    assert_eq!(volumes(&scene.done(S::Snapshot)).len(), 3, "where no name fits, all");

    scene.request.notes.clear();
    scene.request.action = RecoveryAction::ReplaceRootVolume;
    assert_eq!(volumes(&scene.done(S::Snapshot)), [scene.made["root"].as_str().unwrap()]);

    scene.request.notes.clear();
    scene.request.action = RecoveryAction::RepairVolume;
    assert!(scene.begin(S::Snapshot).unwrap_err().contains("no data volume"), "two, and neither is impaired");
    scene.world.script(&json!({"kind": "volume_status", "volume": scene.volume(1), "io_enabled": true}));
    assert_eq!(volumes(&scene.done(S::Snapshot)), [scene.volume(1)]);
}
