//! The event log in DynamoDB over the wire: it conforms, writers do not get into each other's way, and lost replies write nothing twice.

mod cells;
mod tamper;
mod upkeep;

use forewarn_lab::fault_proxy::{FaultProxy, Script};
use forewarn_log::conformance::{self, sample};
use forewarn_log::{AppendError, Cursors, DynamoLog, Event, EventLog, Expected, LogError, NewEvent};
use forewarn_runtime::aws::Aws;
use forewarn_runtime::clock::{Clock, ManualClock, SystemClock};
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::{Call, unregistered};
use forewarn_testkit::moto::Moto;
use std::cell::Cell;
use std::sync::Arc;

/// The way to a server at `url`, which may be a proxy's.
fn reach(url: &str) -> Aws {
    let region = aws_config::Region::new("us-east-1");
    let keys = aws_credential_types::Credentials::new("test", "test", None, None, "test");
    Aws::load_with(|l| l.endpoint_url(url).region(region).credentials_provider(keys)).unwrap()
}

fn ctx(clock: impl Clock + 'static) -> RuntimeContext {
    RuntimeContext { metrics: unregistered(), clock: Arc::new(clock), stop: Interrupt::default() }
}

/// Makes a table where there is none, and opens the log in it; waits take no time.
fn create(url: &str, table: &str) -> DynamoLog {
    let aws = reach(url);
    let config = aws.base().clone();
    DynamoLog::create(aws, &config, table, ctx(ManualClock::default())).unwrap()
}

/// As [`create`], with waits that take their time: writers that contend give way to each other.
fn contending(aws: &Aws, table: &str) -> DynamoLog {
    DynamoLog::create(aws.clone(), aws.base(), table, ctx(SystemClock)).unwrap()
}

fn samples(ids: impl IntoIterator<Item = u32>) -> Vec<NewEvent> {
    ids.into_iter().map(|n| sample(&n.to_string())).collect()
}

/// An event with a summary so long.
fn long(id: &str, length: usize) -> NewEvent {
    let mut new = sample(id);
    if let Event::PolicyChanged(p) = &mut new.event {
        p.summary = "x".repeat(length);
    }
    new
}

#[test]
fn dynamodb_conforms() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    let (aws, made) = (reach(&moto.url), Cell::new(0));
    conformance::run(|| {
        made.set(made.get() + 1);
        contending(&aws, &format!("log-{}", made.get()))
    });
}

#[test]
fn handles_of_one_table_do_not_get_into_each_others_way() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    let aws = reach(&moto.url);
    let handles: Vec<DynamoLog> = (0..4).map(|_| contending(&aws, "log")).collect();
    conformance::concurrent(&handles.iter().collect::<Vec<_>>());
    let report = handles[3].verify().unwrap();
    assert_eq!((report.entries, report.streams, report.fault), (100, 5, None));
    let raced: Vec<DynamoLog> = (0..4).map(|_| contending(&aws, "race")).collect();
    conformance::one_of_many_wins(&raced.iter().collect::<Vec<_>>());
    assert_eq!(raced[0].verify().unwrap().fault, None);
}

fn proxied(moto: &Moto, script: &str) -> FaultProxy {
    FaultProxy::start("127.0.0.1:0".parse().unwrap(), &moto.url, Script::parse(script).unwrap(), None).unwrap()
}

#[test]
fn whatever_fails_every_append_is_there_once_and_knows_it() {
    // With tokens, as AWS has them for ten minutes, the call that is made again after a lost reply says that it is done.
    let known = appends_under_faults(&["dynamodb", "tokens"]);
    // Without them, a condition fails, and the next look finds the append's own mark.
    let unknown = appends_under_faults(&["dynamodb"]);
    if let Some((known, unknown)) = known.zip(unknown) {
        assert!(known < unknown, "looks: {known} with tokens, {unknown} without");
    }
}

/// Appends while calls fail in every way, checks the log, and gives how often it was looked at; nothing where there is no server.
fn appends_under_faults(services: &[&str]) -> Option<u64> {
    let moto = Moto::or_skip(services)?;
    let proxy = proxied(
        &moto,
        r#"{"seed": 5, "rules": [
            {"operation": "TransactWriteItems", "every": 3, "action": "lose_reply"},
            {"operation": "TransactWriteItems", "every": 4, "action": "throttle"},
            {"operation": "TransactWriteItems", "every": 5, "action": "reset"},
            {"operation": "TransactGetItems", "every": 5, "action": {"http": 500}},
            {"operation": "TransactGetItems", "every": 3, "action": "lose_reply"},
            {"operation": "BatchGetItem", "every": 2, "action": "throttle"},
            {"operation": "UpdateItem", "every": 2, "action": "lose_reply"},
            {"operation": "Query", "every": 3, "action": "reset"},
            {"operation": "GetItem", "every": 3, "action": {"http": 503}}
        ]}"#,
    );
    let aws = reach(&proxy.url());
    let surroundings = ctx(ManualClock::default());
    let log = DynamoLog::create(aws.clone(), aws.base(), "log", surroundings.clone()).unwrap();
    for n in 0..12 {
        let expected = Expected::Version(u64::from(n) * 2);
        let appended = log.append("a", expected, &samples([2 * n, 2 * n + 1])).unwrap();
        assert_eq!((appended.written, appended.entries[0].version), (2, u64::from(n) * 2 + 1), "of append {n}");
        log.advance("bus", u64::from(n)).unwrap();
        assert_eq!(log.cursor("bus").unwrap(), u64::from(n));
    }
    assert_eq!((log.head().unwrap(), log.length("a").unwrap()), (24, 24));
    conformance::check_chain(&log.read_all(0, 100).unwrap());
    assert_eq!(log.read("a", 1, 100).unwrap().len(), 24);
    assert_eq!(log.verify().unwrap().fault, None);
    let faults = proxy.faults();
    for kind in ["lose_reply", "throttle", "reset", "http"] {
        assert!(faults.get(kind).is_some_and(|n| *n > 1), "{kind}: {faults:?}");
    }
    let metrics = &surroundings.metrics;
    let retries = |operation| metrics.retries.get_or_create(&Call { service: "dynamodb", operation }).get();
    assert!(retries("TransactWriteItems") > 3 && retries("BatchGetItem") > 0, "{faults:?}");
    let looks = Call { service: "dynamodb", operation: "TransactGetItems" };
    Some(metrics.calls.get_or_create(&looks).get() - retries("TransactGetItems"))
}

#[test]
fn an_append_given_up_after_it_took_effect_is_found_by_the_next_one() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    let proxy = proxied(
        &moto,
        r#"{"rules": [
            {"operation": "TransactWriteItems", "nth": 1, "action": "lose_reply"},
            {"operation": "TransactWriteItems", "times": 9, "action": "reset"}
        ]}"#,
    );
    let log = create(&proxy.url(), "log");
    let error = log.append("a", Expected::NoStream, &samples([1, 2])).unwrap_err();
    assert!(matches!(error, AppendError::Log(LogError::Unavailable { .. })), "{error:?}");
    let other = create(&moto.url, "log");
    let again = other.append("a", Expected::NoStream, &samples([1, 2])).unwrap();
    assert_eq!((again.written, other.head().unwrap()), (0, 2));
    assert_eq!(again.entries, log.read("a", 1, 10).unwrap());
}

#[test]
fn partitions_and_pages_follow_each_other() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    let log = create(&moto.url, "log");
    // A log that is said to have 997 entries already: those after them cross into the next partition.
    moto.python(
        "aws('dynamodb').put_item(TableName='log', Item=dict(pk=dict(S='head'), sk=dict(N='0'), position=dict(N='997'), \
         hash=dict(S='0' * 64), format=dict(N='1')))",
    );
    log.append("a", Expected::NoStream, &samples(1..=5)).unwrap();
    log.append("b", Expected::NoStream, &samples(6..=6)).unwrap();
    let positions = |after, limit| {
        let entries = log.read_all(after, limit).unwrap();
        entries.iter().map(|e| e.position).collect::<Vec<_>>()
    };
    assert_eq!(positions(997, 100), (998..=1003).collect::<Vec<_>>());
    assert_eq!(positions(998, 1), [999]);
    assert_eq!(positions(999, 2), [1000, 1001]);
    assert_eq!(positions(997, 3), [998, 999, 1000]);
    assert_eq!(positions(1003, 3), [0; 0]);
    let known = log.append("c", Expected::Any, &samples([5, 2, 6])).unwrap();
    assert_eq!(known.entries.iter().map(|e| e.position).collect::<Vec<_>>(), [1002, 999, 1003]);

    // A page holds 1 MB.
    let large = create(&moto.url, "large");
    for n in 0..6 {
        large.append("a", Expected::Any, &[long(&n.to_string(), 390_000)]).unwrap();
    }
    assert_eq!((large.read_all(0, 100).unwrap().len(), large.read("a", 2, 4).unwrap().len()), (6, 4));
    assert_eq!(large.verify().unwrap().entries, 6);
}

#[test]
fn what_one_transaction_cannot_hold_is_refused_as_a_whole() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    let log = create(&moto.url, "log");
    let refused = |events: &[NewEvent]| {
        let error = log.append("a", Expected::Any, events).unwrap_err();
        assert!(matches!(error, AppendError::TooLarge { .. }), "{error:?}");
        assert_eq!((log.head().unwrap(), log.length("a").unwrap()), (0, 0));
        error.to_string()
    };
    assert!(refused(&samples(0..33)).contains("at most 32"));
    assert!(refused(&[sample("1"), long("2", 400_000)]).contains("at most 400000"));
    let six: Vec<NewEvent> = (0..6).map(|n| long(&n.to_string(), 390_000)).collect();
    assert!(refused(&six).contains("at most 4000000"));
    assert_eq!(log.append("a", Expected::Any, &samples(0..32)).unwrap().written, 32);
    assert_eq!(log.append("a", Expected::Any, &samples(0..33)).unwrap().written, 1, "what is known takes no room");
}

#[test]
fn a_table_is_made_once_and_another_programs_is_left_alone() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    let aws = reach(&moto.url);
    let open = |table: &str| DynamoLog::open(aws.clone(), aws.base(), table, ctx(ManualClock::default()));
    let refused = |table: &str, says: &str| {
        let error = open(table).unwrap_err();
        assert!(matches!(error, LogError::Foreign { .. }) && error.to_string().contains(says), "{error}");
    };
    refused("log", "dynamodb:us-east-1:log: there is no such table; make one whose partition key is pk (string)");
    create(&moto.url, "log").append("a", Expected::NoStream, &samples([1])).unwrap();
    create(&moto.url, "log");
    assert_eq!(open("log").unwrap().head().unwrap(), 1, "it was not made anew");
    let facts = "d, t = aws('dynamodb'), dict(TableName='log')\n\
                 b = d.describe_continuous_backups(**t)['ContinuousBackupsDescription']['PointInTimeRecoveryDescription']\n\
                 print(d.describe_table(**t)['Table']['BillingModeSummary']['BillingMode'], b['PointInTimeRecoveryStatus'])\n\
                 d.put_item(**t, Item=dict(pk=dict(S='head'), sk=dict(N='0'), position=dict(N='1'), format=dict(N='2')))\n\
                 a = lambda n, t: dict(AttributeName=n, AttributeType=t)\n\
                 k = lambda n, t: dict(AttributeName=n, KeyType=t)\n\
                 d.create_table(TableName='mine', BillingMode='PAY_PER_REQUEST', KeySchema=[k('id', 'HASH')],\n\
                 AttributeDefinitions=[a('id', 'S')])";
    assert_eq!(moto.python(facts).trim(), "PAY_PER_REQUEST ENABLED");
    refused("log", "upgrade forewarn");
    refused("mine", "its keys are id (HASH S)");
    let error = DynamoLog::create(aws.clone(), aws.base(), "mine", ctx(ManualClock::default())).unwrap_err();
    assert!(matches!(error, LogError::Foreign { .. }), "{error}");
}
