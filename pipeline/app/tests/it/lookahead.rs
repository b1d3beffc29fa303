//! Nothing later than the time asked for, and nothing that was not available by then, changes a byte of the answer.

use crate::person::{analyzed, done, json, simulated};
use std::fmt::Write;

const AS_OF: &str = "2026-01-09T12:34:56Z";

fn rows(header: &str, rows: impl IntoIterator<Item = String>) -> String {
    rows.into_iter().fold(format!("{header}\n"), |mut text, row| {
        writeln!(text, "{row}").unwrap();
        text
    })
}

#[test]
fn garbage_from_the_future_changes_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path(), "10", "11");
    let before = analyzed(dir.path(), "h", AS_OF);
    let known: serde_json::Value = serde_json::from_str(&before).unwrap();
    let ids: Vec<&str> =
        known["predictions"].as_array().unwrap().iter().map(|p| p["instance_id"].as_str().unwrap()).collect();
    assert!(ids.len() > 5);
    let metrics = ["CPUUtilization", "mem_used_percent", "disk_used_percent", "StatusCheckFailed", "cpu_usage_steal"];
    let all = || ids.iter().copied().chain(["i-fromthefuture"]).flat_map(|id| metrics.map(|m| (id, m)));

    // At and after the time, whatever the period; and versions of the past that came in later.
    let later = all().flat_map(|(id, metric)| {
        ["2026-01-09T12:34:56Z", "2026-01-09T12:35:00Z", "2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z"]
            .map(|ts| format!("{id},{metric},{ts},1e12,"))
    });
    let late = all().flat_map(|(id, metric)| {
        ["2026-01-08T06:00:00Z", "2026-01-09T11:00:00Z", "2026-01-09T12:25:00Z"]
            .map(|ts| format!("{id},{metric},{ts},1e12,2026-01-09T12:34:57Z"))
    });
    // In the past, but the period or the delay is not over: 12:25 is available at 12:35 only.
    let pending = all().map(|(id, metric)| format!("{id},{metric},2026-01-09T12:25:00Z,1e12,"));
    let header = "instance_id,metric,ts,value,ingested_at";
    for (name, text) in
        [("later.csv", rows(header, later)), ("late.csv", rows(header, late)), ("pending.csv", rows(header, pending))]
    {
        std::fs::write(dir.path().join(name), text).unwrap();
        let said = done(
            dir.path(),
            &[
                "import",
                "--history",
                "h",
                "--account",
                "123456789012",
                "--region",
                "eu-central-1",
                "--period",
                "300",
                name,
            ],
        );
        assert!(said.contains("rows of"), "{said}");
        assert!(analyzed(dir.path(), "h", AS_OF) == before, "{name} shows");
    }

    let events = ids.iter().flat_map(|id| {
        [
            format!("{id},2026-01-09T12:34:57Z,scheduled,instance-retirement,2026-01-10T00:00:00Z,"),
            format!(
                "{id},2026-01-01T00:00:00Z,scheduled,instance-retirement,2026-01-10T00:00:00Z,2026-01-09T13:00:00Z"
            ),
        ]
    });
    std::fs::write(dir.path().join("e.csv"), rows("instance_id,ts,kind,code,starts_at,ingested_at", events)).unwrap();
    done(dir.path(), &["import", "--history", "h", "--events", "e.csv"]);
    assert!(analyzed(dir.path(), "h", AS_OF) == before, "events show");

    // Another workload, type and launch, seen a second later.
    let instances =
        ids.iter().map(|id| format!("{id},fromthefuture,t2.nano,2026-01-09T12:00:00Z,2026-01-09T12:34:57Z"));
    let header = "instance_id,workload,instance_type,launched_at,seen_at";
    std::fs::write(dir.path().join("i.csv"), rows(header, instances)).unwrap();
    done(dir.path(), &["import", "--history", "h", "--instances", "i.csv"]);
    assert!(analyzed(dir.path(), "h", AS_OF) == before, "instances show");
    done(dir.path(), &["history", "compact", "--history", "h"]);
    assert!(analyzed(dir.path(), "h", AS_OF) == before, "instances show when they are compacted");

    // The same garbage is seen once its time has come: the test can fail.
    let seen = json(
        dir.path(),
        &["analyze", "--history", "h", "--as-of", "2026-01-09T13:05:00Z", "--format", "json", "--all"],
    );
    assert!(crate::person::prediction(&seen, "i-fromthefuture").is_some());
    assert!(seen.to_string().contains("maintenance"));
    assert_eq!(crate::person::prediction(&seen, ids[0]).unwrap()["workload"], "fromthefuture");
}
