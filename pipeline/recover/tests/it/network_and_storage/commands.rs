//! Commands are sent once, and end as the instance says.

use super::Scene;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind as S;
use forewarn_recover::ports::{FactReader, StepDriver, StepOutcome};
use forewarn_recovery::facts::Read;
use serde_json::{Value, json};

fn scene(action: RecoveryAction) -> Option<Scene> {
    let mut scene = Scene::start(&["ec2", "ssm"], &[], action)?;
    scene.request.policy.units = vec!["web.service".to_owned()];
    Some(scene)
}

/// Settles a step under a token that no other test has.
fn begin(scene: &mut Scene, kind: S, token: &str) {
    scene.begin(kind).unwrap();
    token.clone_into(&mut scene.request.token);
}

fn ssm(scene: &Scene, mut entry: Value) {
    entry["kind"] = json!("ssm");
    scene.world.script(&json!([{"kind": "clear"}, entry]));
}

#[test]
fn units_are_restarted_once_and_what_they_said_is_kept() {
    let Some(mut scene) = scene(RecoveryAction::RestartApplication) else { return };
    ssm(&scene, json!({"outcome": "Success", "after_ms": 5_000, "missing_polls": 1, "stdout": "active\u{7}\n"}));
    begin(&mut scene, S::RestartUnits, "restart-well");
    assert_eq!(scene.perform(), StepOutcome::Waiting(2_000), "it is sent");
    assert_eq!(scene.perform(), StepOutcome::Waiting(2_000), "it does not show");
    assert_eq!(scene.perform(), StepOutcome::Waiting(3_000), "it runs");
    assert_eq!(scene.find(), None);
    assert_eq!(scene.settle(), StepOutcome::Done("active".to_owned()));
    assert_eq!(scene.find().as_deref(), Some("active"));
    assert_eq!(scene.world.count("SendCommand"), 1);
    let calls = scene.world.calls();
    let sent = &calls.iter().find(|c| c["action"] == "SendCommand").unwrap()["args"];
    assert_eq!(sent["Comment"], "forewarn restart-well");
    let lines = ["set -e", "systemctl restart web.service", "systemctl is-active web.service"];
    assert_eq!(sent["Parameters"]["commands"], json!(lines));
}

#[test]
fn a_command_whose_reply_was_lost_is_found_by_its_comment() {
    let Some(mut scene) = scene(RecoveryAction::RestartApplication) else { return };
    begin(&mut scene, S::RestartUnits, "restart-lost");
    assert!(scene.aws.find(&scene.request).is_err(), "what was just sent may not show");
    scene.python(
        "aws('ssm').send_command(DocumentName='AWS-RunShellScript', InstanceIds=[who], Comment='forewarn restart-lost', \
         Parameters={'commands': ['true']})",
    );
    assert_eq!(scene.find().as_deref(), Some(""));
    assert_eq!(scene.perform(), StepOutcome::Done(String::new()));
    assert_eq!(scene.world.count("SendCommand"), 1, "the one by hand");
}

#[test]
fn failures_are_told_and_what_takes_too_long_is_cancelled() {
    let Some(mut scene) = scene(RecoveryAction::RestartApplication) else { return };
    ssm(&scene, json!({"outcome": "Failed", "stderr": "Unit web.service not found."}));
    begin(&mut scene, S::RestartUnits, "restart-badly");
    let reply = scene.settle();
    let StepOutcome::Failed(why) = reply else { panic!("{reply:?}") };
    assert!(why.contains("exit code 1") && why.contains("not found"), "{why}");

    ssm(&scene, json!({"outcome": "TimedOut", "after_ms": 30_000}));
    begin(&mut scene, S::RestartUnits, "restart-late");
    let reply = scene.settle();
    assert!(matches!(&reply, StepOutcome::Failed(why) if why.contains("too long")), "{reply:?}");
    assert_eq!(scene.world.count("CancelCommand"), 1);

    for (n, outcome) in ["offline", "unregistered"].into_iter().enumerate() {
        ssm(&scene, json!({"outcome": outcome}));
        begin(&mut scene, S::RestartUnits, &format!("restart-offline-{n}"));
        let reply = scene.settle();
        assert!(matches!(&reply, StepOutcome::Failed(why) if why.contains("SSM is offline on")), "{reply:?}");
    }
    assert_eq!(scene.world.count("SendCommand"), 2, "nothing is sent to whom nobody reaches");
}

#[test]
fn only_named_units_are_restarted() {
    let Some(mut scene) = scene(RecoveryAction::RestartApplication) else { return };
    scene.request.policy.units = vec!["web; reboot".to_owned()];
    assert!(scene.begin(S::RestartUnits).unwrap_err().contains("web; reboot"));
    scene.request.policy.units.clear();
    assert!(scene.begin(S::RestartUnits).unwrap_err().contains("names no unit that may be restarted"));
    scene.request.policy.targets.container = "$(reboot)".to_owned();
    assert!(scene.begin(S::DrainApplication).unwrap_err().contains("no name of a container"));
    begin(&mut scene, S::Diagnose, "diagnose");
    assert!(matches!(scene.settle(), StepOutcome::Done(_)));
}

#[test]
fn an_application_is_stopped_while_there_is_time() {
    let Some(mut scene) = scene(RecoveryAction::DrainSpot) else { return };
    scene.request.deadline_ms = Some(scene.request.now_ms.saturating_add(120_000));
    begin(&mut scene, S::DrainApplication, "drain-well");
    assert!(scene.request.before.contains("docker stop -t 45 myapp-container"));
    assert!(matches!(scene.settle(), StepOutcome::Done(_)));
    scene.request.deadline_ms = Some(scene.request.now_ms.saturating_add(50_000));
    begin(&mut scene, S::DrainApplication, "drain-late");
    let reply = scene.perform();
    assert!(matches!(&reply, StepOutcome::Failed(why) if why.contains("no time left")), "{reply:?}");
    assert_eq!(scene.world.count("SendCommand"), 1);
}

#[test]
fn an_application_on_the_instance_itself_is_asked_there() {
    let Some(mut scene) = scene(RecoveryAction::RestartApplication) else { return };
    scene.request.policy.health_endpoint = Some("http://localhost:8080/health".to_owned());
    let well = |scene: &Scene| scene.aws.is_well(&scene.request.subject, &scene.request.policy);
    assert_eq!(well(&scene), Read::Known(true));
    let calls = scene.world.calls();
    let sent = &calls.iter().find(|c| c["action"] == "SendCommand").unwrap()["args"];
    let line = "curl -gfsS -m 5 -o /dev/null 'http://localhost:8080/health'";
    assert_eq!(sent["Parameters"]["commands"], json!([line]));
    ssm(&scene, json!({"outcome": "Failed"}));
    assert_eq!(well(&scene), Read::Known(false));
    ssm(&scene, json!({"outcome": "offline"}));
    assert!(matches!(well(&scene), Read::Failed(why) if why.contains("SSM is offline")));
}
