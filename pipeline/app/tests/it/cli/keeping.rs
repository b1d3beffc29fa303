//! What commands keep, forget, and read from a pipe.

use crate::person::{AFTER, done, fleet, forewarn, import_rows, json, simulated};
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use forewarn_runtime::lease::Lease;
use forewarn_testkit::snapshot;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

/// The single batch of a small Parquet file.
fn read(path: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    reader.map(|batch| batch.unwrap()).next().unwrap()
}

#[test]
fn emitting_keeps_the_predictions_of_every_instance_once() {
    let dir = tempfile::tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    let analyze = |rest: &[&str]| {
        let args = ["analyze", "--history", "h", "--state", "s", "--as-of", AFTER, "--format", "json"];
        json(dir.path(), &[&args[..], rest].concat())
    };
    let day = dir.path().join("h/predictions/date=2026-02-09");
    let asked = analyze(&["--all"]);
    assert!(!day.exists(), "only --emit writes");
    analyze(&["--emit"]);
    let files = snapshot(&day);
    assert_eq!(files.len(), 1);
    let name = files[0].0.to_str().unwrap().to_owned();
    let sha = asked["ruleset"]["sha256"].as_str().unwrap();
    assert_eq!(name, format!("20260209T000500Z-{}-{}.parquet", &sha[..16], env!("CARGO_PKG_VERSION")));

    let batch = read(&day.join(&name));
    let text = |column: &str, row: usize| {
        let column = batch.column_by_name(column).unwrap().as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let mut rows = asked["predictions"].as_array().unwrap().clone();
    rows.sort_by_key(|p| p["instance_id"].as_str().unwrap().to_owned());
    assert_eq!(batch.num_rows(), rows.len());
    for (i, p) in rows.iter().enumerate() {
        for column in ["prediction_id", "instance_id", "confidence", "failure_type", "engine"] {
            assert_eq!(text(column, i).as_deref(), p[column].as_str(), "{column}");
        }
        assert_eq!(text("ruleset_sha256", i).as_deref(), Some(sha));
    }
    assert!(text("episode_id", 0).is_some(), "the disk that fills has an episode");

    analyze(&["--emit"]);
    assert_eq!(snapshot(&day), files, "the same bytes");
    for command in [&["verify"][..], &["stats"], &["compact"], &["prune", "--older-than", "2026-02-03T00:00:00Z"]] {
        done(dir.path(), &[&["history"], command, &["--history", "h"]].concat());
        assert_eq!(snapshot(&day), files, "{command:?} leaves predictions alone");
    }
    assert!(done(dir.path(), &["history", "verify", "--history", "h"]).contains(" 0 faults"));
}

#[test]
fn a_history_that_was_pruned_empty_says_so() {
    let dir = tempfile::tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    done(dir.path(), &["history", "prune", "--history", "h", "--older-than", "2026-02-10T00:00:00Z"]);
    for as_of in ["latest", AFTER] {
        let ran = forewarn(dir.path(), &["analyze", "--history", "h", "--as-of", as_of]);
        let said = "everything before 2026-02-10 was pruned at ";
        assert!(ran.code == 2 && ran.err.contains(said) && !ran.err.contains("is empty"), "{}", ran.err);
    }
}

#[cfg(unix)]
#[test]
fn standard_input_is_imported_as_a_file_is() {
    let dir = tempfile::tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    // The files say when they were imported, and that is not the same.
    let said =
        |history| done(dir.path(), &["analyze", "--history", history, "--as-of", AFTER, "--all", "--format", "json"]);
    for (history, path) in [("a", "-"), ("b", "/dev/stdin")] {
        let csv = dir.path().join("h.csv");
        let mut pipe = Command::new("cat").arg(&csv).stdout(Stdio::piped()).spawn().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_forewarn"))
            .args(["import", "--history", history, path])
            .current_dir(dir.path())
            .env_clear()
            .env("TMPDIR", dir.path())
            .stdin(pipe.stdout.take().unwrap())
            .output()
            .unwrap();
        pipe.wait().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(said(history), said("h"));
    }
    let left = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|n| n.starts_with("forewarn-import")).count(), 0, "the copy is gone");
}

#[test]
fn a_shadow_rule_set_is_kept_beside_what_is_due() {
    let dir = tempfile::tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    let shadow = forewarn_rules::ruleset::DEFAULT_TOML.replacen("name = \"default\"", "name = \"trial\"", 1);
    std::fs::write(dir.path().join("trial.toml"), shadow).unwrap();
    let due = ["analyze", "--history", "h", "--state", "s", "--due", "--no-deliver", "--offset", "5m", "--to", AFTER];
    done(dir.path(), &[&due[..], &["--shadow", "trial.toml"]].concat());
    assert_eq!(snapshot(&dir.path().join("h/predictions/date=2026-02-09")).len(), 2, "the rule set's and the shadow's");
}

#[test]
fn rules_are_listed_in_the_words_they_were_written_in() {
    let dir = tempfile::tempdir().unwrap();
    let rules: toml::Table = done(dir.path(), &["rules", "list", "--text"]).parse().unwrap();
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let listed = one_line(&done(dir.path(), &["rules", "list"]));
    for rule in rules["rule"].as_array().unwrap() {
        for key in ["id", "when", "why"] {
            let written = one_line(rule[key].as_str().unwrap());
            assert!(listed.contains(&written), "{key} of {} is not listed as written: {written}", rule["id"]);
        }
    }
}

#[test]
fn a_policy_key_that_nothing_reads_is_accepted_with_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let set = |field: &str| done(dir.path(), &["policy", "set", "default", field, "--state", "s"]);
    assert!(set("monitoring_enabled=true").contains("warning: nothing reads monitoring_enabled"));
    assert!(!set("auto_restart=true").contains("warning"));
    let got = done(dir.path(), &["policy", "get", "default", "--state", "s"]);
    assert!(got.contains("\"monitoring_enabled\": true"), "{got}");
}

#[test]
fn predictions_are_emitted_by_one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    let emit = ["analyze", "--history", "h", "--state", "s", "--emit", "--as-of", AFTER];
    std::fs::create_dir(dir.path().join("s")).unwrap();
    let turn = Lease::take(&dir.path().join("s"), "analyze").unwrap();
    let refused = forewarn(dir.path(), &emit);
    assert!(refused.code == 1 && refused.err.contains("another forewarn is at work"), "{refused:?}");
    assert!(!dir.path().join("s/events.jsonl").exists() && !dir.path().join("h/predictions").exists());
    drop(turn);
    done(dir.path(), &emit);
}

#[test]
fn a_shadow_rule_set_that_can_t_be_read_stops_no_prediction() {
    let dir = tempfile::tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    std::fs::write(dir.path().join("forewarn.toml"), "shadow = \"nope.toml\"\n").unwrap();
    let due =
        forewarn(dir.path(), &["analyze", "--history", "h", "--state", "s", "--due", "--offset", "5m", "--to", AFTER]);
    assert!(due.code == 0 && due.err.contains("the shadow rule set is not kept"), "{due:?}");
    assert!(dir.path().join("h/predictions").exists());
    let read_only = forewarn(dir.path(), &["analyze", "--history", "h", "--as-of", AFTER]);
    assert!(read_only.code == 0 && !read_only.err.contains("shadow"), "{read_only:?}");
}

#[test]
fn the_first_runs_find_failures_from_where_they_are_told_to_begin() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path(), "10", "13");
    let range = ["--from", "2026-01-08T00:00:00Z", "--to", "2026-01-13T00:00:00Z", "--every", "24h"];
    let due = ["analyze", "--history", "h", "--state", "s", "--due", "--no-deliver"];
    done(dir.path(), &[&due[..], &range].concat());
    let found = json(dir.path(), &["log", "list", "--state", "s", "--type", "incident.observed", "--format", "json"]);
    let times: Vec<&str> = found.as_array().unwrap().iter().filter_map(|e| e["envelope"]["time"].as_str()).collect();
    assert!(times.iter().any(|t| *t < "2026-01-11"), "only of the last day: {times:?}");
}
