//! Shards are read at the same time: a proxy that holds each `GetRecords` until others have come too says how many.

use super::Stream;
use forewarn_ingest::stream::conformance::{ALL, StreamUnderTest, sample};
use forewarn_testkit::moto::Moto;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How many calls are held, and the most that were held at once.
#[derive(Default)]
struct UnderWay {
    now: Mutex<(usize, usize)>,
    came: Condvar,
}

impl UnderWay {
    /// Holds a call until so many are held, or nobody else comes.
    fn hold(&self, until: usize) {
        let mut now = self.now.lock().unwrap();
        now.0 += 1;
        now.1 = now.1.max(now.0);
        self.came.notify_all();
        let wait = Duration::from_secs(2);
        let (mut now, _) = self.came.wait_timeout_while(now, wait, |now| now.1 < until).unwrap();
        now.0 -= 1;
    }
}

/// Reads one request or response: its head and body as they came.
fn message(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let (mut whole, mut length) = (Vec::new(), 0);
    loop {
        let from = whole.len();
        if reader.read_until(b'\n', &mut whole).ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&whole[from..]).to_ascii_lowercase();
        if let Some(n) = line.strip_prefix("content-length:") {
            length = n.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    whole.extend(body);
    Some(whole)
}

fn pass(client: TcpStream, to: &str, held: &UnderWay, until: usize) -> Option<()> {
    let mut server = TcpStream::connect(to).ok()?;
    let mut answers = BufReader::new(server.try_clone().ok()?);
    let mut requests = BufReader::new(client.try_clone().ok()?);
    let mut client = client;
    loop {
        let request = message(&mut requests)?;
        if String::from_utf8_lossy(&request).contains("Kinesis_20131202.GetRecords") {
            held.hold(until);
        }
        server.write_all(&request).ok()?;
        client.write_all(&message(&mut answers)?).ok()?;
    }
}

#[test]
fn shards_are_read_side_by_side() {
    let Some(moto) = Moto::or_skip(&["kinesis"]) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (held, to) = (Arc::new(UnderWay::default()), moto.url.trim_start_matches("http://").to_owned());
    let counted = Arc::clone(&held);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (held, to) = (Arc::clone(&counted), to.clone());
            std::thread::spawn(move || pass(client, &to, &held, 4));
        }
    });
    let stream = Stream::make(&moto, &moto.url, "wide", 4);
    let records: Vec<_> = (0..40).map(|n| sample(&format!("i-{n}"), n)).collect();
    stream.producer().put(&records).unwrap();
    let mut consumer = stream.reached_at(&url).consumer("a");
    let (mut read, mut shards) = (0, std::collections::BTreeSet::new());
    while let Some(batch) = consumer.read(ALL).unwrap() {
        read += batch.records.len();
        shards.insert(batch.shard);
    }
    assert_eq!((read, shards.len()), (40, 4));
    assert_eq!(held.now.lock().unwrap().1, 4, "all four shards were asked at once");
}
