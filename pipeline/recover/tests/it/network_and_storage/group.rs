//! Members of Auto Scaling groups step aside and come back, or are replaced.

use super::Scene;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind as S;
use forewarn_recover::ports::StepOutcome;
use serde_json::json;

/// Makes a group of two with hooks at its end, and prints the first member.
const GROUP: &str = r#"
groups = aws("autoscaling")
groups.create_launch_configuration(LaunchConfigurationName="c", ImageId="ami-12c6146b", InstanceType="t3.micro")
groups.create_auto_scaling_group(AutoScalingGroupName="web", LaunchConfigurationName="c", AvailabilityZones=["us-east-1a"],
    MinSize=1, MaxSize=3, DesiredCapacity=2)
for hook in ("save", "tell"):
    groups.put_lifecycle_hook(LifecycleHookName=hook, AutoScalingGroupName="web", HeartbeatTimeout=60,
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING")
print(groups.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"][0]["InstanceId"])
"#;
const SUSPENDED: &str = "print(sorted(p['ProcessName'] for p in
    aws('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups'][0]['SuspendedProcesses']))";
const STATE: &str = "found = aws('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups'][0]
print(found['DesiredCapacity'], *[i['LifecycleState'] for i in found['Instances']])";

fn scene(action: RecoveryAction) -> Option<Scene> {
    let mut scene = Scene::start(&["ec2", "autoscaling"], &[], action)?;
    scene.request.subject = scene.python(GROUP);
    Some(scene)
}

#[test]
fn a_member_steps_aside_and_comes_back() {
    let Some(mut scene) = scene(RecoveryAction::SafeRestart) else { return };
    assert_eq!(scene.done(S::EnterStandby), "web");
    assert_eq!(scene.find().as_deref(), Some("web"));
    assert_eq!(scene.perform(), StepOutcome::Done("web".to_owned()));
    assert_eq!(scene.world.count("EnterStandby"), 1);
    assert_eq!(scene.python(STATE), "1 Standby InService");
    scene.done(S::ExitStandby);
    assert_eq!(scene.perform(), StepOutcome::Done("web".to_owned()));
    assert_eq!(scene.world.count("ExitStandby"), 1);
    assert_eq!(scene.python(STATE), "2 InService InService");
}

#[test]
fn what_the_group_cannot_spare_stays_and_what_is_in_no_group_cannot_step_aside() {
    let Some(mut scene) = scene(RecoveryAction::SafeRestart) else { return };
    scene.python("aws('autoscaling').update_auto_scaling_group(AutoScalingGroupName='web', MinSize=2)");
    assert!(scene.fails(S::EnterStandby).contains("min-size=2"));
    scene.request.notes.clear();
    scene.request.subject = scene.made["who"].as_str().unwrap().to_owned();
    assert!(scene.begin(S::EnterStandby).unwrap_err().contains("no Auto Scaling group"));
    scene.done(S::ExitStandby);
    scene.done(S::CompleteLifecycle);
    assert_eq!(scene.world.count("ExitStandby"), 0);
}

#[test]
fn what_a_person_suspended_stays_suspended() {
    let Some(mut scene) = scene(RecoveryAction::SafeRestart) else { return };
    let suspend = "aws('autoscaling').suspend_processes(AutoScalingGroupName='web', ScalingProcesses=";
    scene.python(&format!("{suspend}['HealthCheck', 'AZRebalance'])"));
    scene.done(S::SuspendProcesses);
    assert!(scene.find().is_some());
    assert_eq!(scene.python(SUSPENDED), "['AZRebalance', 'HealthCheck', 'ReplaceUnhealthy']");
    // A later look must not take our own suspension for a person's.
    scene.done(S::SuspendProcesses);
    scene.done(S::ResumeProcesses);
    assert_eq!(scene.python(SUSPENDED), "['AZRebalance', 'HealthCheck']");
}

#[test]
fn a_release_resumes_what_the_quarantine_suspended() {
    let Some(mut scene) = scene(RecoveryAction::Quarantine) else { return };
    scene.done(S::SuspendProcesses);
    scene.request.notes.clear();
    scene.request.action = RecoveryAction::Release;
    scene.done(S::ExitStandby);
    assert_eq!(scene.python(SUSPENDED), "[]");
}

#[test]
fn a_member_that_is_given_up_is_waited_for_until_others_serve() {
    let Some(mut scene) = scene(RecoveryAction::ReplaceInGroup) else { return };
    // The group of the world would replace it at once.
    let slow =
        "aws('autoscaling').suspend_processes(AutoScalingGroupName='web', ScalingProcesses=['ReplaceUnhealthy'])";
    scene.python(slow);
    scene.begin(S::SetUnhealthy).unwrap();
    assert_eq!(scene.find(), None);
    scene.done(S::SetUnhealthy);
    assert!(scene.find().is_some());
    scene.begin(S::AwaitInService).unwrap();
    assert_eq!(scene.perform(), StepOutcome::Waiting(15_000));
    let end =
        "aws('autoscaling').terminate_instance_in_auto_scaling_group(ShouldDecrementDesiredCapacity=False, InstanceId=";
    scene.python(&format!("{end}'{}')", scene.request.subject));
    assert_eq!(scene.perform(), StepOutcome::Done("2 of 2 in service".to_owned()), "the group has brought another");
}

#[test]
fn a_drained_instance_may_go_and_one_that_nothing_holds_is_left() {
    let Some(mut scene) = scene(RecoveryAction::DrainSpot) else { return };
    assert_eq!(scene.done(S::CompleteLifecycle), "nothing waits");
    scene.request.notes.clear();
    let who = scene.request.subject.clone();
    scene.world.script(&json!({"kind": "lifecycle", "group": "web", "hook": "tell", "instance": who}));
    scene.begin(S::CompleteLifecycle).unwrap();
    assert_eq!(scene.find(), None);
    assert_eq!(scene.done(S::CompleteLifecycle), "tell");
    assert!(scene.find().is_some());
    let calls = scene.world.count("CompleteLifecycleAction");
    assert!(matches!(scene.perform(), StepOutcome::Done(_)));
    assert_eq!(scene.world.count("CompleteLifecycleAction"), calls);
    let state = format!(
        "print(ec2.describe_instances(InstanceIds=['{who}'])['Reservations'][0]['Instances'][0]['State']['Name'])"
    );
    assert_eq!(scene.python(&state), "terminated");
}
