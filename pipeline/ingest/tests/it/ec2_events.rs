use forewarn_events::{Reason, parse};
use forewarn_ingest::event_log::rows;
use forewarn_log::MemoryLog;
use forewarn_log::{Event, NewEvent};
use serde_json::{Value, json};

const I: &str = "i-0123456789abcdef0";

pub(super) fn event(source: &str, detail_type: &str, detail: Value) -> Value {
    let mut event = json!({
        "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": detail_type, "source": source,
        "account": "123456789012", "time": "2026-02-15T06:00:00Z", "region": "eu-west-1",
        "resources": [format!("arn:aws:ec2:eu-west-1:123456789012:instance/{I}"),
                      "arn:aws:ec2:eu-west-1:123456789012:volume/vol-0123456789abcdef0"],
    });
    event["detail"] = detail;
    event
}

fn state(state: &str) -> Value {
    event("aws.ec2", "EC2 Instance State-change Notification", json!({"instance-id": I, "state": state}))
}

fn parsed(value: &Value) -> Result<Vec<NewEvent>, Reason> {
    parse(value.to_string().as_bytes())
}

/// Kind, code and start of a row of the history.
type Row = (String, String, Option<i64>);

/// The types of the events, and kind, code and start of the history's rows.
fn types_and_rows(value: &Value) -> (Vec<String>, Vec<Row>) {
    let events = parsed(value).unwrap_or_else(|e| panic!("{e}: {value:#}"));
    for e in &events {
        e.seal().unwrap();
    }
    let types = events.iter().map(|e| e.event.type_().trim_start_matches("forewarn.").to_owned()).collect();
    let rows = events
        .iter()
        .flat_map(|e| rows(e, 7))
        .inspect(|r| assert_eq!((r.instance_id.as_str(), r.ingested_at), (I, Some(7))));
    (types, rows.map(|r| (r.kind, r.code, r.starts_at)).collect())
}

fn row(kind: &str, code: &str, starts_at: Option<i64>) -> Row {
    (kind.to_owned(), code.to_owned(), starts_at)
}

/// 2026-02-15T06:00:00Z.
const T: i64 = 1_771_135_200_000;

#[test]
fn a_change_of_state_is_the_same_however_it_is_wrapped() {
    let plain = state("shutting-down");
    let (types, rows) = types_and_rows(&plain);
    assert_eq!(
        (types, rows),
        (vec!["instance.state_changed.v1".to_owned()], vec![row("state_changed", "shutting-down", None)])
    );
    let sns = json!({"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": plain.to_string()});
    let events = parsed(&plain).unwrap();
    assert_eq!(events[0].id, "eventbridge/6a7e8feb-b491-4cf7-a9f1-bf3703467718");
    assert_eq!((events[0].source.as_str(), events[0].subject.as_str()), ("aws.ec2", I));
    assert_eq!(parsed(&sns).unwrap(), events);
    assert_eq!(parsed(&json!({"MessageId": "1", "Body": plain.to_string()})).unwrap(), events);
    assert_eq!(parsed(&json!({"Body": sns.to_string()})).unwrap(), events);
}

#[test]
fn spot_warns_two_minutes_ahead_and_hibernates_at_once() {
    let warning = |action: &str| {
        types_and_rows(&event(
            "aws.ec2",
            "EC2 Spot Instance Interruption Warning",
            json!({"instance-id": I, "instance-action": action}),
        ))
        .1
    };
    assert_eq!(warning("terminate"), [row("spot.interruption_warned", "terminate", Some(T + 120_000))]);
    assert_eq!(warning("hibernate"), [row("spot.interruption_warned", "hibernate", Some(T))]);
    let rebalance = event("aws.ec2", "EC2 Instance Rebalance Recommendation", json!({"instance-id": I}));
    assert_eq!(types_and_rows(&rebalance).0, ["spot.rebalance_recommended.v1"]);
}

#[test]
fn a_group_says_why_an_instance_left() {
    let ended = |cause: &str| {
        types_and_rows(&event(
            "aws.autoscaling",
            "EC2 Instance Terminate Successful",
            json!({"AutoScalingGroupName": "web", "EC2InstanceId": I, "Cause": cause}),
        ))
        .1
    };
    let shrunk = "At 2026-02-15T05:59:00Z an instance was taken out of service in response to a difference between desired and actual \
                  capacity, shrinking the capacity from 4 to 3.";
    assert_eq!(ended(shrunk), [row("left", "scale_in", None)]);
    assert_eq!(ended("… in response to a user request"), [row("left", "terminated", None)]);
    assert_eq!(
        ended("… in response to an EC2 health check indicating it has been terminated"),
        [row("left", "gone", None)]
    );
    let unanswered = "… in response to an ELB system health check failure.";
    assert_eq!(ended(unanswered), [row("probe", "down", None), row("left", "gone", None)]);
    let refresh = event(
        "aws.autoscaling",
        "EC2 Auto Scaling Instance Refresh Started",
        json!({"AutoScalingGroupName": "web", "InstanceRefreshId": "x"}),
    );
    assert_eq!(types_and_rows(&refresh).0, ["group.changed.v1"]);
    assert_eq!(parsed(&refresh).unwrap()[0].subject, "asg/web");
}

#[test]
fn causes_of_departures_are_read_as_aws_words_them() {
    let ended = |cause: &str| {
        let cause = format!("At 2026-02-15T05:59:00Z an instance was taken out of service in response to {cause}.");
        let detail = json!({"AutoScalingGroupName": "web", "EC2InstanceId": I, "Cause": cause});
        let rows = types_and_rows(&event("aws.autoscaling", "EC2 Instance Terminate Successful", detail)).1;
        rows.into_iter().map(|(kind, code, _)| format!("{kind} {code}")).collect::<Vec<_>>()
    };
    for (cause, rows) in [
        ("an EC2 instance status checks failure", &["group.unhealthy status_checks", "left gone"][..]),
        ("an EC2 scheduled reboot", &["left maintenance"]),
        ("an EC2 health check indicating it has been terminated or stopped", &["left gone"]),
        ("a user health-check", &["left terminated"]),
        ("an ELB system health check failure", &["probe down", "left gone"]),
    ] {
        assert_eq!(ended(cause), rows, "{cause}");
    }
}

#[test]
fn what_a_group_notifies_by_itself_is_what_the_bus_says_of_it() {
    let hook = json!({"LifecycleHookName": "drain", "AccountId": "123456789012", "RequestId": "r",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "AutoScalingGroupName": "web", "Service": "AWS Auto Scaling",
        "Time": "2026-02-15T06:00:00.123Z", "EC2InstanceId": I, "LifecycleActionToken": "t1"});
    let (events, bus) = (parsed(&hook).unwrap(), json!({"AutoScalingGroupName": "web", "EC2InstanceId": I}));
    let Event::GroupChanged(said) = &events[0].event else { panic!() };
    let told = parsed(&event("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action", bus)).unwrap();
    let Event::GroupChanged(told) = &told[0].event else { panic!() };
    assert_eq!((said.activity, &said.account, said.instance_id.as_deref()), (told.activity, &told.account, Some(I)));
    assert_eq!(parsed(&hook).unwrap()[0].id, events[0].id);
    let mut other = hook.clone();
    other["LifecycleActionToken"] = json!("t2");
    assert_ne!(parsed(&other).unwrap()[0].id, events[0].id);
    let sns = json!({"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": hook.to_string()});
    assert_eq!(parsed(&sns).unwrap(), events);
    let test = json!({"AutoScalingGroupName": "web", "Event": "autoscaling:TEST_NOTIFICATION", "Time": "2026-02-15T06:00:00Z"});
    assert_eq!(parsed(&test), Ok(Vec::new()));
    let ended = json!({"AutoScalingGroupName": "web", "Event": "autoscaling:EC2_INSTANCE_TERMINATE", "ActivityId": "a",
        "AutoScalingGroupARN": "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:x:autoScalingGroupName/web",
        "AccountId": "123456789012", "EC2InstanceId": I, "Time": "2026-02-15T06:00:00Z", "Cause": "… a user request"});
    assert_eq!(types_and_rows(&ended).1, [row("left", "terminated", None)]);
    let Event::GroupChanged(said) = &parsed(&ended).unwrap()[0].event else { panic!() };
    assert_eq!(said.region, "eu-west-1");
    for (key, wrong) in [("LifecycleTransition", "autoscaling:X"), ("EC2InstanceId", "../x"), ("Time", "soon")] {
        let mut bad = hook.clone();
        bad[key] = json!(wrong);
        assert!(parsed(&bad).is_err(), "{key}");
    }
}

fn alarm(metric: &str, value: &str) -> Value {
    let metric = json!({"id": "m", "metricStat": {"period": 300, "stat": "Maximum", "metric":
        {"namespace": "AWS/EC2", "name": metric, "dimensions": {"InstanceId": I}}}, "returnData": true});
    event(
        "aws.cloudwatch",
        "CloudWatch Alarm State Change",
        json!({"alarmName": "web down", "state": {"value": value, "reason": "r"}, "previousState": {"value": "OK"},
               "configuration": {"metrics": [metric]}}),
    )
}

#[test]
fn an_alarm_over_a_status_check_says_that_it_failed() {
    let (types, rows) = types_and_rows(&alarm("StatusCheckFailed_System", "ALARM"));
    assert_eq!(types, ["alarm.changed.v1", "instance.check_failed.v1"]);
    assert_eq!(rows, [row("alarm.changed", "alarm", None), row("check_failed", "system", Some(T - 300_000))]);
    assert_eq!(types_and_rows(&alarm("StatusCheckFailed_System", "OK")).0, ["alarm.changed.v1"]);
    assert_eq!(types_and_rows(&alarm("CPUUtilization", "ALARM")).0, ["alarm.changed.v1"]);
    // How long it has failed is told by period and datapoints; what was seen before a gap or below the threshold counts no more.
    let mut longer = alarm("StatusCheckFailed", "ALARM");
    for (points, periods) in [(json!([1.0, 1.0]), 2), (json!([1.0, 0.0, 1.0]), 1), (json!([1.0, null, 1.0, 1.0]), 2)] {
        let data = json!({"period": 300, "recentDatapoints": points, "threshold": 0.0}).to_string();
        longer["detail"]["state"]["reasonData"] = json!(data);
        assert_eq!(types_and_rows(&longer).1[1], row("check_failed", "any", Some(T - periods * 300_000)));
    }
    longer["detail"]["state"]["reasonData"] = json!("{");
    assert_eq!(types_and_rows(&longer).1[1], row("check_failed", "any", Some(T - 300_000)));
    let composite = event(
        "aws.cloudwatch",
        "CloudWatch Alarm State Change",
        json!({"alarmName": "all", "state": {"value": "ALARM"}, "configuration": {"alarmRule": "ALARM(a)"}}),
    );
    assert_eq!(parsed(&composite).unwrap()[0].subject, "alarm/all");
}

fn notification(metric: &str, value: &str) -> Value {
    json!({"AlarmName": "web down", "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:web down",
           "AWSAccountId": "123456789012", "NewStateValue": value, "OldStateValue": "OK", "NewStateReason": "r",
           "StateChangeTime": "2026-02-15T06:00:00.417+0000", "Region": "EU (Ireland)",
           "Trigger": {"MetricName": metric, "Namespace": "AWS/EC2", "Period": 60,
                       "Dimensions": [{"value": I, "name": "InstanceId"}]}})
}

#[test]
fn an_alarm_says_the_same_to_its_topic_as_to_the_bus() {
    let plain = notification("StatusCheckFailed_Instance", "ALARM");
    let (types, rows) = types_and_rows(&plain);
    assert_eq!(types, ["alarm.changed.v1", "instance.check_failed.v1"]);
    assert_eq!(rows, [row("alarm.changed", "alarm", None), row("check_failed", "instance", Some(T - 60_000))]);
    let mut of_several = plain.clone();
    of_several["Trigger"]["EvaluationPeriods"] = json!(5);
    assert_eq!(types_and_rows(&of_several).1[1].2, Some(T - 300_000));
    of_several["Trigger"]["DatapointsToAlarm"] = json!(2);
    assert_eq!(types_and_rows(&of_several).1[1].2, Some(T - 120_000));
    let changed = |v: &Value| parsed(v).unwrap()[0].event.clone();
    assert_eq!(changed(&plain), changed(&alarm("StatusCheckFailed_Instance", "ALARM")));
    assert_eq!(types_and_rows(&notification("StatusCheckFailed_Instance", "OK")).0, ["alarm.changed.v1"]);
    // The same change twice, in whatever wrapping, is the same event; another time is another.
    let sns = json!({"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": plain.to_string()});
    assert_eq!(parsed(&sns).unwrap(), parsed(&plain).unwrap());
    let mut later = plain.clone();
    later["StateChangeTime"] = json!("2026-02-15T06:05:00.000+0000");
    assert_ne!(parsed(&later).unwrap()[0].id, parsed(&plain).unwrap()[0].id);
    // What is computed of several metrics names its instance all the same, and no check.
    let of = |metric: &str| {
        let metric =
            json!({"MetricName": metric, "Namespace": "AWS/EC2", "Dimensions": [{"name": "InstanceId", "value": I}]});
        json!({"MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}})
    };
    let mut math = plain.clone();
    math["Trigger"] = json!({"Metrics": [{"Expression": "a+b"}, of("StatusCheckFailed_System"), of("CPUUtilization")]});
    assert_eq!(types_and_rows(&math).0, ["alarm.changed.v1"]);
    for (path, wrong) in [
        ("/NewStateValue", json!("FINE")),
        ("/StateChangeTime", json!("soon")),
        ("/Trigger/Dimensions/0/value", json!("../x")),
        ("/Trigger/Period", json!(-1)),
        ("/AWSAccountId", json!("1")),
    ] {
        let mut bad = plain.clone();
        *bad.pointer_mut(path).unwrap() = wrong;
        assert!(parsed(&bad).is_err(), "{path}");
    }
}

fn health(status: &str) -> Value {
    event(
        "aws.health",
        "AWS Health Event",
        json!({"eventArn": "arn:aws:health:us-east-1::event/EC2/x", "service": "EC2", "statusCode": status,
               "eventTypeCode": "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED", "eventTypeCategory": "scheduledChange",
               "startTime": "Sun, 01 Mar 2026 00:00:00 GMT", "eventRegion": "us-east-1",
               "affectedEntities": [{"entityValue": I}, {"entityValue": "vol-0123456789abcdef0"}]}),
    )
}

#[test]
fn scheduled_work_is_maintenance_with_its_date_until_it_is_closed() {
    let due = 1_772_323_200_000;
    let code = "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED";
    assert_eq!(types_and_rows(&health("upcoming")).1, [row("maintenance", code, Some(due))]);
    let over = |status: &str| rows(&parsed(&health(status)).unwrap()[0], 7)[0].is_over();
    assert_eq!((over("upcoming"), over("open"), over("closed")), (false, false, true));
    let Event::HealthEvent(e) = &parsed(&health("open")).unwrap()[0].event else { panic!() };
    assert_eq!((e.region.as_str(), e.instances.as_slice()), ("us-east-1", &[I.to_owned()][..]));
}

#[test]
fn an_entity_of_a_health_event_has_a_status_of_its_own() {
    const OTHER: &str = "i-0123456789abcdef1";
    let mut split = health("upcoming");
    split["detail"]["affectedEntities"] =
        json!([{"entityValue": I, "status": "PENDING"}, {"entityValue": OTHER, "status": "RESOLVED"}]);
    let events = parsed(&split).unwrap();
    let Event::HealthEvent(e) = &events[0].event else { panic!() };
    assert_eq!((e.instances.as_slice(), e.resolved.as_slice()), (&[I.to_owned()][..], &[OTHER.to_owned()][..]));
    let over: Vec<(String, bool)> = rows(&events[0], 7).iter().map(|r| (r.instance_id.clone(), r.is_over())).collect();
    assert_eq!(over, [(I.to_owned(), false), (OTHER.to_owned(), true)]);
    assert!(rows(&events[0], 7).iter().all(|r| r.health_arn() == Some("arn:aws:health:us-east-1::event/EC2/x")));
}

#[test]
fn deployments_and_commands_are_declared_changes_once_they_are_done() {
    let deploy = |state: &str| {
        types_and_rows(&event(
            "aws.codedeploy",
            "CodeDeploy Deployment State-change Notification",
            json!({"application": "shop", "deploymentId": "d-1", "deploymentGroup": "web", "state": state}),
        ))
        .0
    };
    assert_eq!((deploy("SUCCESS").len(), deploy("FAILURE").len(), deploy("START").len()), (1, 1, 0));
    let command = |document: &str, status: &str| {
        let detail = json!({"command-id": "c", "document-name": document, "status": status, "instance-id": I});
        types_and_rows(&event("aws.ssm", "EC2 Command Invocation Status-change Notification", detail)).0
    };
    assert_eq!(command("AWS-RunShellScript", "Success"), ["change.marked.v1"]);
    assert!(command("AWS-RunShellScript", "Failed").is_empty());
    assert!(command("AWS-GatherSoftwareInventory", "Success").is_empty());
    let volume =
        event("aws.ec2", "EBS Volume Notification", json!({"event": "modifyVolume", "result": "failed", "cause": ""}));
    assert_eq!(types_and_rows(&volume).0, ["volume.changed.v1"]);
}

#[test]
fn what_is_wrong_is_named() {
    let with = |path: &str, value: Value| {
        let mut bad = state("running");
        *bad.pointer_mut(path).unwrap() = value;
        parsed(&bad).unwrap_err()
    };
    assert_eq!(with("/id", Value::Null).to_string(), "id is missing");
    assert_eq!(with("/detail/instance-id", Value::Null).to_string(), "detail.instance-id is missing");
    assert_eq!(with("/detail/instance-id", json!(7)).to_string(), "detail.instance-id is a number, expected a string");
    assert_eq!(with("/detail/instance-id", json!("i-1")).name(), "bad_id");
    assert_eq!(with("/account", json!("me")).name(), "bad_id");
    assert_eq!(with("/time", json!("yesterday")).name(), "bad_time");
    assert_eq!(with("/detail/state", json!("flying")).name(), "bad_value");
    assert_eq!(with("/detail", json!([])).name(), "wrong_type");
    assert_eq!(with("/detail-type", json!("Weather")).name(), "unknown_type");
    assert_eq!(with("/resources", json!(vec!["a"; 1001])).name(), "too_many");
    assert_eq!(with("/detail/state", json!("x".repeat(300_000))).name(), "oversized");
    assert_eq!(parse(b"[]").unwrap_err().name(), "wrong_type");
}

#[test]
fn what_comes_twice_is_in_the_log_once_and_gives_the_same_rows() {
    let log = MemoryLog::new();
    let envelopes: Vec<_> =
        parsed(&alarm("StatusCheckFailed_System", "ALARM")).unwrap().iter().map(|e| e.seal().unwrap()).collect();
    let taken = |at| {
        let arrived: Vec<_> = envelopes.iter().map(|e| (e, at)).collect();
        let taken = forewarn_ingest::event_log::take(&log, &arrived).unwrap();
        taken.into_iter().map(Result::unwrap).collect::<Vec<_>>()
    };
    assert_eq!(taken(1), taken(1));
    assert_eq!(forewarn_log::EventLog::head(&log).unwrap(), 2);
}

#[test]
fn an_event_that_the_log_never_takes_keeps_none_of_the_others_from_it() {
    let log = MemoryLog::new();
    let envelopes: Vec<_> =
        parsed(&alarm("StatusCheckFailed_System", "ALARM")).unwrap().iter().map(|e| e.seal().unwrap()).collect();
    let mut unfit = envelopes[0].clone();
    unfit.data = json!("no alarm");
    let arrived = [(&envelopes[0], 1), (&unfit, 1), (&envelopes[1], 1)];
    let taken = forewarn_ingest::event_log::take(&log, &arrived).unwrap();
    assert_eq!(taken.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(forewarn_log::EventLog::head(&log).unwrap(), 2);
}
