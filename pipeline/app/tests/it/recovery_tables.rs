//! The executor off one machine, over the wire: its log and its policies in tables of DynamoDB, and itself as a Lambda function.

mod lambda;

use forewarn_domain::time::UnixMs;
use forewarn_events::JsonLinesDead;
use forewarn_log::DynamoLog;
use forewarn_recover::aws::AwsRecovery;
use forewarn_recover::executor::Executor;
use forewarn_recover::invocation::{Function, Wake};
use forewarn_recover::ledger::Ledger;
use forewarn_recover::policies::table::PolicyTable;
use forewarn_recover::policies::{self, Policies, PolicyStoreError};
use forewarn_recover::store::{ProjectedLog, Store};
use forewarn_recovery::admission::Caps;
use forewarn_recovery::policy::Mode;
use forewarn_runtime::aws::Aws;
use forewarn_runtime::clock::SystemClock;
use forewarn_runtime::context::RuntimeContext;
use forewarn_testkit::world::{REGION, World};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

const ID: &str = "i-0123456789abcdef0";

fn aws(world: &World) -> Aws {
    let keys = aws_credential_types::Credentials::new("test", "test", None, None, "test");
    let region = aws_config::Region::new(REGION);
    Aws::load_with(|l| l.endpoint_url(&world.url).region(region).credentials_provider(keys)).unwrap()
}

/// What a person types.
fn put_item(world: &World, item: &str) {
    world.python(&format!("aws('dynamodb').put_item(TableName='policies', Item={item})"));
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn an_item_that_a_person_put_is_obeyed_and_one_that_cannot_be_read_allows_nothing() {
    let Some(world) = World::start(&["dynamodb"], &[]) else { return };
    let table = PolicyTable::new(&aws(&world), "policies");
    let missing = table.row("default").unwrap_err().to_string();
    assert!(missing.contains("dynamodb:us-east-1:policies item default") && missing.contains("not found"), "{missing}");
    table.create().unwrap();
    table.create().unwrap();
    assert_eq!(policies::of(&table, ID).unwrap().mode, Mode::Observe);

    put_item(&world, "{'instance_id': {'S': 'default'}, 'mode': {'S': 'act'}, 'cooldown_ms': {'N': '60000'}}");
    let own = format!(
        "{{'instance_id': {{'S': '{ID}'}}, 'recovery_enabled': {{'BOOL': True}}, 'auto_restart': {{'BOOL': False}}, \
         'units': {{'SS': ['nginx']}}, 'pauses': {{'M': {{'release': {{'N': '7'}}}}}}}}"
    );
    put_item(&world, &own);
    let policy = policies::of(&table, ID).unwrap();
    assert_eq!((policy.mode, policy.auto_restart, policy.cooldown_ms), (Mode::Act, false, 60_000));
    assert_eq!((policy.units, policy.pauses["release"]), (vec!["nginx".to_owned()], UnixMs(7)));

    for (wrong, why) in [
        ("'auto_restart': {'S': 'yes'}", "boolean"),
        ("'auto_restrat': {'BOOL': True}", "auto_restrat"),
        ("'cooldown_ms': {'N': '-1'}", "cooldown_ms is -1"),
        ("'units': {'B': b'x'}", "attribute units is binary"),
    ] {
        put_item(&world, &format!("{{'instance_id': {{'S': '{ID}'}}, {wrong}}}"));
        let said = policies::of(&table, ID).unwrap_err().to_string();
        assert!(said.contains(ID) && said.contains(why), "{said}");
    }
}

#[test]
fn two_people_who_change_a_policy_at_once_do_not_undo_each_other() {
    let Some(world) = World::start(&["dynamodb"], &[]) else { return };
    let table = PolicyTable::new(&aws(&world), "policies");
    table.create().unwrap();
    table.put(ID, None, &object(&json!({"mode": "act", "units": ["nginx"], "daily_budget": 2}))).unwrap();
    let seen = table.row(ID).unwrap().unwrap();
    let mut first = seen.clone();
    first.insert("mode".to_owned(), json!("observe"));
    first.shift_remove("daily_budget");
    table.put(ID, Some(&seen), &first).unwrap();
    let mut second = seen.clone();
    second.insert("auto_restart".to_owned(), json!(false));
    let refused = table.put(ID, Some(&seen), &second).unwrap_err();
    assert!(matches!(&refused, PolicyStoreError::Changed { place } if place.contains(ID)), "{refused}");
    assert_eq!(table.row(ID).unwrap().unwrap(), first);
    let nobody = table.put(ID, None, &second).unwrap_err();
    assert!(matches!(nobody, PolicyStoreError::Changed { .. }));
}

/// Runs forewarn in the world, on its tables.
fn forewarn(world: &World, dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(args)
        .current_dir(dir)
        .env_clear()
        .envs(environment(world))
        .output()
        .unwrap()
}

/// Where everything is, by the names that have been in use.
fn environment(world: &World) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", world.url.clone()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("RECOVERY_EVENTS_TABLE", "recoveries".to_owned()),
        ("INSTANCE_CONFIG_TABLE", "policies".to_owned()),
    ]
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

fn instance(world: &World) -> String {
    world.python(
        "print(aws('ec2').run_instances(ImageId='ami-12c6146b', InstanceType='m5.large', MinCount=1, MaxCount=1, \
         TagSpecifications=[{'ResourceType': 'instance', 'Tags': [{'Key': 'AutoRecovery', 'Value': 'enabled'}]}])['Instances'][0]['InstanceId'])",
    )
}

const SERVICES: [&str; 6] = ["ec2", "autoscaling", "elbv2", "sts", "dynamodb", "sqs"];

#[test]
fn every_command_works_on_tables_as_it_does_on_files() {
    let Some(world) = World::start(&SERVICES, &[]) else { return };
    let (dir, id) = (tempfile::tempdir().unwrap(), instance(&world));
    let run = |args: &[&str]| said(&forewarn(&world, dir.path(), args)).0;
    let none = forewarn(&world, dir.path(), &["recoveries", "list"]);
    assert!(String::from_utf8_lossy(&none.stderr).contains("recoveries"), "{none:?}");
    run(&["respond", "--create", "--until", "idle"]);
    run(&["policy", "set", "default", "mode=act", "objection_ms=0", "hold_ms=0", "--by", "anna"]);
    let asked: Value = serde_json::from_str(&run(&["respond", "trigger", &id, "--action", "notify_only"])).unwrap();
    let recovery = asked["recovery_id"].as_str().unwrap();
    run(&["respond", "--until", "done"]);
    assert!(run(&["recoveries", "list", "--all"]).contains("over: handed over"));
    assert!(run(&["recoveries", "show", recovery]).contains("completed"));
    assert!(run(&["respond", "why", &id]).contains("over: handed over"));
    assert!(run(&["policy", "get", &id]).contains("\"act\""));
    assert!(!dir.path().join("state").join("policies").exists(), "nothing is kept beside the tables");
    let table = ["--event-log", "dynamodb:recoveries"];
    let log = |args: &[&str]| run(&[&["log"], args, &table].concat());
    assert!(log(&["list", "--type", "recovery"]).contains("forewarn.recovery.requested"));
    assert!(log(&["verify"]).contains("no fault"));
    assert!(log(&["rebuild"]).contains("identical"));
    let pruned = log(&["prune", "--older-than", "2099-01-01T00:00:00Z"]);
    assert!(pruned.contains("checkpoint at entry") || pruned.contains("older ones stay"), "{pruned}");
    assert!(log(&["verify"]).contains("no fault"));
    assert!(log(&["rebuild"]).contains("identical"));
    assert!(run(&["recoveries", "list", "--all"]).contains("over: handed over"), "the tables are what they were");
    let wrong = forewarn(&world, dir.path(), &["recoveries", "list", "--recovery-log", "sqlite:x"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("dynamodb:TABLE"), "{wrong:?}");
}

fn executor(world: &World, name: &str) -> (Executor, Arc<dyn Store>) {
    let aws = aws(world);
    let config = aws.base().clone();
    let log = DynamoLog::create(aws.clone(), &config, "recoveries", RuntimeContext::standalone()).unwrap();
    let store: Arc<dyn Store> = Arc::new(ProjectedLog::new(log));
    let table = PolicyTable::new(&aws, "policies");
    table.create().unwrap();
    let was = table.row("default").unwrap();
    table
        .put(
            "default",
            was.as_ref(),
            &object(&json!({"mode": "act", "objection_ms": 0, "hold_ms": 0, "may_lose_public_ip": true})),
        )
        .unwrap();
    let ledger = Ledger::new(store.clone(), Arc::new(SystemClock), ("123456789012", REGION));
    let aws = Arc::new(AwsRecovery::new(&world.aws(), REGION, None).unwrap());
    let executor = Executor::new(ledger, aws.clone(), aws, Arc::new(table), Caps::default(), name.to_owned());
    (executor, store)
}

/// Remembers when it was asked to come again.
#[derive(Debug, Default)]
struct Asked(Mutex<Vec<i32>>);

impl Wake for Asked {
    fn after(&self, seconds: i32) -> Result<(), String> {
        self.0.lock().unwrap().push(seconds);
        Ok(())
    }
}

#[test]
fn three_deliveries_to_two_containers_are_one_recovery_and_what_waits_is_asked_for_once() {
    let Some(world) = World::start(&SERVICES, &[]) else { return };
    let (dir, id) = (tempfile::tempdir().unwrap(), instance(&world));
    let dead = JsonLinesDead::in_state(dir.path());
    let wake = Asked::default();
    let containers = [executor(&world, "a"), executor(&world, "b")];
    let invoke = |n: usize, event: &Value| {
        let (executor, store) = &containers[n];
        let function = Function { executor, store: &**store, dead: &dead, workers: 2, wake: Some(&wake) };
        function.invoke(event, executor.ledger().now().saturating_add(120_000))
    };
    let manual = json!({"instance_id": id, "trigger_type": "manual", "action": "notify_only", "id": "1"});
    let record = |n: u32, body: &str| json!({"messageId": format!("m{n}"), "body": body, "eventSourceARN": "q"});
    let batch = json!({"Records": [record(1, &manual.to_string()), record(2, "{}"), record(3, "no JSON")]});
    let first = invoke(0, &manual).unwrap();
    let second = invoke(1, &batch).unwrap();
    let third = invoke(1, &manual).unwrap();
    assert!(
        first.recoveries.len() == 1 && first.recoveries == second.recoveries && second.recoveries == third.recoveries
    );
    assert_eq!(
        serde_json::to_value(&second.response).unwrap(),
        json!({"batchItemFailures": [{"itemIdentifier": "m3"}]})
    );
    assert!(invoke(0, &json!({"instance_id": id, "trigger_type": "whim"})).unwrap_err().to_string().contains("whim"));
    assert_eq!((first.next_ms, wake.0.lock().unwrap().len()), (None, 0));

    // An alarm, once from the bus and twice from its topic: one recovery, and what does not hold is not acted on.
    let alarm = |state: &str| {
        json!({"AlarmName": "down", "AlarmArn": format!("arn:aws:cloudwatch:{REGION}:123456789012:alarm:down"), "NewStateValue": state,
               "StateChangeTime": "2026-02-15T06:00:00.120+0000", "Trigger": {"MetricName": "StatusCheckFailed_System",
               "Namespace": "AWS/EC2", "Period": 60, "Dimensions": [{"name": "InstanceId", "value": id}]}})
    };
    let topic = |state: &str| {
        let sns = json!({"MessageId": "n1", "TopicArn": "t", "Message": alarm(state).to_string()});
        json!({"Records": [{"EventSource": "aws:sns", "Sns": sns}]})
    };
    let metric = json!({"namespace": "AWS/EC2", "name": "StatusCheckFailed_System", "dimensions": {"InstanceId": id}});
    let bus = json!({"id": "e1", "source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change", "region": REGION,
        "account": "123456789012", "time": "2026-02-15T06:00:00Z", "resources": [], "detail": {"alarmName": "down",
        "state": {"value": "ALARM"}, "configuration": {"metrics": [{"metricStat": {"period": 60, "metric": metric}}]}}});
    let told = [invoke(0, &topic("ALARM")), invoke(1, &bus), invoke(1, &topic("ALARM"))].map(Result::unwrap);
    assert!(told.iter().all(|t| t.recoveries.len() == 1 && t.recoveries == told[0].recoveries), "{told:?}");
    assert!(invoke(0, &topic("OK")).unwrap().recoveries.is_empty());
    assert!(invoke(0, &topic("FINE")).unwrap_err().to_string().contains("INSUFFICIENT_DATA"));

    // A check that has failed and waits for a person: it is looked at again, and that is asked for once.
    world.python(&format!("aws('dynamodb').put_item(TableName='policies', Item={{'instance_id': {{'S': '{id}'}}, 'mode': {{'S': 'approve'}}}})"));
    let asks = json!({"instance_id": id, "trigger_type": "manual", "action": "safe_restart"});
    let waits = invoke(0, &asks).unwrap();
    assert!(waits.next_ms.is_some());
    invoke(1, &json!({})).unwrap();
    let asked = wake.0.lock().unwrap().clone();
    assert!(asked.len() == 1 && (1..=900).contains(&asked[0]), "{asked:?}");

    // Too little time: nothing is called, and it is said when to come again.
    let (executor, store) = &containers[0];
    let function = Function { executor, store: &**store, dead: &dead, workers: 1, wake: None };
    let short = function.invoke(&asks, executor.ledger().now().saturating_add(30_000)).unwrap();
    assert_eq!((short.turns, short.next_ms.is_some()), (0, true));
    assert_eq!(world.count("StopInstances"), 0);
}

#[test]
fn an_altered_table_stops_everything() {
    let Some(world) = World::start(&SERVICES, &[]) else { return };
    let (dir, id) = (tempfile::tempdir().unwrap(), instance(&world));
    let dead = JsonLinesDead::in_state(dir.path());
    let manual = json!({"instance_id": id, "trigger_type": "manual", "action": "notify_only", "id": "1"});
    let invoke = |name: &str, event: &Value| {
        let (executor, store) = executor(&world, name);
        let function = Function { executor: &executor, store: &*store, dead: &dead, workers: 1, wake: None };
        function.invoke(event, executor.ledger().now().saturating_add(120_000)).map_err(|e| e.to_string())
    };
    invoke("a", &manual).unwrap();
    world.python(
        "db = aws('dynamodb')\n\
         for i in db.scan(TableName='recoveries')['Items']:\n    \
             if 'asked for by hand' in json.dumps(i):\n        \
                 i = json.loads(json.dumps(i).replace('asked for by hand', 'asked for by nobody'))\n        \
                 db.put_item(TableName='recoveries', Item=i)",
    );
    let why = invoke("b", &json!({})).unwrap_err();
    assert!(why.contains("damaged") || why.contains("altered"), "{why}");
}
