//! Stands between `forewarn` and `EventBridge` and breaks calls of `PutEvents` as a script says.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fate {
    /// It goes through.
    Pass,
    /// The first entry is refused with this code and never arrives; the others go through.
    Partial(&'static str),
    /// It takes effect, and the reply is lost.
    LoseReply,
    /// It is refused as a whole with this status.
    Refuse(u16),
}

/// A proxy; what its script has not foreseen passes.
pub(super) struct Proxy {
    pub(super) url: String,
    /// The number of entries of each call.
    pub(super) calls: Arc<Mutex<Vec<usize>>>,
}

impl Proxy {
    pub(super) fn start(upstream: &str, script: &[Fate]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let (script, seen) = (Mutex::new(VecDeque::from(script.to_vec())), calls.clone());
        // The thread ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let fate = script.lock().unwrap().pop_front().unwrap_or(Fate::Pass);
                seen.lock().unwrap().push(serve(client, &upstream, fate));
            }
        });
        Self { url, calls }
    }
}

/// Serves one call on one connection; gives the number of its entries.
fn serve(mut client: TcpStream, upstream: &str, fate: Fate) -> usize {
    let (head, body) = read_message(&mut client);
    let mut request: Value = serde_json::from_slice(&body).unwrap_or_else(|e| panic!("{e}: {head}"));
    assert!(head.contains("AWSEvents.PutEvents"), "{head}");
    let entries = request["Entries"].as_array_mut().unwrap();
    let count = entries.len();
    if let Fate::Refuse(status) = fate {
        reply(&mut client, status, &json!({"__type": "InternalException", "message": "said the proxy"}));
        return count;
    }
    if let Fate::Partial(_) = fate {
        entries.remove(0);
    }
    let mut answer = if entries.is_empty() { json!({"Entries": []}) } else { forward(upstream, &head, &request) };
    match fate {
        Fate::Partial(code) => {
            let refused = json!({"ErrorCode": code, "ErrorMessage": "said the proxy"});
            answer["Entries"].as_array_mut().unwrap().insert(0, refused);
            answer["FailedEntryCount"] = json!(1);
        }
        Fate::LoseReply => return count,
        Fate::Pass | Fate::Refuse(_) => {}
    }
    reply(&mut client, 200, &answer);
    count
}

fn forward(upstream: &str, head: &str, request: &Value) -> Value {
    let mut server = TcpStream::connect(upstream).unwrap();
    let body = request.to_string();
    let own = ["content-length", "connection", "host"];
    let storage = head.lines().filter(|l| !l.is_empty() && !own.iter().any(|h| l.to_ascii_lowercase().starts_with(h)));
    let storage: Vec<&str> = storage.collect();
    let length = body.len();
    write!(
        server,
        "{}\r\nHost: {upstream}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}",
        storage.join("\r\n")
    )
    .unwrap();
    let (head, body) = read_message(&mut server);
    assert!(head.starts_with("HTTP/1.1 200"), "{head} {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

fn reply(client: &mut TcpStream, status: u16, body: &Value) {
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} Said\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: close\r\n");
    write!(client, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
}

/// Reads a message whose length is in its head.
fn read_message(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|l| {
                let (name, value) = l.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
            });
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                return (head, bytes[end + 4..].to_vec());
            }
        }
        let n = stream.read(&mut chunk).unwrap();
        assert!(n > 0, "the connection ended in mid-message");
        bytes.extend_from_slice(&chunk[..n]);
    }
}
