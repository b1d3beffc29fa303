use super::super::record::Since;
use super::super::{AwsRecovery, step_of, traffic, volumes, well};
use super::super::{address, commands, compute, ending, group, isolation, launch, region, root, snapshots};
use super::{Step, StepRecord, Unreadable};
use crate::ports::{StepOutcome, StepRequest};
use aws_config::Region;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind as S;
use forewarn_domain::time::UnixMs;
use forewarn_recovery::policy::Policy;
use forewarn_recovery::state::Note;
use forewarn_runtime::aws::Aws;
use std::collections::BTreeMap;

/// A text that is no record of any kind, and why.
const CUT: &str = "";
const WHY: &str = "EOF while parsing a value at line 1 column 0";
const NOW: UnixMs = UnixMs(1_800_000_000_000);

/// An account that nobody may ask anything.
fn aws() -> AwsRecovery {
    let aws = Aws::load_with(|loader| loader.region(Region::new("us-east-1")).no_credentials()).unwrap();
    let config = aws.config("us-east-1", None);
    AwsRecovery {
        ec2: aws_sdk_ec2::Client::new(&config),
        ssm: aws_sdk_ssm::Client::new(&config),
        autoscaling: aws_sdk_autoscaling::Client::new(&config),
        elb: aws_sdk_elasticloadbalancingv2::Client::new(&config),
        runtime: aws,
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        config,
    }
}

fn request(kind: S, before: &str) -> StepRequest {
    StepRequest {
        kind,
        action: RecoveryAction::SafeRestart,
        recovery_id: "rec-1".to_owned(),
        plan_id: "rec-1-1".to_owned(),
        subject: "i-1".to_owned(),
        successor: None,
        serves: "i-1".to_owned(),
        token: "0123456789abcdef0123456789abcdef".to_owned(),
        before: before.to_owned(),
        notes: BTreeMap::new(),
        deadline_ms: None,
        policy: Policy::default(),
        now_ms: NOW,
    }
}

/// Reads a text as a step's record, and writes the same one.
#[track_caller]
fn keeps<T: Step>(text: &str) {
    let record = T::Precondition::decode_precondition(text).unwrap();
    assert_eq!(record.encode_precondition().unwrap(), text, "{:?}", T::KIND);
}

const SINCE: &str = r#"{"at_ms":1}"#;

#[test]
fn commands_groups_and_traffic_are_written_as_logs_hold_them() {
    let order = r#"{"at_ms":1,"lines":["uptime","exit 0"],"time_s":40}"#;
    keeps::<commands::Diagnose>(order);
    keeps::<commands::RestartUnits>(order);
    keeps::<commands::DrainApplication>(order);
    for group in [SINCE, r#"{"at_ms":1,"group":"web"}"#] {
        keeps::<group::EnterStandby>(group);
        keeps::<group::ExitStandby>(group);
        keeps::<group::ResumeProcesses>(group);
        keeps::<group::SetUnhealthy>(group);
        keeps::<group::AwaitInService>(group);
        keeps::<group::CompleteLifecycle>(group);
    }
    keeps::<group::SuspendProcesses>(r#"{"at_ms":1,"group":"web","already":["HealthCheck"]}"#);
    for targets in ["[]", r#"[{"arn":"arn:1","port":8080},{"arn":"arn:2","port":null}]"#] {
        keeps::<traffic::Deregister>(targets);
        keeps::<traffic::Register>(targets);
    }
    let lists = r#"{"at_ms":1,"isolation":"sg-0","interfaces":{"eni-1":["sg-1","sg-2"]}}"#;
    keeps::<isolation::Isolate>(lists);
    keeps::<isolation::RestoreGroups>(r#"{"at_ms":1,"isolation":null,"interfaces":{}}"#);
}

#[test]
fn power_volumes_and_snapshots_are_written_as_logs_hold_them() {
    for state in [r#"{"at_ms":1,"state":"running","launched_ms":2}"#, r#"{"at_ms":1,"state":null,"launched_ms":null}"#]
    {
        keeps::<compute::Stop>(state);
        keeps::<compute::Start>(state);
    }
    keeps::<snapshots::TakeSnapshots>(
        r#"{"at_ms":1,"disks":[{"volume":"vol-1","device":"/dev/sdf","delete_on_termination":false}],"root":"vol-0","left_out":["vol-0"],"names":["data"]}"#,
    );
    keeps::<snapshots::AwaitSnapshots>(SINCE);
    keeps::<snapshots::FindSnapshots>(SINCE);
    keeps::<volumes::CreateVolume>(
        r#"{"at_ms":1,"snapshot":"snap-1","replaces":"vol-1","zone":"us-east-1a","kind":"gp3","iops":3000,"throughput":125,"size":8,"encrypted":true,"kms_key":"arn:key","tags":{"Name":"data"}}"#,
    );
    keeps::<volumes::DeleteVolume>(SINCE);
    let moved = r#"{"at_ms":1,"volume":"vol-1","device":"/dev/sdf","delete_on_termination":true}"#;
    keeps::<volumes::Detach>(moved);
    keeps::<volumes::AttachNew>(moved);
    keeps::<volumes::AttachOld>(moved);
    keeps::<volumes::AttachOld>(SINCE);
    keeps::<volumes::DetachNew>(SINCE);
    keeps::<volumes::EnableIo>(r#"{"at_ms":1,"volumes":["vol-1"]}"#);
    keeps::<root::ReplaceRoot>(r#"{"at_ms":1,"snapshot":"snap-0","old":"vol-0","device":"/dev/xvda"}"#);
}

#[test]
fn launches_addresses_and_names_are_written_as_logs_hold_them() {
    keeps::<launch::Launch>(
        r#"{"region":"us-east-1","template":{"id":"lt-1","version":"3"},"image":null,"root":{"name":"forewarn-snap-0","snapshot":"snap-0","device":"/dev/xvda","architecture":"x86_64","boot_mode":null,"ena":true,"sriov":"simple","tpm":null},"types":["t3.micro",null],"subnet":"subnet-1","zone":null,"groups":["sg-1"],"key":"ops","profile":"arn:profile","user_data":{"of":"i-1","sha256":"ab"},"metadata":{"tokens":"required","hops":2,"endpoint":"enabled","tags":"disabled"},"ebs_optimized":true,"monitoring":true,"termination_protection":true,"stop_protection":null,"credits":"standard","tenancy":null,"devices":[{"name":"/dev/sdf","snapshot":"snap-1","kind":"gp3","size_gib":8,"iops":3000,"throughput":125,"ends_with_instance":false,"encrypted":false,"key":null}],"tags":{"Name":"web"}}"#,
    );
    keeps::<launch::Discard>(SINCE);
    keeps::<launch::KeepOld>(
        r#"{"forewarn:kept-for":"rec-1","forewarn:replaced-by":"i-2","forewarn:terminate-after":"2027-01-16T08:00:00Z"}"#,
    );
    keeps::<address::MoveAddress>(r#"{"allocation_id":"eipalloc-1","owner":"i-1","public_ip":"192.0.2.1"}"#);
    keeps::<region::PointDns>(
        r#"{"zone":"Z1","name":"app.example.com","ttl_s":60,"ip":"192.0.2.2","old":{"ttl_s":300,"values":["192.0.2.1"],"alias":null}}"#,
    );
    keeps::<well::AwaitHealthy>("");
    keeps::<ending::Terminate>("");
}

#[test]
fn what_was_settled_first_is_given_again_as_it_was_written() {
    let (aws, text) = (aws(), r#"{"at_ms": 7, "lines": [], "time_s": 1}"#);
    let mut request = request(S::Diagnose, "");
    request.notes.insert(S::Diagnose, Note { before: text.to_owned(), result: None });
    let step = step_of(S::Diagnose).unwrap();
    assert_eq!(aws.runtime.block_on(step.prepare(&aws, &request)).as_deref(), Ok(text));
}

#[test]
fn a_step_whose_record_cannot_be_read_says_so_before_it_calls_anything() {
    let aws = aws();
    let unknown = || StepOutcome::Unknown(format!("what was written down before the step can't be read: {WHY}"));
    let failed = |words: &str| StepOutcome::Failed(format!("{words}: {WHY}"));
    let perform = |kind: S| {
        let request = request(kind, CUT);
        aws.runtime.block_on(step_of(kind).unwrap().perform(&aws, &request))
    };
    for kind in [S::Diagnose, S::RestartUnits, S::DrainApplication, S::SuspendProcesses, S::ResumeProcesses]
        .into_iter()
        .chain([S::EnterStandby, S::ExitStandby, S::SetUnhealthy, S::AwaitInService, S::CompleteLifecycle])
        .chain([S::Deregister, S::Register, S::Snapshot, S::CreateVolume, S::Detach, S::AttachNew, S::EnableIo])
        .chain([S::ReplaceRoot, S::Isolate, S::RestoreGroups])
    {
        assert_eq!(perform(kind), unknown(), "{kind:?}");
    }
    for kind in [S::Stop, S::Start] {
        assert_eq!(perform(kind), failed("how i-1 stood before can't be read"), "{kind:?}");
    }
    assert_eq!(perform(S::Launch), failed("the arguments of the launch can't be read"));
    assert_eq!(perform(S::KeepOld), failed("the tags can't be read"));
    assert_eq!(perform(S::MoveAddress), failed("the address can't be read"));
    assert_eq!(perform(S::PointDns), failed("the record to set can't be read"));
    assert_eq!(perform(S::AttachOld), StepOutcome::Done(String::new()));
}

#[test]
fn a_step_that_needs_no_record_goes_on_without() {
    let since = |goes_on: fn(&StepRequest, Unreadable) -> Result<Since, StepOutcome>, kind| {
        goes_on(&request(kind, CUT), Unreadable { error: WHY.to_owned() }).unwrap().at_ms
    };
    assert_eq!(since(snapshots::AwaitSnapshots::unreadable, S::AwaitSnapshot), UnixMs::MIN);
    assert_eq!(since(snapshots::FindSnapshots::unreadable, S::FindSnapshots), UnixMs::MIN);
    assert_eq!(since(volumes::DeleteVolume::unreadable, S::DeleteVolume), UnixMs::MIN);
    assert_eq!(since(volumes::DetachNew::unreadable, S::DetachNew), UnixMs::MIN);
    assert_eq!(since(launch::Discard::unreadable, S::Discard), NOW);
}

#[test]
fn a_search_without_its_record_fails_or_has_the_step_made_again() {
    let aws = aws();
    let find = |kind: S| {
        let request = request(kind, CUT);
        aws.runtime.block_on(step_of(kind).unwrap().find(&aws, &request))
    };
    let unreadable = Err(format!("what was written down before the step can't be read: {WHY}"));
    for kind in [S::Diagnose, S::RestartUnits, S::DrainApplication, S::Deregister, S::Register, S::Snapshot]
        .into_iter()
        .chain([S::Detach, S::Isolate, S::RestoreGroups])
    {
        assert_eq!(find(kind), unreadable, "{kind:?}");
    }
    for kind in [S::Stop, S::Start, S::KeepOld] {
        assert_eq!(find(kind), Err(WHY.to_owned()), "{kind:?}");
    }
    assert_eq!(find(S::Launch), Err(format!("the arguments of the launch can't be read: {WHY}")));
    assert_eq!(find(S::MoveAddress), Err(format!("the address can't be read: {WHY}")));
    for kind in [S::SuspendProcesses, S::ResumeProcesses, S::EnterStandby, S::ExitStandby, S::SetUnhealthy]
        .into_iter()
        .chain([S::AwaitInService, S::CompleteLifecycle, S::AwaitSnapshot, S::FindSnapshots, S::DeleteVolume])
        .chain([S::AttachOld, S::AttachNew, S::DetachNew, S::EnableIo, S::AwaitHealthy, S::PointDns])
    {
        assert_eq!(find(kind), Ok(None), "{kind:?}");
    }
}

#[test]
fn an_instance_in_no_group_has_nothing_to_come_back_to() {
    let aws = aws();
    for kind in [S::ExitStandby, S::ResumeProcesses, S::CompleteLifecycle, S::EnterStandby, S::SetUnhealthy] {
        let request = request(kind, SINCE);
        let outcome = aws.runtime.block_on(step_of(kind).unwrap().perform(&aws, &request));
        assert_eq!(outcome, StepOutcome::Done("i-1 is in no group".to_owned()), "{kind:?}");
    }
}
