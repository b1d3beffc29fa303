//! A small server that answers `PutEvents` as `EventBridge` does where it takes nothing: by entry, by call, or not at all.
//!
//! The servers of moto take whatever they are given; this one refuses what a test says, over the wire, and remembers what it took.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// What is refused, and how.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// It is about entries in whose detail this stands.
    pub of: String,
    /// The code given.
    pub code: &'static str,
    /// Refuses the whole call with this HTTP status rather than the entry.
    pub status: Option<u16>,
    /// For how many calls.
    pub times: usize,
}

impl Refusal {
    /// Refuses entries for as long as the server stands.
    pub fn entry(of: &str, code: &'static str) -> Self {
        Self { of: of.to_owned(), code, status: None, times: usize::MAX }
    }

    /// Refuses whole calls that hold such an entry, for as long as the server stands.
    pub fn call(of: &str, code: &'static str, status: u16) -> Self {
        Self { status: Some(status), ..Self::entry(of, code) }
    }

    /// Refuses so many times alone.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }
}

/// What the server has seen.
#[derive(Debug, Default)]
struct Seen {
    refusals: Vec<Refusal>,
    calls: Vec<usize>,
    took: Vec<Value>,
}

/// A running server; its thread ends with the test's process.
#[derive(Debug)]
pub struct EventBridge {
    /// Where it answers.
    pub url: String,
    seen: Arc<Mutex<Seen>>,
}

impl EventBridge {
    /// Starts one on a free port.
    pub fn start(refusals: impl Into<Vec<Refusal>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Seen { refusals: refusals.into(), ..Seen::default() }));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                serve(client, &mut shared.lock().unwrap_or_else(PoisonError::into_inner));
            }
        });
        Self { url, seen }
    }

    /// Refuses this from now on, and nothing else.
    pub fn refuse(&self, refusals: impl Into<Vec<Refusal>>) {
        self.seen.lock().unwrap().refusals = refusals.into();
    }

    /// Gives the number of entries of each call so far.
    pub fn calls(&self) -> Vec<usize> {
        self.seen.lock().unwrap().calls.clone()
    }

    /// Gives the details of what was taken, in order.
    pub fn details(&self) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        seen.took.iter().map(|e| serde_json::from_str(e["Detail"].as_str().unwrap()).unwrap()).collect()
    }

    /// Gives one field of the details of what was taken, in order.
    pub fn took(&self, field: &str) -> Vec<String> {
        self.details().iter().map(|d| d[field].as_str().unwrap_or_default().to_owned()).collect()
    }
}

fn serve(mut client: TcpStream, seen: &mut Seen) {
    let Some(body) = read_body(&mut client) else { return };
    let request: Value = serde_json::from_slice(&body).unwrap();
    let entries = request["Entries"].as_array().unwrap();
    seen.calls.push(entries.len());
    let mut refuses = |entry: &Value, whole: bool| {
        let detail = entry["Detail"].as_str().unwrap();
        let found =
            seen.refusals.iter_mut().find(|r| r.status.is_some() == whole && r.times > 0 && detail.contains(&r.of));
        found.map(|r| {
            r.times = r.times.saturating_sub(usize::from(r.times != usize::MAX));
            (r.code, r.status.unwrap_or(200))
        })
    };
    if let Some((code, status)) = entries.iter().find_map(|e| refuses(e, true)) {
        reply(&mut client, status, &json!({"__type": code, "message": "said the double"}));
        return;
    }
    let mut answers = Vec::new();
    let mut took = Vec::new();
    for entry in entries {
        if let Some((code, _)) = refuses(entry, false) {
            answers.push(json!({"ErrorCode": code, "ErrorMessage": "said the double"}));
            continue;
        }
        took.push(entry.clone());
        answers.push(json!({"EventId": format!("e-{}", took.len())}));
    }
    let failed = entries.len() - took.len();
    seen.took.append(&mut took);
    reply(&mut client, 200, &json!({"Entries": answers, "FailedEntryCount": failed}));
}

fn reply(client: &mut TcpStream, status: u16, body: &Value) {
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} Said\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: close\r\n");
    // A client that is gone needs no answer.
    write!(client, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).ok();
}

/// Reads a message whose length is in its head; none where the client went away.
fn read_body(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                return Some(bytes[end + 4..].to_vec());
            }
        }
        let n = stream.read(&mut chunk).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&chunk[..n]);
    }
}
