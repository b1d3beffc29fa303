//! Announcements through `EventBridge` to a queue, over the wire: a rule chooses, calls fail in every way, and consumers that drop
//! repeats see each event once.

mod proxy;
mod refused;

use crate::person::Ran;
use forewarn_domain::prediction::Level;
use forewarn_log::{Cursors, EventLog, SqliteLog};
use forewarn_predict::episode_events::{EpisodeEvent, append_predictions};
use forewarn_testkit::moto::Moto;
use forewarn_testkit::root;
use forewarn_testkit::samples::prediction;
use proxy::{Fate, Proxy};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Makes a bus, and a rule on level high that feeds two queues; prints their URLs.
const RULE: &str = r#"
events, sqs = aws("events"), aws("sqs")
events.create_event_bus(Name="fleet")
pattern = {"source": ["forewarn"], "detail": {"confidence": ["high"]}}
events.put_rule(Name="urgent", EventBusName="fleet", EventPattern=json.dumps(pattern))
for n in ("one", "two"):
    url = sqs.create_queue(QueueName=n)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_targets(Rule="urgent", EventBusName="fleet", Targets=[{"Id": n, "Arn": arn}])
    print(url)
"#;

/// Writes 13 episodes, every third at level medium, one with a detail far too large; gives the ids of those at level high.
fn write_log(state: &Path) -> (BTreeSet<String>, usize) {
    std::fs::create_dir_all(state).unwrap();
    let log = SqliteLog::open(&state.join("log.sqlite")).unwrap();
    let mut high = BTreeSet::new();
    for n in 0..13 {
        let level = if n % 3 == 2 { Level::Medium } else { Level::High };
        let episode = format!("ep-{n}");
        let mut p = prediction(&format!("i-{n:017x}"), &episode, "2026-02-15T06:00:00Z", level);
        if n == 4 {
            p.factors = vec![p.factors[0].clone(); 2500];
        }
        append_predictions(&log, &p, &[EpisodeEvent::Opened]).unwrap();
        if level == Level::High {
            high.insert(log.read(&format!("episode/{episode}"), 1, 1).unwrap()[0].envelope.id.clone());
        }
    }
    (high, 13)
}

fn forewarn(moto: &Moto, url: &str, dir: &Path, args: &[&str]) -> Ran {
    let command = env!("CARGO_BIN_EXE_forewarn");
    let output = Command::new(command)
        .args(args)
        .current_dir(dir)
        .env_clear()
        .envs(moto.env())
        .env("AWS_ENDPOINT_URL", url)
        .output()
        .unwrap();
    Ran { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs a consumer and gives its lines.
fn consumed(mut command: Command, moto: &Moto, args: &[&str]) -> Vec<String> {
    let Output { status, stdout, stderr } =
        command.args(args).envs(moto.env()).env("AWS_DEFAULT_REGION", "us-east-1").output().unwrap();
    assert!(status.success(), "{args:?}: {}", text(&stderr));
    text(&stdout).lines().map(str::to_owned).collect()
}

/// Builds the consumer in Rust, as `cargo build --example consumer` does.
fn example() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "--locked", "--package", "forewarn", "--example", "consumer"])
        .current_dir(root())
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", text(&built.stderr));
    target.join("debug/examples/consumer")
}

fn python(moto: &Moto) -> Command {
    let mut command = Command::new(moto.interpreter());
    command.arg(root().join("pipeline/app/examples/consumer.py"));
    command
}

fn ids(lines: &[String]) -> BTreeSet<String> {
    lines.iter().map(|l| l.split("  ").nth(4).unwrap().to_owned()).collect()
}

#[test]
fn a_rule_on_high_feeds_queues_through_every_failure_and_consumers_see_each_event_once() {
    let Some(moto) = Moto::or_skip(&["events", "sqs"]) else { return };
    let queues = moto.python(RULE);
    let queues: Vec<&str> = queues.lines().collect();
    let dir = tempfile::tempdir().unwrap();
    let (high, all) = write_log(&dir.path().join("state"));
    let script =
        [Fate::Partial("ThrottlingException"), Fate::LoseReply, Fate::Refuse(500), Fate::Partial("InternalFailure")];
    let proxy = Proxy::start(&moto.url, &script);
    let emit = ["emit", "--state", "state", "--eventbridge", "fleet", "--format", "json"];
    let ran = forewarn(&moto, &proxy.url, dir.path(), &[&emit[..], &["--from-start"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&report["eventbridge"]["sent"], &report["bus"]["sent"]), (&all.into(), &all.into()), "{}", ran.out);
    let calls = proxy.calls.lock().unwrap().clone();
    assert_eq!(calls, [10, 4, 4, 4, 1], "ten at most, and only what was refused again, beside what is left");
    let again = forewarn(&moto, &proxy.url, dir.path(), &emit);
    let report: serde_json::Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(report["eventbridge"]["sent"], 0, "nothing is due twice");

    let count = format!(
        "print(aws('sqs').get_queue_attributes(QueueUrl='{}', AttributeNames=['All'])['Attributes']\
         ['ApproximateNumberOfMessages'])",
        queues[0]
    );
    let raw: usize = moto.python(&count).trim().parse().unwrap();
    assert!(raw > high.len(), "the lost reply repeated some: {raw}");
    let from_python = consumed(python(&moto), &moto, &["--queue", queues[0], "--once"]);
    let from_rust = consumed(Command::new(example()), &moto, &["--queue", queues[1], "--once"]);
    for lines in [&from_python, &from_rust] {
        assert_eq!((lines.len(), ids(lines)), (high.len(), high.clone()), "{lines:#?}");
        let trimmed: Vec<&String> = lines.iter().filter(|l| l.contains("trimmed: factors: ")).collect();
        assert_eq!(trimmed.len(), 1, "{lines:#?}");
        assert!(trimmed[0].contains("i-00000000000000004") && trimmed[0].ends_with(" of 2500"), "{trimmed:?}");
    }
    // The file has all of them, whole.
    let file = dir.path().join("state/events.jsonl");
    for lines in [
        consumed(python(&moto), &moto, &[file.to_str().unwrap()]),
        consumed(Command::new(example()), &moto, &[file.to_str().unwrap()]),
    ] {
        assert_eq!((lines.len(), ids(&lines).len()), (all, all));
        assert!(lines.iter().all(|l| !l.contains("trimmed")), "{lines:#?}");
    }
}

#[test]
fn a_bus_that_refuses_stops_no_other_and_stays_due() {
    let Some(moto) = Moto::or_skip(&["events", "sqs"]) else { return };
    moto.python(RULE);
    let dir = tempfile::tempdir().unwrap();
    let (_, all) = write_log(&dir.path().join("state"));
    let proxy = Proxy::start(&moto.url, &[Fate::Partial("NotAuthorizedForSourceException")]);
    let emit = ["emit", "--state", "state", "--eventbridge", "fleet", "--stdout", "--from-start"];
    let ran = forewarn(&moto, &proxy.url, dir.path(), &emit);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(
        ran.err.contains("NotAuthorizedForSourceException") && ran.err.contains("eventbridge fleet"),
        "{}",
        ran.err
    );
    assert_eq!(ran.out.lines().count(), all, "stdout was fed");
    let log = SqliteLog::open(&dir.path().join("state/log.sqlite")).unwrap();
    let at = |name| log.cursor(name).unwrap() as usize;
    assert_eq!((at("bus"), at("stdout"), at("eventbridge")), (all, all, 0));
    let ran = forewarn(&moto, &proxy.url, dir.path(), &["emit", "--state", "state", "--eventbridge", "fleet"]);
    assert_eq!((ran.code, log.cursor("eventbridge").unwrap() as usize), (0, all), "{}", ran.err);
}
