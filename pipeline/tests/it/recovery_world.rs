//! The test world of recovery (`.ci/serve_world.py`): moto, made to behave like AWS, with a script of what goes wrong and a clock that
//! tests move on.

use crate::house::root;
use crate::moto::install;
use forewarn::aws::Aws;
use forewarn::respond::aws::AwsHands;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// The region that clients ask by default.
pub(crate) const REGION: &str = "us-east-1";
/// Serves on a free port, says the port, and ends with its standard input.
const SERVE: &str = ".ci/serve_world.py";

/// A running world; it ends when this is dropped.
pub(crate) struct World {
    child: Child,
    python: PathBuf,
    /// Where it answers, such as `http://127.0.0.1:40123`.
    pub(crate) url: String,
}

impl World {
    /// Starts one that is about to be asked for these services, with flags such as `--lag-ms 60000:60000`, or says why a test is
    /// skipped.
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    pub(crate) fn start(services: &[&str], flags: &[&str]) -> Option<Self> {
        let python = install().inspect_err(|why| println!("skipped: {why}")).ok()?;
        let mut child = Command::new(&python)
            .arg(root().join(SERVE))
            .args(services)
            .args(flags)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{} does not run: {e}", python.display()));
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let world = Self { child, python, url: format!("http://127.0.0.1:{}", port.trim()) };
        assert!(port.trim().parse::<u16>().is_ok(), "the world did not say its port, but {port:?}");
        Some(world)
    }

    /// Gives hands in it.
    pub(crate) fn hands(&self) -> AwsHands {
        let keys = aws_credential_types::Credentials::new("test", "test", None, None, "test");
        let region = aws_config::Region::new(REGION);
        let aws = Aws::load_with(|l| l.endpoint_url(&self.url).region(region).credentials_provider(keys)).unwrap();
        AwsHands::new(&aws, REGION, None).unwrap()
    }

    /// Says what goes wrong: one entry of a script, or a list of them.
    pub(crate) fn script(&self, entries: &Value) {
        self.control("POST", "script", &entries.to_string());
    }

    /// Moves its clock on.
    pub(crate) fn advance(&self, ms: i64) {
        self.control("POST", "advance", &format!("{{\"ms\": {ms}}}"));
    }

    /// Gives the calls so far that change something, the oldest first.
    pub(crate) fn calls(&self) -> Vec<Value> {
        serde_json::from_str(&self.control("GET", "calls", "")).unwrap()
    }

    /// Counts the calls of an action so far, refused ones included.
    pub(crate) fn count(&self, action: &str) -> usize {
        self.calls().iter().filter(|call| call["action"] == action).count()
    }

    fn control(&self, method: &str, path: &str, body: &str) -> String {
        let host = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} /_world/{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.lines().next().unwrap().contains(" 200 "), "{path} {body}");
        body.to_owned()
    }

    /// Runs Python in which `aws("ec2")` gives a boto3 client of this world, and gives what it prints, trimmed.
    pub(crate) fn python(&self, script: &str) -> String {
        let prelude = "import boto3, json, os, sys\n\
                       def aws(service, region='us-east-1'): return boto3.client(service, region_name=region)\n";
        let ran: Output = Command::new(&self.python)
            .args(["-c", &format!("{prelude}{script}")])
            .env_clear()
            .envs([("AWS_ENDPOINT_URL", self.url.as_str()), ("AWS_REGION", REGION)])
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
            .output()
            .unwrap();
        assert!(ran.status.success(), "{script}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Closing its input ends it; killing makes sure, and waiting leaves nothing behind.
        drop(self.child.stdin.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
