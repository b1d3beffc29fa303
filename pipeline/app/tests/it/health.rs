//! What a running process tells Prometheus of itself when what it needs is refused.

use forewarn_testkit::exposition::Exposition;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const DENIED: &str = r#"{"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "no"}"#;

/// A port on which each call is denied; it tells of each call before it answers.
fn denying() -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            read_request(&mut stream);
            if tell.send(()).is_err() {
                return;
            }
            let head = "HTTP/1.1 403 Forbidden\r\ncontent-type: application/x-amz-json-1.0\r\nconnection: close\r\n";
            // A caller that went away wants no answer.
            drop(write!(stream, "{head}content-length: {}\r\n\r\n{DENIED}", DENIED.len()));
        }
    });
    (url, asked)
}

fn read_request(stream: &mut TcpStream) {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).unwrap_or(0) > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    reader.read_exact(&mut vec![0; length]).unwrap_or_default();
}

fn scrape(address: &str) -> Exposition {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    Exposition::parse(text.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn a_process_whose_queue_denies_every_call_tells_no_success_but_that_it_fails() {
    let (dir, (url, asked)) = (tempfile::tempdir().unwrap(), denying());
    let queue = format!("{url}/123456789012/events");
    let mut child = Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(["run", "--only", "events", "--history", "h", "--state", "s", "--queue", &queue])
        .args(["--metrics-listen", "127.0.0.1:0"])
        .current_dir(dir.path())
        .env_clear()
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "eu-central-1")])
        .envs([("AWS_ENDPOINT_URL", url.as_str()), ("NO_COLOR", "1")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let serving = said.find(|line| line.contains("serving metrics on http://")).unwrap();
    let address = serving.split("http://").nth(1).unwrap().split('/').next().unwrap();
    // By the third call two have been answered, and what came of them is tells.
    for _ in 0..3 {
        asked.recv_timeout(Duration::from_mins(1)).unwrap();
    }
    let tells = scrape(address);
    child.kill().unwrap();
    child.wait().unwrap();
    let (part, queue) = ([("part", "events")], [("queue", queue.as_str())]);
    assert_eq!(tells.get("forewarn_last_success_seconds", &part), None, "nothing was done");
    assert_eq!(tells.get("forewarn_queue_failed", &queue), Some(1.0));
    assert_eq!(tells.get("forewarn_queue_last_success_seconds", &queue), None);
    assert!(tells.value("forewarn_queue_age_seconds", &queue) > 0.0);
    assert!(tells.value("forewarn_lag_seconds", &part) > 0.0);
}
