//! Plans in predictions at high, over the wire against the test world.

use crate::person::Ran;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::episode::EpisodeState;
use forewarn_domain::episode_update::EpisodeUpdate;
use forewarn_domain::prediction::{Action, Level, Prediction};
use forewarn_domain::preview::{CheckKind, CheckState, PreviewDecision, RecoveryPreview};
use forewarn_domain::previewer::RecoveryPreviewer;
use forewarn_domain::round::Round;
use forewarn_domain::step::StepKind;
use forewarn_log::MemoryLog;
use forewarn_recover::aws::AwsRecovery;
use forewarn_recover::planner::{Planner, RegionReader, Regions};
use forewarn_recover::policies::{DEFAULT, Policies, PolicyDir};
use forewarn_recover::store::ProjectedLog;
use forewarn_runtime::clock::{Clock, ManualClock};
use forewarn_runtime::time::system_now_ms;
use forewarn_testkit::samples::prediction;
use forewarn_testkit::world::{REGION, World};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const SERVICES: [&str; 3] = ["ec2", "autoscaling", "elbv2"];
const HOUR: i64 = 3_600_000;
/// When the fleet of files is looked at.
const AS_OF: &str = "2026-02-09T00:05:00Z";

/// The aws of a world, wherever is asked for.
#[derive(Debug)]
struct Here(Arc<AwsRecovery>);

impl Regions for Here {
    fn reader(&self, _: &str, _: &str) -> Result<RegionReader, String> {
        Ok(RegionReader::new(&self.0))
    }
}

/// Launches an enrolled instance with two volumes, and gives its id.
fn launch(world: &World, more: &str) -> String {
    world.python(&format!(
        "print(aws('ec2').run_instances(ImageId='ami-12c6146b', InstanceType='t3.micro', MinCount=1, MaxCount=1, \
         BlockDeviceMappings=[{{'DeviceName': '/dev/sda1', 'Ebs': {{'VolumeSize': 8}}}}, \
         {{'DeviceName': '/dev/sdf', 'Ebs': {{'VolumeSize': 9}}}}], TagSpecifications=[{{'ResourceType': 'instance', \
         'Tags': [{{'Key': 'AutoRecovery', 'Value': 'enabled'}}]}}]{more})['Instances'][0]['InstanceId'])"
    ))
}

/// Takes a snapshot of each of the first so many volumes of an instance.
fn snapshots(world: &World, id: &str, of: usize) {
    world.python(&format!(
        "c = aws('ec2'); i = c.describe_instances(InstanceIds=['{id}'])['Reservations'][0]['Instances'][0]\n\
         for m in i['BlockDeviceMappings'][:{of}]: c.create_snapshot(VolumeId=m['Ebs']['VolumeId'])"
    ));
}

fn taken(instance: &str, confidence: Level) -> EpisodeUpdate {
    let action = Some(Action::HostMigration);
    let prediction =
        Prediction { recommended_action: action, ..prediction(instance, "e", "2026-02-15T06:00:00Z", confidence) };
    EpisodeUpdate { prediction, after: EpisodeState::default(), events: Vec::new(), shown: true, keep: false }
}

/// Plans a round in a world as it is so long from now on, under a policy.
fn planned(
    aws: Arc<AwsRecovery>,
    policy: &Value,
    later_ms: i64,
    all: Vec<EpisodeUpdate>,
) -> Vec<Option<RecoveryPreview>> {
    let state = tempfile::tempdir().unwrap();
    let policies = PolicyDir::of(state.path());
    policies.put(DEFAULT, policies.row(DEFAULT).unwrap().as_ref(), policy.as_object().unwrap()).unwrap();
    let clock = Arc::new(ManualClock::at(system_now_ms() + later_ms));
    let planner = Planner::new(Arc::new(Here(aws)), Arc::new(policies), clock);
    let mut round = Round { taken: all, workloads: Vec::new() };
    planner.on(&ProjectedLog::new(MemoryLog::new())).attach(&mut round);
    round.taken.into_iter().map(|t| t.prediction.plan.map(|p| *p)).collect()
}

fn acting() -> Value {
    json!({"mode": "act", "may_lose_public_ip": true})
}

/// Says that nothing was asked of a world that changes something, but as a dry run.
#[track_caller]
fn nothing_changed(world: &World, before: usize) -> Vec<String> {
    let calls = world.calls().split_off(before);
    assert!(calls.iter().all(|c| c["error"] == "DryRunOperation"), "{calls:#?}");
    calls.iter().map(|c| c["action"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_prediction_at_high_carries_a_plan_that_was_looked_at_and_one_below_none() {
    let Some(world) = World::start(&SERVICES, &[]) else { return };
    let [high, calm] = ["", ""].map(|more| launch(&world, more));
    snapshots(&world, &high, 2);
    let before = world.calls().len();
    let all = vec![taken(&high, Level::High), taken(&calm, Level::Medium), taken(&calm, Level::High)];
    let plans = planned(Arc::new(AwsRecovery::new(&world.aws(), REGION, None).unwrap()), &acting(), 3 * HOUR, all);
    let plan = plans[0].as_ref().unwrap();
    assert_eq!((plan.action, plan.stance), (RecoveryAction::MigrateHost, PreviewDecision::Asks), "{plan:#?}");
    let checks: Vec<_> = plan.checks.iter().map(|c| (c.what, c.state)).collect();
    let passed = |what| (what, CheckState::Passed);
    let dry = [passed(CheckKind::DryRun); 3];
    assert_eq!(checks[..3], dry, "{plan:#?}");
    assert_eq!(checks[3..], [CheckKind::Capacity, CheckKind::Quota, CheckKind::Snapshots].map(passed), "{plan:#?}");
    let age = plan.newest_snapshot_age_s.unwrap();
    assert!((3 * 3_600..3 * 3_600 + 600).contains(&age), "{age}");
    assert_eq!(plan.undo_until, Some(StepKind::Snapshot));
    assert!(plan.downtime.is_some() && plan.similar.is_some());
    assert_eq!(plans[1], None);
    let bare = plans[2].as_ref().unwrap();
    assert_eq!(bare.newest_snapshot_age_s, None);
    let last = bare.checks.last().unwrap();
    assert_eq!((last.what, last.state), (CheckKind::Snapshots, CheckState::Failed));
    let mut tried = nothing_changed(&world, before);
    tried.sort();
    let of = ["CreateSnapshots", "CreateSnapshots", "StartInstances", "StartInstances"];
    assert_eq!(tried, [&of[..], &["StopInstances", "StopInstances"]].concat());
}

#[test]
fn volumes_are_as_old_as_the_oldest_of_their_newest_snapshots() {
    let Some(world) = World::start(&SERVICES, &["--lag-ms", "60000:60000"]) else { return };
    let (aws, id) = (Arc::new(AwsRecovery::new(&world.aws(), REGION, None).unwrap()), launch(&world, ""));
    world.advance(60_000);
    let age = || {
        let plans = planned(aws.clone(), &acting(), 10 * HOUR, vec![taken(&id, Level::High)]);
        plans[0].as_ref().unwrap().newest_snapshot_age_s
    };
    let hours = |age: Option<i64>| age.map(|s| (s + 1_800) / 3_600);
    snapshots(&world, &id, 1);
    world.advance(2 * HOUR);
    assert_eq!(age(), None, "one volume has none");
    snapshots(&world, &id, 2);
    assert_eq!(age(), None, "one is not complete");
    world.advance(60_000);
    assert_eq!(hours(age()), Some(8));
}

#[test]
fn what_speaks_against_a_plan_is_in_it() {
    let Some(world) = World::start(&SERVICES, &[]) else { return };
    let protected = launch(&world, ", DisableApiStop=True");
    let before = world.calls().len();
    let plans = planned(
        Arc::new(AwsRecovery::new(&world.aws(), REGION, None).unwrap()),
        &acting(),
        0,
        vec![taken(&protected, Level::High)],
    );
    let plan = plans[0].as_ref().unwrap();
    assert_eq!(plan.stance, PreviewDecision::Refuses);
    assert!(plan.refusals.contains(&"the instance is protected against stopping".to_owned()), "{plan:#?}");
    let unregistered = planned(
        Arc::new(AwsRecovery::new(&world.aws(), REGION, None).unwrap()),
        &json!({}),
        0,
        vec![taken(&protected, Level::High)],
    );
    let refusals = &unregistered[0].as_ref().unwrap().refusals;
    assert!(refusals.contains(&"the mode is observe: nothing is done".to_owned()), "{refusals:?}");
    nothing_changed(&world, before);
}

#[test]
fn a_world_that_falls_silent_leaves_everything_unknown() {
    let Some(world) = World::start(&SERVICES, &[]) else { return };
    let (aws, id) = (Arc::new(AwsRecovery::new(&world.aws(), REGION, None).unwrap()), launch(&world, ""));
    drop(world);
    let plans = planned(aws, &acting(), 0, vec![taken(&id, Level::High)]);
    let plan = plans[0].as_ref().unwrap();
    assert_eq!(plan.stance, PreviewDecision::Unknown, "{plan:#?}");
    assert!(plan.checks.len() == 4 && plan.checks.iter().all(|c| c.state == CheckState::Unknown), "{plan:#?}");
}

/// Nobody is reached, and that takes so long.
#[derive(Debug)]
struct Slow(Arc<ManualClock>, i64);

impl Regions for Slow {
    fn reader(&self, _: &str, region: &str) -> Result<RegionReader, String> {
        self.0.advance(self.1);
        Err(format!("nobody answers in {region}"))
    }
}

#[test]
fn a_round_s_plans_take_no_longer_than_they_may_and_old_rounds_have_none() {
    let state = tempfile::tempdir().unwrap();
    for (takes, why) in [(1_000, "nobody answers in eu-central-1"), (60_000, "this one's turn did not come")] {
        let clock = Arc::new(ManualClock::at(100 * HOUR));
        let regions = Arc::new(Slow(clock.clone(), takes));
        let planner = Planner::new(regions, Arc::new(PolicyDir::of(state.path())), clock.clone());
        let nothing = ProjectedLog::new(MemoryLog::new());
        let previewer = planner.on(&nothing);
        assert!(previewer.is_fresh(99 * HOUR) && !previewer.is_fresh(98 * HOUR));
        let all = (0..9).map(|i| taken(&format!("i-{i}"), Level::High)).collect();
        let mut round = Round { taken: all, workloads: Vec::new() };
        planner.on(&ProjectedLog::new(MemoryLog::new())).attach(&mut round);
        // One account and region is asked for once.
        assert_eq!(clock.now_ms(), 100 * HOUR + takes);
        for taken in round.taken {
            let plan = taken.prediction.plan.unwrap();
            assert!(plan.refusals.len() == 1 && plan.refusals[0].contains(why), "{plan:#?}");
        }
    }
}

/// Writes eight days of two instances: one whose CPU time is stolen more and more, and one at ease.
fn write_fleet(dir: &Path, stolen: &str) {
    let mut text = "instance_id,metric,ts,value\n".to_owned();
    for i in 0..8 * 288_i64 {
        let (t, day) = (crate::person::START + i * crate::person::STEP, i as f64 / 288.0);
        let wave = (i * 7919 % 1000) as f64 / 1000.0;
        for (id, steal) in [(stolen, 2.0 + (day - 6.0).max(0.0) * 12.0 + wave), ("i-0a0a0a0a", 1.0 + wave / 2.0)] {
            let cpu = 30.0 + 10.0 * (day * std::f64::consts::TAU).sin() + wave;
            for (metric, value) in [
                ("cpu_usage_steal", steal),
                ("CPUUtilization", cpu),
                ("disk_used_percent", 40.0),
                ("mem_used_percent", 50.0),
            ] {
                writeln!(text, "{id},{metric},{t},{value}").unwrap();
            }
        }
    }
    std::fs::write(dir.join("fleet.csv"), text).unwrap();
    crate::person::done(dir, &["import", "--history", "h", "fleet.csv"]);
}

/// Runs `forewarn` with AWS at this address.
fn forewarn(url: &str, dir: &Path, args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(args)
        .current_dir(dir)
        .env_clear()
        .envs([("AWS_ENDPOINT_URL", url), ("AWS_REGION", REGION)])
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ran = Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
    assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.out, ran.err);
    ran
}

/// What the bus was told, line by line.
fn bus_lines(dir: &Path, state: &str) -> Vec<Value> {
    let bus = std::fs::read_to_string(dir.join(state).join("events.jsonl")).unwrap();
    bus.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_event_on_the_bus_carries_the_plan_and_people_see_it() {
    let Some(world) = World::start(&SERVICES, &[]) else { return };
    let (dir, id) = (tempfile::tempdir().unwrap(), launch(&world, ""));
    let dir = dir.path();
    write_fleet(dir, &id);
    let before = world.calls().len();
    let analyze = ["analyze", "--history", "h", "--as-of", AS_OF, "--format", "json"];
    let plain = forewarn(&world.url, dir, &analyze).out;
    let ran = forewarn(&world.url, dir, &[&analyze[..], &["--plans", "--emit", "--state", "s"]].concat());
    let events = bus_lines(dir, "s");
    assert_eq!(events.len(), 1, "{events:#?}");
    let plan = &events[0]["detail"]["plan"];
    assert_eq!(events[0]["detail"]["confidence"], "high");
    assert_eq!((&plan["action"], &plan["stance"]), (&"migrate_host".into(), &"refuses".into()), "{plan:#}");
    let states: Vec<&Value> = plan["checks"].as_array().unwrap().iter().map(|c| &c["state"]).collect();
    assert_eq!(states, ["passed", "passed", "passed", "passed", "passed", "failed"], "{plan:#}");
    nothing_changed(&world, before);

    let mut document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(&document["predictions"][0]["plan"], plan);
    let mut without: Value = serde_json::from_str(&plain).unwrap();
    assert!(!plain.contains("\"plan\""));
    // The episode is what the log adds; the plan is what was asked for.
    for p in [&mut document, &mut without] {
        p["predictions"][0].as_object_mut().unwrap().remove("plan");
    }
    assert_eq!(document, without);

    let table = ["analyze", "--history", "h", "--as-of", AS_OF, "--state", "s", "--plans"];
    let table = forewarn(&world.url, dir, &table).out;
    let said = ["plan: migrate host; it would not be done; down for about 6 min (typical)", "the mode is observe"];
    assert!(said.iter().all(|part| table.contains(part)), "{table}");
}

#[test]
fn what_can_t_be_looked_at_is_announced_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write_fleet(dir, "i-0123456789abcdef0");
    let args = ["analyze", "--history", "h", "--as-of", AS_OF, "--emit", "--state", "s", "--plans"];
    // The discard port: nobody listens there.
    forewarn("http://127.0.0.1:9", dir, &args);
    let events = bus_lines(dir, "s");
    assert_eq!(events.len(), 1, "{events:#?}");
    let plan = &events[0]["detail"]["plan"];
    assert_eq!(plan["stance"], "unknown");
    let checks = plan["checks"].as_array().unwrap();
    assert!(checks.len() == 4 && checks.iter().all(|c| c["state"] == "unknown"), "{plan:#}");

    let bad = crate::person::forewarn(dir, &["analyze", "--history", "h", "--plans", "me"]);
    assert!(bad.code == 2 && bad.err.contains("--plans is own or a role: role \"me\" is no role ARN"), "{}", bad.err);
}
