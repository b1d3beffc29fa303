//! Input that is wrong, or odd: each gets a clear word, and never a silent nought.

use super::{refused, run};
use crate::person::{Ran, fleet, import_rows};
use forewarn_testkit::snapshot;
use std::path::Path;

const RANGE: [&str; 4] = ["--from", "2026-02-08T00:00:00Z", "--to", "2026-02-09T12:00:00Z"];

fn backtest(dir: &Path, incidents: &str, more: &[&str]) -> Ran {
    std::fs::write(dir.join("i.csv"), incidents).unwrap();
    run(dir, &[&["backtest", "--history", "h", "--incidents", "i.csv", "--no-baselines"][..], more].concat())
}

fn said(ran: &Ran, parts: &[&str]) {
    assert_eq!(ran.code, 0, "{ran:?}");
    for part in parts {
        assert!(ran.out.contains(part), "no `{part}` in: {}", ran.out);
    }
}

const FILLS: &str = "instance_id,ts\ni-fills,2026-02-08T12:00:00Z\n";

#[test]
fn what_cannot_be_judged_is_refused_and_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    import_rows(root, "h", &fleet());
    std::fs::create_dir(root.join("folder")).unwrap();
    std::fs::write(root.join("i.csv"), "").unwrap();
    let before = snapshot(&root.join("h"));
    let strangers = backtest(root, "instance_id,ts\ni-nobody,2026-02-08T12:00:00Z\n", &RANGE);
    refused(&strangers, &["none of the 1 incidents", "i-nobody", "i-fills", "same fleet"]);
    let late = ["--from", "2026-03-08T00:00:00Z", "--to", "2026-03-09T00:00:00Z"];
    let held = "the history holds 2026-02-01T00:00:00Z to 2026-02-08T23:57:07Z";
    refused(&backtest(root, FILLS, &late), &["no samples from 2026-03-08T00:00:00Z", held]);
    refused(&backtest(root, "instance_id,when\ni-fills,2026-02-08\n", &RANGE), &["no column `ts`"]);
    refused(&backtest(root, "instance_id,ts\ni-fills,soon\n", &RANGE), &["row 1", "\"soon\""]);
    let with = |more: &[&'static str]| backtest(root, FILLS, &[&RANGE[..], more].concat());
    refused(&with(&["--tz", "Mars/Base"]), &["unknown time zone `Mars/Base`"]);
    refused(&with(&["--against", "absent.toml"]), &["cannot read the rule set absent.toml"]);
    refused(&with(&["--cost-miss", "-1"]), &["is not a cost"]);
    refused(&with(&["--cost-action", "1"]), &["--cost-miss"]);
    refused(&with(&["--predictions", "folder"]), &["folder", "it is a directory"]);
    refused(&with(&["--predictions", "absent/p.parquet"]), &["cannot write absent/p.parquet"]);
    refused(&with(&["--step", "0h"]), &["is not a span of time"]);
    let fit = |more: &[&'static str]| {
        run(root, &[&["fit", "--history", "h", "--incidents", "i.csv", "--out", "new.toml"][..], more].concat())
    };
    std::fs::write(root.join("i.csv"), format!("{FILLS}i-nobody,2026-02-08T12:00:00Z\ni-fills,2027-01-01T00:00:00Z\n"))
        .unwrap();
    refused(
        &fit(&RANGE),
        &["fit needs at least 30", "no sample in the range: 1 of 3 incidents", "outside the range: 1 of 3 incidents"],
    );
    refused(&fit(&late), &["no samples of h from 2026-03-08T00:00:00Z", "the history holds 2026-02-01"]);
    assert!(!root.join("new.toml").exists() && snapshot(&root.join("h")) == before);
}

#[test]
fn what_is_odd_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    import_rows(root, "h", &fleet());
    let odd = "instance_id,ts\ni-fills,2027-01-01T00:00:00Z\ni-nobody,2026-02-08T20:00:00Z\ni-fills,2026-02-08T23:00:00\ni-rests,2026-02-07T00:00:00Z\ni-fills,2026-02-08T23:00:00\n";
    let more = ["--from", "2026-02-07T12:00:00Z", "--to", "2026-02-09T12:00:00Z"];
    said(
        &backtest(root, odd, &more),
        &[
            "2 incident times say no zone: taken as UTC (--tz takes them in another zone)",
            "1 row of the incidents' file say again what another row says",
            "no sample from 2026-02-07T12:00:00Z to 2026-02-09T12:00:00Z: 1 of 4 incidents",
            "outside the range: 2 of 4 incidents (1 before 2026-02-07T12:00:00Z, 1 past its end",
            "--from lies within the first seven days of the data, which begin at 2026-02-01T00:00:00Z",
            "the data end at 2026-02-09T00:00:00Z, before --to",
            "incidents that could have been warned of: 1, 1 of them predictable",
            "the incidents don't say which were predictable",
            "never fired: ",
        ],
    );
    let steps = ["--from", "2026-02-07T12:00:00Z", "--to", "2026-02-09T00:00:00Z", "--step", "7m"];
    let ran = backtest(root, FILLS, &steps);
    said(
        &ran,
        &[
            "the step of 7 min does not divide the range: the last look is at 2026-02-08T23:56:00Z, and 4 min before --to",
        ],
    );
    said(&ran, &["neither divides an hour nor is a whole number of hours"]);
    let short = ["--from", "2026-02-08T00:00:00Z", "--to", "2026-02-08T12:00:00Z"];
    said(&backtest(root, FILLS, &short), &["no longer than the 24 hours", "no meaning (no row can be scored)"]);
    let even = ["--from", "2026-02-07T00:00:00Z", "--to", "2026-02-09T00:00:00Z"];
    let plain = backtest(root, FILLS, &even);
    assert!(!plain.out.contains("does not divide") && !plain.out.contains("no zone"), "{}", plain.out);
    let local = "instance_id,ts\ni-fills,2026-02-08 13:00:00\n";
    let berlin = backtest(root, local, &[&even[..], &["--tz", "Europe/Berlin", "--format", "json"]].concat());
    let utc = backtest(root, FILLS, &[&even[..], &["--format", "json"]].concat());
    let plain = |ran: &Ran| serde_json::from_str::<serde_json::Value>(&ran.out).unwrap()["scorers"].clone();
    assert_eq!(plain(&berlin), plain(&utc));
}

#[test]
fn a_rule_set_that_never_fires_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    import_rows(root, "h", &fleet());
    let builtin = run(root, &["rules", "list", "--text"]).out;
    let mut mute: toml::Table = builtin.parse().unwrap();
    for rule in mute["rule"].as_array_mut().unwrap() {
        rule["when"] = "disk_now > 1000.0 + :status_check_failure_count + :trend_significant".into();
    }
    std::fs::write(root.join("mute.toml"), mute.to_string()).unwrap();
    let ran = backtest(root, FILLS, &[&RANGE[..], &["--rules", "mute.toml"]].concat());
    said(&ran, &["fired in any row: check that signals have metrics"]);
}
