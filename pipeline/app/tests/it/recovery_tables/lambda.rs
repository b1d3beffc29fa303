//! The handler `respond` of a function.

use super::{SERVICES, environment, forewarn, instance, said};
use crate::runtime_api::{self, Outcome};
use forewarn_runtime::clock::{Clock, SystemClock};
use forewarn_testkit::world::World;
use serde_json::{Value, json};

/// Invokes the handler once; gives where it answered, and what.
fn invoke(world: &World, event: &Value, more: &[(&str, String)]) -> (String, Value) {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let off_disk = [("FOREWARN_STATE", "dynamodb:recoveries"), ("FOREWARN_HISTORY", "s3://fleet/history")];
    let off_disk = off_disk.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = environment(world).into_iter().map(|(k, v)| (k.to_owned(), v));
    let environment: Vec<_> = environment.chain(off_disk).chain(more).collect();
    match runtime_api::invoke("respond", event, &environment) {
        Outcome::Answered(path, value) => (path, value),
        Outcome::Ended(status) => panic!("the bootstrap ended with {status}"),
    }
}

#[test]
fn a_manual_run_restarts_the_instance_and_a_wrong_one_says_why() {
    let Some(world) = World::start(&SERVICES, &[]) else { return };
    let (dir, id) = (tempfile::tempdir().unwrap(), instance(&world));
    let run = |args: &[&str]| said(&forewarn(&world, dir.path(), args)).0;
    run(&["respond", "--create", "--until", "idle"]);
    run(&["policy", "set", "default", "mode=act", "objection_ms=0", "hold_ms=0", "may_lose_public_ip=true"]);
    let queue = world.python("print(aws('sqs').create_queue(QueueName='wake')['QueueUrl'])");
    // Five times as fast: what waits seconds for EC2 is over at once.
    let now = SystemClock.now_ms();
    let more = [("FOREWARN_WAKE_QUEUE", queue.clone()), ("FOREWARN_CLOCK", format!("{now},{now},5"))];

    let (path, wrong) = invoke(&world, &json!({"instance_id": id, "trigger_type": "whim"}), &more);
    assert!(path.ends_with("/error") && wrong["errorMessage"].as_str().unwrap().contains("whim"), "{path} {wrong}");
    assert_eq!(world.count("StopInstances"), 0);

    let event = json!({"instance_id": id, "trigger_type": "manual", "action": "safe_restart"});
    let (path, report) = invoke(&world, &event, &more);
    assert!(path.ends_with("/response"), "{path} {report}");
    let recovery = report["recoveries"][0].as_str().unwrap().to_owned();
    // What takes its time is gone on with by whoever is invoked next: here by the ticks of a schedule.
    let tick = json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}});
    let is_over = || run(&["recoveries", "list", "--all"]).contains("over: recovered");
    for _ in 0..20 {
        if is_over() {
            break;
        }
        invoke(&world, &tick, &more);
    }
    assert!(is_over(), "{}", run(&["recoveries", "show", &recovery]));
    assert_eq!((world.count("StopInstances"), world.count("StartInstances")), (1, 1));
    let depth = "ApproximateNumberOfMessagesDelayed";
    let waiting = world.python(&format!(
        "a = aws('sqs').get_queue_attributes(QueueUrl='{queue}', AttributeNames=['All'])['Attributes']\n\
         print(int(a['ApproximateNumberOfMessages']) + int(a['{depth}']))"
    ));
    assert_ne!(waiting, "0", "it has asked to be woken");
}
