//! Stop and start.

use super::{MINUTE, NOW, done, fails, launch, prepared, request, waits};
use forewarn_domain::action::RecoveryAction::{MigrateHost, SafeRestart};
use forewarn_domain::step::StepKind::{Start, Stop};
use forewarn_recover::aws::AwsRecovery;
use forewarn_recover::ports::StepDriver;
use forewarn_recovery::state::Note;
use forewarn_testkit::moto::REGION;
use forewarn_testkit::world::World;
use serde_json::json;

const LAG: [&str; 2] = ["--lag-ms", "60000:60000"];

#[test]
fn a_stop_and_a_start_are_called_once_and_waited_for() {
    let Some(world) = World::start(&["ec2"], &LAG) else { return };
    let (aws, id) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    let stop = prepared(&aws, request(Stop, SafeRestart, &id));
    // It is pending, and can't be stopped yet.
    waits(&aws.perform(&stop));
    assert_eq!(world.count("StopInstances"), 0);
    world.advance(MINUTE);
    for _ in 0..3 {
        assert_eq!(aws.find(&stop), Ok(None));
        waits(&aws.perform(&stop));
    }
    world.advance(MINUTE);
    assert!(done(aws.perform(&stop)).contains("stopped"));
    assert!(aws.find(&stop).unwrap().is_some());

    let start = prepared(&aws, request(Start, SafeRestart, &id));
    for _ in 0..3 {
        assert_eq!(aws.find(&start), Ok(None));
        waits(&aws.perform(&start));
    }
    world.advance(MINUTE);
    assert!(aws.find(&start).unwrap().is_some());
    assert!(done(aws.perform(&start)).contains("running"));
    assert_eq!((world.count("StopInstances"), world.count("StartInstances")), (1, 1));
}

#[test]
fn a_stop_that_hangs_is_forced_after_five_minutes_and_never_skips_the_shutdown() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, id) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    world.script(&json!({"kind": "hung_stop", "instance": id}));
    let mut stop = prepared(&aws, request(Stop, SafeRestart, &id));
    waits(&aws.perform(&stop));
    stop.now_ms = NOW.saturating_add(4 * MINUTE);
    waits(&aws.perform(&stop));
    assert_eq!(world.count("StopInstances"), 1);
    stop.now_ms = NOW.saturating_add(6 * MINUTE);
    waits(&aws.perform(&stop));
    done(aws.perform(&stop));
    let stops: Vec<_> = world.calls().into_iter().filter(|c| c["action"] == "StopInstances").collect();
    let forced: Vec<bool> = stops.iter().map(|c| !c["args"]["Force"].is_null()).collect();
    assert_eq!(forced, [false, true], "{stops:?}");
    assert!(!stops.iter().any(|c| c["args"].to_string().contains("SkipOsShutdown")));
}

#[test]
fn what_hangs_even_when_forced_is_cut_off_only_where_people_allow_it_and_is_not_started_again() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, id) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    world.script(&json!({"kind": "hung_stop", "instance": id, "yields_to": "skip_os_shutdown"}));
    let mut stop = prepared(&aws, request(Stop, SafeRestart, &id));
    for minutes in [0, 6, 11] {
        stop.now_ms = NOW.saturating_add(minutes * MINUTE);
        waits(&aws.perform(&stop));
    }
    let cut_off = || world.calls().iter().filter(|c| c["args"].to_string().contains("SkipOsShutdown")).count();
    assert_eq!(cut_off(), 0);
    let mut start = prepared(&aws, request(Start, SafeRestart, &id));
    start.now_ms = NOW.saturating_add(11 * MINUTE);
    start.notes.insert(Stop, Note { before: stop.before.clone(), result: None });
    fails(aws.perform(&start), "hangs on its way down");
    stop.policy.may_skip_os_shutdown = true;
    waits(&aws.perform(&stop));
    assert_eq!(cut_off(), 1);
    done(aws.perform(&stop));
}

#[test]
fn what_runs_all_the_time_need_not_be_started() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, id) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, "'DisableApiStop': True"));
    fails(aws.perform(&prepared(&aws, request(Stop, SafeRestart, &id))), "OperationNotPermitted");
    done(aws.perform(&prepared(&aws, request(Start, SafeRestart, &id))));
    assert_eq!(world.count("StartInstances"), 0);
}

#[test]
fn a_start_without_room_has_had_no_effect_and_one_of_what_has_ended_never_has() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, id) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    waits(&aws.perform(&prepared(&aws, request(Stop, SafeRestart, &id))));
    // A launch time has seconds, and the stop takes none here.
    world.advance(MINUTE);
    world.script(&json!({"kind": "capacity", "call": "StartInstances"}));
    let start = prepared(&aws, request(Start, SafeRestart, &id));
    fails(aws.perform(&start), "InsufficientInstanceCapacity");
    waits(&aws.perform(&start));
    done(aws.perform(&start));
    world.python(&format!("aws('ec2').terminate_instances(InstanceIds=['{id}'])"));
    fails(aws.perform(&start), "has ended");
    assert!(done(aws.perform(&prepared(&aws, request(Stop, SafeRestart, &id)))).contains("terminated"));
    let unknown = request(Stop, SafeRestart, "i-0123456789abcdef0");
    assert!(aws.prepare(&unknown).unwrap_err().contains("i-0123456789abcdef0"));
}

#[test]
fn a_move_lets_go_of_the_host_only_where_it_is_bound_to_one() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let aws = AwsRecovery::new(&world.aws(), REGION, None).unwrap();
    for (affinity, moves) in [("host", 1), ("default", 1)] {
        let id = launch(&world, "");
        waits(&aws.perform(&prepared(&aws, request(Stop, MigrateHost, &id))));
        world.python(&format!(
            "aws('ec2').modify_instance_placement(InstanceId='{id}', Tenancy='dedicated', Affinity='{affinity}')"
        ));
        world.advance(MINUTE);
        let start = prepared(&aws, request(Start, MigrateHost, &id));
        waits(&aws.perform(&start));
        done(aws.perform(&start));
        // Python's own calls are listed as well.
        let ours = world.count("ModifyInstancePlacement") - if affinity == "host" { 1 } else { 2 };
        assert_eq!(ours, moves, "{affinity}");
    }
}
