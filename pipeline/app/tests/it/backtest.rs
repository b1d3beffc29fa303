//! A backtest as a person runs it: the same every time, blind to the future, honest about what it cannot say.

use crate::person::{Ran, done, fleet, forewarn, import_rows, json, simulated};
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

mod inputs;

const FROM: &str = "2026-01-05T00:00:00Z";
const TO: &str = "2026-01-11T00:00:00Z";
/// Sixteen days, but for the first and the last, of `h`.
const LONG: [&str; 6] = ["--history", "h", "--from", "2026-01-02T00:00:00Z", "--to", "2026-01-16T00:00:00Z"];

/// The arguments of a backtest of `h` over [`FROM`] to [`TO`], and more.
fn args<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["backtest", "--history", "h", "--from", FROM, "--to", TO][..], more].concat()
}

/// Incidents of a simulated fleet, as rows of a CSV.
fn incidents(dir: &Path) -> Vec<(String, i64, String)> {
    let file = std::fs::File::open(dir.join("sim/incidents.parquet")).unwrap();
    let mut found = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
        let batch = batch.unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let (ids, causes) = (column("instance_id").as_string::<i32>(), column("cause").as_string::<i32>());
        let times = column("ts").as_primitive::<TimestampMillisecondType>();
        for row in 0..batch.num_rows() {
            found.push((ids.value(row).to_owned(), times.value(row), causes.value(row).to_owned()));
        }
    }
    found
}

fn write_incidents(path: &Path, rows: impl IntoIterator<Item = (String, i64, String)>) {
    let mut text = "instance_id,ts,cause\n".to_owned();
    for (id, ts, cause) in rows {
        text.push_str(&format!("{id},{ts},{cause}\n"));
    }
    std::fs::write(path, text).unwrap();
}

#[test]
fn the_same_backtest_gives_the_same_bytes_whatever_the_future_brings() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path(), "12", "12");
    let ask = |out: &'static str| {
        let more = ["--incidents", "sim/incidents.parquet", "--format", "json", "--predictions", out];
        (done(dir.path(), &args(&more)), std::fs::read(dir.path().join(out)).unwrap())
    };
    let (report, rows) = ask("a.parquet");
    assert!(ask("b.parquet") == (report.clone(), rows.clone()), "twice is not the same");
    let found: Value = serde_json::from_str(&report).unwrap();
    assert!(found["positives"].as_u64().unwrap() > 0 && found["scorers"].as_array().unwrap().len() == 4, "{report}");

    // After the last look, and versions of the past that come in after it.
    let ids: std::collections::BTreeSet<String> = incidents(dir.path()).into_iter().map(|i| i.0).collect();
    let mut text = "instance_id,metric,ts,value,ingested_at\n".to_owned();
    for id in ids {
        for metric in
            ["CPUUtilization", "mem_used_percent", "disk_used_percent", "StatusCheckFailed", "cpu_usage_steal"]
        {
            for hour in 0..12 {
                text.push_str(&format!("{id},{metric},2026-01-11T{hour:02}:00:00Z,99.5,\n"));
                text.push_str(&format!("{id},{metric},2026-01-10T{hour:02}:00:00Z,99.5,2026-01-10T23:00:01Z\n"));
            }
        }
    }
    std::fs::write(dir.path().join("late.csv"), text).unwrap();
    let fleet = ["--account", "123456789012", "--region", "eu-central-1", "--period", "300"];
    done(dir.path(), &[&["import", "--history", "h", "late.csv"][..], &fleet].concat());
    assert!(ask("c.parquet") == (report, rows), "the future shows");
}

#[test]
fn chance_has_no_skill_and_a_fleet_without_incidents_no_precision() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path(), "24", "12");
    let real = json(dir.path(), &args(&["--incidents", "sim/incidents.parquet", "--format", "json"]));
    let known = incidents(dir.path());
    let ids: Vec<String> = known.iter().map(|i| i.0.clone()).collect();
    let n = known.len();
    assert!(n > 8, "{n} incidents");
    // Everyone gets the times of somebody else.
    let shifted = known.iter().enumerate().map(|(i, k)| (ids[(i + n / 2) % n].clone(), k.1, k.2.clone()));
    write_incidents(&dir.path().join("permuted.csv"), shifted);
    let permuted = json(dir.path(), &args(&["--incidents", "permuted.csv", "--format", "json"]));
    let (skill, by_chance) = (real["brier_skill"].as_f64().unwrap(), permuted["brier_skill"].as_f64().unwrap());
    assert!(skill > 0.1 && by_chance <= 0.0, "{skill} and by chance {by_chance}");

    std::fs::write(dir.path().join("none.csv"), "instance_id,ts\n").unwrap();
    let none = json(dir.path(), &args(&["--incidents", "none.csv", "--format", "json"]));
    for measure in ["row_precision", "episode_precision", "recall_all", "f1", "average_precision", "brier_skill"] {
        assert_eq!(none[measure], Value::Null, "{measure}");
        assert_eq!(none["scorers"][0]["measures"][measure]["no_meaning"], "no incidents", "{measure}");
    }
    assert!(none["false_episodes_per_instance_week"].is_number(), "that nothing failed is known");
    let said = done(dir.path(), &args(&["--incidents", "none.csv"]));
    assert!(said.contains("no meaning (no incidents)") && said.contains("taken to mean that nothing failed"), "{said}");
    let unknown = json(dir.path(), &args(&["--format", "json"]));
    assert_eq!(unknown["scorers"][0]["measures"]["brier"]["no_meaning"], "no incidents given");
    assert_eq!(unknown["false_episodes_per_instance_week"], Value::Null);
}

#[test]
fn a_rule_set_is_held_against_another_with_intervals() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path(), "24", "12");
    let builtin = done(dir.path(), &["rules", "list", "--text"]);
    let anxious = builtin.replace("[[-0.9835, -1.7135], [0.0165, -1.7115],", "[[-0.9835, 1.0], [0.0165, 1.1],");
    let touchy = builtin.replace("\n[params]\n", "\n[params]\nmemory_saturation_critical = 90.0\n");
    assert!(anxious != builtin && touchy != builtin);
    std::fs::write(dir.path().join("anxious.toml"), anxious).unwrap();
    std::fs::write(dir.path().join("touchy.toml"), touchy).unwrap();
    let against = |name: &str| {
        let more = ["--incidents", "sim/incidents.parquet", "--no-baselines", "--format", "json", "--against", name];
        json(dir.path(), &args(&more))
    };
    let row = |report: &Value, measure: &str| {
        let rows = report["difference"]["measures"].as_array().unwrap().clone();
        rows.into_iter().find(|r| r["measure"] == measure).unwrap()
    };
    let same = against("default");
    let name = same["scorers"][0]["name"].as_str().unwrap();
    assert!(name.starts_with("default ") && name.ends_with(" (A)"), "two of one name are told apart: {name}");
    let brier = row(&same, "brier");
    assert_eq!(
        (&brier["verdict"], brier["difference"]["hi"].as_f64()),
        (&"no difference can be told".into(), Some(0.0))
    );
    let worse = against("anxious.toml");
    let brier = row(&worse, "brier");
    assert_eq!(brier["verdict"], "worse", "{brier}");
    assert!(brier["difference"]["lo"].as_f64().unwrap() > 0.0, "{brier}");
    let words = worse["difference"]["words"].to_string();
    assert!(words.contains("Brier score: B is worse by") && words.contains("95 % interval"), "{words}");
    // Other levels make other features, and these a replay of their own: as if it had run alone.
    let apart = against("touchy.toml");
    let alone = json(
        dir.path(),
        &args(&[
            "--incidents",
            "sim/incidents.parquet",
            "--no-baselines",
            "--format",
            "json",
            "--rules",
            "touchy.toml",
        ]),
    );
    assert_eq!(apart["scorers"][1]["measures"], alone["scorers"][0]["measures"]);
    assert_ne!(apart["scorers"][0]["measures"], alone["scorers"][0]["measures"]);
}

#[test]
fn a_level_is_picked_by_what_mistakes_cost() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path(), "24", "12");
    let cost = |miss: &str, false_alarm: &str, action: &str| {
        let more = ["--incidents", "sim/incidents.parquet", "--no-baselines", "--format", "json"];
        let costs = ["--cost-miss", miss, "--cost-false-alarm", false_alarm, "--cost-action", action];
        json(dir.path(), &args(&[&more[..], &costs].concat()))["cost"].clone()
    };
    let number = |c: &Value, which: &str, what: &str| c[which][what].as_f64().unwrap();
    for (miss, false_alarm, action) in [(400.0, 30.0, 10.0), (0.0, 1.0, 1.0), (1e6, 1.0, 1.0)] {
        let c = cost(&miss.to_string(), &false_alarm.to_string(), &action.to_string());
        for which in ["present", "picked"] {
            let formula = miss * number(&c, which, "missed")
                + false_alarm * number(&c, which, "false_episodes")
                + action * number(&c, which, "episodes");
            assert!((formula - number(&c, which, "cost")).abs() < 1e-6, "{c}");
        }
        assert!(number(&c, "picked", "cost") <= number(&c, "present", "cost"), "{c}");
    }
    let dear = cost("1e6", "1", "1");
    let cheap = cost("0", "1", "1");
    assert!(number(&cheap, "picked", "threshold") > number(&dear, "picked", "threshold"), "{cheap} {dear}");
}

#[test]
fn fit_writes_a_whole_rule_set_and_says_what_each_cause_is_worth() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path(), "90", "16");
    let incidents = ["--incidents", "sim/incidents.parquet"];
    let learn = |more: &[&str]| done(dir.path(), &[&["fit"][..], &LONG, &incidents, &["--step", "3h"], more].concat());
    let said = learn(&["--hold-out-causes", "--out", "mine.toml"]);
    assert!(said.contains("mine.toml from ") && said.contains("on folds left out"), "{said}");
    let held_out = said.lines().filter(|l| l.contains("when from the others alone")).count();
    assert!(held_out >= 3, "{said}");
    learn(&["--out", "again.toml"]);
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(read("mine.toml"), read("again.toml"), "asking for causes changes nothing, nor does learning twice");
    assert!(read("mine.toml").contains("method = \"forewarn fit"));
    let report = json(
        dir.path(),
        &[&["backtest"][..], &LONG, &incidents, &["--rules", "mine.toml", "--step", "6h", "--format", "json"]].concat(),
    );
    assert!(report["scorers"][0]["measures"]["average_precision"]["value"].as_f64().unwrap() > 0.2);
}

#[test]
fn ctrl_c_leaves_nothing_half_written() {
    let dir = tempfile::tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    std::fs::write(dir.path().join("i.csv"), "instance_id,ts\ni-fills,2026-02-08T12:00:00Z\n").unwrap();
    let range =
        ["--history", "h", "--incidents", "i.csv", "--from", "2026-02-01T00:00:00Z", "--to", "2026-02-09T00:00:00Z"];
    for (command, out) in [("backtest", "--predictions"), ("fit", "--out")] {
        // A look every minute takes far longer than a signal.
        let mut child = Command::new(env!("CARGO_BIN_EXE_forewarn"))
            .args([&[command][..], &range, &["--step", "1m", out, "result"]].concat())
            .current_dir(dir.path())
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let staged = dir.path().join("result.partial");
        // The rows of a backtest are begun once it listens; a fit writes nothing until its end, and tells it by the signal's mask.
        while command == "backtest" && !staged.exists() {
            std::thread::yield_now();
        }
        while !catches_interrupt(child.id()) {
            std::thread::yield_now();
        }
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(130), "{command}: {status}");
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
        assert!(said.contains("interrupted: nothing was written"), "{said}");
        assert!(!staged.exists() && !dir.path().join("result").exists(), "{command} left something");
    }
    // What an earlier run left behind is in nobody's way.
    std::fs::write(dir.path().join("result.partial"), "half").unwrap();
    done(dir.path(), &[&["backtest"][..], &range, &["--step", "6h", "--predictions", "result"]].concat());
    assert!(dir.path().join("result").exists() && !dir.path().join("result.partial").exists());
}

/// Says whether a process has a handler for SIGINT (2), as Linux tells.
fn catches_interrupt(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|l| l.strip_prefix("SigCgt:")).map(str::trim);
    caught.and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_some_and(|mask| mask & 2 != 0)
}

/// Runs a backtest that must end with code 2 and say why.
fn refused(ran: &Ran, parts: &[&str]) {
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
    for part in parts {
        assert!(ran.err.contains(part), "no `{part}` in: {}", ran.err);
    }
}

fn run(dir: &Path, args: &[&str]) -> Ran {
    forewarn(dir, args)
}
