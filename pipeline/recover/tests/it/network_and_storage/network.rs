//! Out of traffic and off the network, and back into the very same groups.

use super::Scene;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind as S;
use forewarn_recover::ports::StepOutcome;
use serde_json::{Value, json};

/// Registers the instance in one of two target groups, gives it two security groups, makes the isolation group, and prints its id.
const NETWORK: &str = r#"
elb = aws("elbv2")
vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
for name in ("web", "idle"):
    arn = elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
    if name == "web": elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": who, "Port": 8080}])
make = lambda name: ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
front, back, shut = make("front"), make("back"), make("shut")
eni = ec2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [who]}])["NetworkInterfaces"][0]
ec2.modify_network_interface_attribute(NetworkInterfaceId=eni["NetworkInterfaceId"], Groups=[front, back])
print(json.dumps([front, back, shut]))
"#;
const GROUPS: &str =
    "eni = ec2.describe_network_interfaces(Filters=[{'Name': 'attachment.instance-id', 'Values': [who]}])
eni = eni['NetworkInterfaces'][0]
print(json.dumps([sorted(g['GroupId'] for g in eni['Groups']), len(eni.get('TagSet', []))]))";
const TAGS: &str = "one = ec2.describe_instances(InstanceIds=[who])['Reservations'][0]['Instances'][0]
print(json.dumps({t['Key']: t['Value'] for t in one.get('Tags', [])}))";
const TARGETS: &str = "elb = aws('elbv2')
print(sum(len(elb.describe_target_health(TargetGroupArn=g['TargetGroupArn'])['TargetHealthDescriptions'])
    for g in elb.describe_target_groups()['TargetGroups']))";

fn scene(action: RecoveryAction) -> Option<(Scene, Vec<String>)> {
    let mut scene = Scene::start(&["ec2", "elbv2"], &[], action)?;
    let groups: Vec<String> = serde_json::from_str(&scene.python(NETWORK)).unwrap();
    scene.request.policy.targets.isolation_group = Some(groups[2].clone());
    Some((scene, groups))
}

fn printed(scene: &Scene, script: &str) -> Value {
    serde_json::from_str(&scene.python(script)).unwrap()
}

#[test]
fn an_instance_leaves_its_target_groups_and_comes_back_into_the_same() {
    let Some((mut scene, _)) = scene(RecoveryAction::SafeRestart) else { return };
    let left: Value = serde_json::from_str(&scene.done(S::Deregister)).unwrap();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["port"]), (1, &json!(8080)));
    assert_eq!((scene.python(TARGETS), scene.world.count("DeregisterTargets")), ("0".to_owned(), 1));
    assert!(scene.find().is_some());
    // It is asked again after its effect: the list stays what it was.
    scene.begin(S::Deregister).unwrap();
    assert_eq!(scene.perform(), StepOutcome::Done(left.to_string()));
    assert_eq!(scene.world.count("DeregisterTargets"), 1);
    scene.begin(S::Register).unwrap();
    assert_eq!(scene.find(), None);
    scene.done(S::Register);
    assert!(scene.find().is_some());
    assert_eq!((scene.python(TARGETS), scene.world.count("RegisterTargets")), ("1".to_owned(), 2));
}

#[test]
fn a_successor_takes_the_place_of_the_subject_and_who_serves_nobody_leaves_nothing() {
    let Some((mut scene, _)) = scene(RecoveryAction::Replace) else { return };
    scene.done(S::Deregister);
    let new = scene.python(
        "print(ec2.run_instances(ImageId='ami-12c6146b', MinCount=1, MaxCount=1)['Instances'][0]['InstanceId'])",
    );
    scene.request.successor = Some(new.clone());
    // On the way back it is the old one that serves.
    scene.done(S::Register);
    assert_eq!(scene.python(TARGETS), "1");
    scene.request.notes.remove(&S::Register);
    scene.request.serves = new.clone();
    scene.done(S::Register);
    let calls = scene.world.calls();
    let call = calls.iter().rfind(|c| c["action"] == "RegisterTargets").unwrap();
    assert!(call["args"].to_string().contains(&new), "{call}");
    scene.request.notes.clear();
    scene.request.subject = new;
    scene.request.successor = None;
    scene.done(S::Deregister);
    assert_eq!(scene.done(S::Deregister).matches("arn").count(), 2, "the key and the name");
    scene.request.notes.clear();
    assert_eq!(scene.done(S::Deregister), "[]");
}

#[test]
fn a_quarantine_is_taken_back_by_what_the_tags_tell() {
    let Some((mut scene, groups)) = scene(RecoveryAction::Quarantine) else { return };
    let (front, back, shut) = (&groups[0], &groups[1], &groups[2]);
    let mut both = [front.clone(), back.clone()];
    both.sort_unstable();
    scene.done(S::Deregister);
    scene.done(S::Isolate);
    assert!(scene.find().is_some());
    assert_eq!(printed(&scene, GROUPS), json!([[shut], 1]));
    // Another plan, which knows nothing of the first: the list must not become the isolation group's.
    let notes = std::mem::take(&mut scene.request.notes);
    scene.done(S::Isolate);
    assert_eq!(scene.world.count("ModifyNetworkInterfaceAttribute"), 2, "one by hand, one of ours");
    scene.request.notes.clear();
    assert_eq!(printed(&scene, TAGS)["forewarn:quarantined"], "recovery-7");

    scene.request.action = RecoveryAction::Release;
    scene.done(S::RestoreGroups);
    assert!(scene.find().is_some());
    assert_eq!(printed(&scene, GROUPS), json!([both, 0]));
    scene.done(S::Register);
    assert_eq!((scene.python(TARGETS), printed(&scene, TAGS)), ("1".to_owned(), json!({})));

    // By the log, where there is one.
    scene.request.notes = notes;
    scene.request.notes.remove(&S::Register);
    scene.done(S::Isolate);
    scene.done(S::RestoreGroups);
    assert_eq!(printed(&scene, GROUPS), json!([both, 0]));
}

#[test]
fn without_an_isolation_group_nothing_is_shut_off() {
    let Some((mut scene, _)) = scene(RecoveryAction::Quarantine) else { return };
    scene.request.policy.targets.isolation_group = None;
    assert!(scene.begin(S::Isolate).unwrap_err().contains("isolation group"));
    scene.done(S::RestoreGroups);
    assert_eq!(scene.world.count("ModifyNetworkInterfaceAttribute"), 1, "the one by hand");
}
