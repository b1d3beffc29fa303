//! Remote ports that accept and say nothing: whoever waits for one still ends when it is asked to.

use forewarn_log::event::incident::{IncidentClass, IncidentObserved};
use forewarn_log::{Event, EventLog, Expected, NewEvent, SqliteLog, log_path};
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a process may take to end once it was asked to.
const PROMISED: Duration = Duration::from_secs(10);
/// A call that no part makes is not waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// A port that accepts, hears a request, and says nothing; it tells of each connection on which something was asked.
struct Silent {
    url: String,
    asked: Receiver<TcpStream>,
}

impl Silent {
    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let mut line = String::new();
                if reader.read_line(&mut line).is_ok() && tell.send(reader.into_inner()).is_err() {
                    return;
                }
            }
        });
        Self { url, asked }
    }
}

fn start(args: &[&str], url: &str, dir: &std::path::Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(args)
        .current_dir(dir)
        .env_clear()
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "eu-central-1")])
        .envs([("AWS_ENDPOINT_URL", url), ("AWS_EC2_METADATA_DISABLED", "true")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Something to announce, and accounts to take a role on in.
fn prepare(dir: &std::path::Path) {
    let log = SqliteLog::open(&log_path(&dir.join("state"))).unwrap();
    let event = Event::IncidentObserved(IncidentObserved {
        incident_id: "one".to_owned(),
        instance_id: "i-1".to_owned(),
        account: "unknown".to_owned(),
        region: "unknown".to_owned(),
        workload: None,
        start: "2026-02-15T06:00:00Z".to_owned(),
        end: None,
        class: IncidentClass::Failure,
        cause: None,
        predictable: None,
        evidence: "seen".to_owned(),
    });
    let new = NewEvent::new("one", "i-1", jiff::Timestamp::UNIX_EPOCH, event);
    log.append("s", Expected::Any, &[new]).unwrap();
    std::fs::write(dir.join("accounts.toml"), "[[account]]\nrole = \"arn:aws:iam::123456789012:role/read\"\n").unwrap();
}

/// Starts the program, waits until it has asked, asks it to end, and gives how long that took.
fn ended(args: &[&str]) -> (Duration, String) {
    let (silent, dir) = (Silent::listen(), tempfile::tempdir().unwrap());
    std::fs::create_dir(dir.path().join("state")).unwrap();
    prepare(dir.path());
    let mut child = start(args, &silent.url, dir.path());
    // The connection stays open until the end.
    let asked = silent.asked.recv_timeout(PATIENCE);
    let began = Instant::now();
    let signalled = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success();
    child.wait().unwrap();
    let took = began.elapsed();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(signalled && asked.is_ok(), "{args:?} did not ask: {said}");
    (took, said)
}

#[test]
fn whoever_waits_for_a_port_that_says_nothing_ends_within_ten_seconds_of_being_asked() {
    let state = ["--state", "state"];
    let run = |part: &'static str| vec!["run", "--only", part, "--history", "history", "--state", "state"];
    let role = vec!["--select", "all", "--accounts", "accounts.toml"];
    let cases: Vec<(&str, Vec<&str>)> = vec![
        ("CloudWatch and EC2", [run("ingest"), vec!["--select", "all"]].concat()),
        ("STS", [run("ingest"), role].concat()),
        ("EventBridge", [vec!["emit", "--eventbridge", "fleet", "--from-start"], state.to_vec()].concat()),
        ("SQS", [run("events"), vec!["--queue", "http://sqs.eu-central-1.localhost/1/q"]].concat()),
        ("Kinesis", [run("archive"), vec!["--stream", "kinesis:fleet"]].concat()),
        ("S3", vec!["run", "--only", "archive", "--history", "s3://fleet/history", "--state", "state"]),
        ("DynamoDB", [vec!["respond", "--recovery-log", "dynamodb:recoveries"], state.to_vec()].concat()),
    ];
    let took: Vec<(&str, Duration, String)> = std::thread::scope(|scope| {
        let running: Vec<_> = cases.iter().map(|(name, args)| (*name, scope.spawn(|| ended(args)))).collect();
        running
            .into_iter()
            .map(|(name, thread)| {
                let (took, said) = thread.join().unwrap();
                (name, took, said)
            })
            .collect()
    });
    for (name, took, said) in took {
        assert!(took < PROMISED, "{name}: {took:?}: {said}");
    }
}
