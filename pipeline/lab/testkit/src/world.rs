//! The test world of recovery (`pipeline/lab/world/serve_world.py`): moto, made to behave like AWS, with a script of what goes wrong and a clock that
//! tests move on.

use crate::moto::{Moto, started_or_skipped};
#[cfg(feature = "aws")]
use forewarn_runtime::aws::Aws;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;

pub use crate::moto::REGION;

/// Makes a world of it.
const SERVE: &str = "pipeline/lab/world/serve_world.py";

/// A running world; it ends when this is dropped.
#[derive(Debug)]
pub struct World {
    moto: Moto,
    /// Where it answers, such as `http://127.0.0.1:40123`.
    pub url: String,
}

impl World {
    /// Starts one that is about to be asked for these services, with flags such as `--lag-ms 60000:60000`, or says why a test is
    /// skipped.
    pub fn start(services: &[&str], flags: &[&str]) -> Option<Self> {
        let moto = started_or_skipped(Moto::serving(SERVE, &[services, flags].concat()))?;
        let url = moto.url.clone();
        Some(Self { moto, url })
    }

    /// Gives the way to it.
    #[cfg(feature = "aws")]
    pub fn aws(&self) -> Aws {
        let keys = aws_credential_types::Credentials::new("test", "test", None, None, "test");
        let region = aws_config::Region::new(REGION);
        Aws::load_with(|l| l.endpoint_url(&self.url).region(region).credentials_provider(keys)).unwrap()
    }

    /// Says what goes wrong: one entry of a script, or a list of them.
    pub fn script(&self, entries: &Value) {
        self.control("POST", "script", &entries.to_string());
    }

    /// Moves its clock on.
    pub fn advance(&self, ms: i64) {
        self.control("POST", "advance", &format!("{{\"ms\": {ms}}}"));
    }

    /// Gives the calls so far that change something, the oldest first.
    pub fn calls(&self) -> Vec<Value> {
        serde_json::from_str(&self.control("GET", "calls", "")).unwrap()
    }

    /// Counts the calls of an action so far, refused ones included.
    pub fn count(&self, action: &str) -> usize {
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

    /// Runs Python as [`Moto::python`] does, and gives what it prints, trimmed.
    pub fn python(&self, script: &str) -> String {
        self.moto.python(script).trim().to_owned()
    }
}
