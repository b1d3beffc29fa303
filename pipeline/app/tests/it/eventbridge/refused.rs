//! What `EventBridge` refuses for good, over the wire: it is set aside, and holds up nobody.

use super::text;
use crate::person::Ran;
use forewarn_domain::prediction::Level;
use forewarn_log::SqliteLog;
use forewarn_predict::episode_events::{EpisodeEvent, append_predictions};
use forewarn_testkit::event_bridge::{EventBridge, Refusal};
use forewarn_testkit::samples::prediction;
use std::path::Path;
use std::process::Command;

/// Opens episodes; they are a few minutes old.
fn open(dir: &Path, episodes: std::ops::Range<usize>) {
    std::fs::create_dir_all(dir.join("state")).unwrap();
    let log = SqliteLog::open(&dir.join("state/log.sqlite")).unwrap();
    let at = forewarn_runtime::time::format_ms(forewarn_runtime::time::system_now_ms() - 300_000);
    for n in episodes {
        let p = prediction(&format!("i-{n:017x}"), &format!("ep-{n:02}"), &at, Level::High);
        append_predictions(&log, &p, &[EpisodeEvent::Opened]).unwrap();
    }
}

fn emit(bridge: &EventBridge, dir: &Path, more: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(["emit", "--state", "state", "--eventbridge", "fleet"])
        .args(more)
        .current_dir(dir)
        .env_clear()
        .envs([("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_REGION", "us-east-1")])
        .env("AWS_ENDPOINT_URL", &bridge.url)
        .output()
        .unwrap();
    Ran { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn episodes(range: impl IntoIterator<Item = usize>) -> Vec<String> {
    range.into_iter().map(|n| format!("ep-{n:02}")).collect()
}

#[test]
fn an_entry_refused_for_good_is_set_aside_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), 0..12);
    let bridge = EventBridge::start([Refusal::entry("ep-03", "MalformedDetail")]);
    let ran = emit(&bridge, dir.path(), &["--from-start"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(bridge.took("episode_id"), episodes((0..12).filter(|n| *n != 3)));
    assert!(ran.err.contains("MalformedDetail") && ran.err.contains("--retry-parked"), "{}", ran.err);
    // Nothing of it is due any more, and what comes later arrives.
    open(dir.path(), 12..13);
    let before = bridge.calls().len();
    assert_eq!(emit(&bridge, dir.path(), &[]).code, 0);
    assert_eq!(bridge.calls()[before..], [1]);
    let shown = emit(&bridge, dir.path(), &["--parked"]);
    assert!(shown.out.contains("MalformedDetail") && shown.out.contains("1 set aside"), "{}{}", shown.out, shown.err);
    // Refused again it stays; once it is taken it is gone.
    assert_eq!(emit(&bridge, dir.path(), &["--retry-parked"]).code, 1);
    bridge.refuse([]);
    assert_eq!(emit(&bridge, dir.path(), &["--retry-parked"]).code, 0);
    assert_eq!(bridge.took("episode_id").last().unwrap(), "ep-03");
    let shown = emit(&bridge, dir.path(), &["--parked"]);
    assert!(shown.out.contains("0 set aside"), "{}", shown.out);
}

#[test]
fn what_a_bus_took_before_it_failed_is_not_sent_again_by_the_next_process() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), 0..12);
    let bridge = EventBridge::start([Refusal::entry("ep-05", "AccessDeniedException")]);
    let ran = emit(&bridge, dir.path(), &["--from-start"]);
    assert_eq!(ran.code, 1, "a permission is for people to give: {}", ran.err);
    assert!(ran.err.contains("AccessDeniedException"), "{}", ran.err);
    assert_eq!(bridge.took("episode_id"), episodes((0..12).filter(|n| *n != 5)));
    bridge.refuse([]);
    assert_eq!(emit(&bridge, dir.path(), &[]).code, 0);
    let took = bridge.took("episode_id");
    assert_eq!(took.len(), 12, "each once: {took:?}");
    assert_eq!(took.last().unwrap(), "ep-05");
}
