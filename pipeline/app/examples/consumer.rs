//! Reads forewarn's announcements, typed, drops repeats, and prints each once.
//!
//! ```text
//! consumer events.jsonl            the JSON Lines file
//! consumer --queue URL [--once]    an SQS queue fed by an EventBridge rule
//! ```
//!
//! A rule that chooses what is urgent: `{"source": ["forewarn"], "detail": {"confidence": ["high"]}}`. Repeats are dropped by
//! `detail.event_id`; keep the ids somewhere durable where a repeat after a restart would hurt.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example speaks to its reader")]

use forewarn_deliver::announcement::Detail;
use forewarn_log::Event;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead, BufReader};

/// What both forms have in common.
#[derive(Deserialize)]
struct Announced {
    #[serde(rename = "detail-type")]
    detail_type: String,
    time: String,
    detail: Value,
}

/// Prints an event that is new. Whatever you do instead, do it before the id is remembered.
fn deal_with(text: &str, seen: &mut BTreeSet<String>) -> Result<(), Box<dyn Error>> {
    let announced: Announced = serde_json::from_str(text)?;
    let told: Detail = serde_json::from_value(announced.detail.clone())?;
    if seen.contains(&told.event_id) {
        return Ok(());
    }
    let event = Event::decode(&told.event_type, &announced.detail)?;
    let level = told.confidence.map_or("-", |level| level.name());
    let about = about(&event);
    print!("{}  {level}  {}  {about}  {}", announced.time, announced.detail_type, told.event_id);
    if !told.trimmed.is_empty() {
        print!("  trimmed: {}", told.trimmed.join(", "));
    }
    println!();
    seen.insert(told.event_id);
    Ok(())
}

/// The instance, or the workload and how many of its instances.
#[expect(clippy::wildcard_enum_match_arm, reason = "a consumer reads what it has a use for")]
fn about(event: &Event) -> String {
    match event {
        Event::PredictionMade(e) => e.prediction.instance_id.clone(),
        Event::PredictionUpdated(e) => e.prediction.instance_id.clone(),
        Event::PredictionCleared(e) => e.prediction.instance_id.clone(),
        Event::PredictionResolved(e) => e.instance_id.clone(),
        Event::IncidentObserved(e) => e.instance_id.clone(),
        Event::WorkloadPredicted(e) => format!("{} ({} instances)", e.episode.workload, e.episode.members.len()),
        Event::WorkloadUpdated(e) => format!("{} ({} instances)", e.episode.workload, e.episode.members.len()),
        Event::WorkloadCleared(e) => format!("{} ({} instances)", e.episode.workload, e.episode.members.len()),
        _ => "-".to_owned(),
    }
}

fn read_file(path: &str, seen: &mut BTreeSet<String>) -> Result<(), Box<dyn Error>> {
    let mut lines = BufReader::new(std::fs::File::open(path)?);
    let mut line = String::new();
    // A line without its end is being written: it comes whole next time.
    while lines.read_line(&mut line)? > 0 && line.ends_with('\n') {
        deal_with(&line, seen)?;
        line.clear();
    }
    Ok(())
}

async fn read_queue(url: &str, once: bool, seen: &mut BTreeSet<String>) -> Result<(), Box<dyn Error>> {
    let queue = aws_sdk_sqs::Client::new(&aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await);
    let wait = if once { 1 } else { 20 };
    loop {
        let call = queue.receive_message().queue_url(url).max_number_of_messages(10).wait_time_seconds(wait);
        let messages = call.send().await?.messages.unwrap_or_default();
        for message in &messages {
            if let Err(e) = deal_with(message.body().unwrap_or_default(), seen) {
                // Not ours: it stays, and the queue's own dead-letter rule takes it away.
                eprintln!("{}: not an announcement: {e}", message.message_id().unwrap_or_default());
                continue;
            }
            let receipt = message.receipt_handle().unwrap_or_default();
            queue.delete_message().queue_url(url).receipt_handle(receipt).send().await?;
        }
        if once && messages.is_empty() {
            return Ok(());
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let mut seen = BTreeSet::new();
    match given.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--queue", url] => read_queue(url, false, &mut seen).await,
        ["--queue", url, "--once"] => read_queue(url, true, &mut seen).await,
        [path] if path != "--queue" => read_file(path, &mut seen),
        _ => Err("usage: consumer FILE | consumer --queue URL [--once]".into()),
    }
}
