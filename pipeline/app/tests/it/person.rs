//! Runs the built command line as a person does, and makes small fleets for it.

use serde_json::Value;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Five minutes, milliseconds.
pub(crate) const STEP: i64 = 300_000;
/// 2026-02-01T00:00:00Z, milliseconds.
pub(crate) const START: i64 = 1_769_904_000_000;
/// Where the CSV fleet ends, and a time at which all of it is available.
pub(crate) const AFTER: &str = "2026-02-09T00:05:00Z";

/// How a command came out.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code.
    pub(crate) code: i32,
    /// What it said on stdout.
    pub(crate) out: String,
    /// What it said on stderr.
    pub(crate) err: String,
}

/// Runs `forewarn` in `dir`, without any setting of ours.
pub(crate) fn forewarn(dir: &Path, args: &[&str]) -> Ran {
    forewarn_with(dir, &[], args)
}

/// Runs `forewarn` in `dir` with some environment variables and no other setting.
pub(crate) fn forewarn_with(dir: &Path, env: &[(&str, &str)], args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forewarn"));
    let output = command.args(args).current_dir(dir).env_clear().envs(env.iter().copied()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs what must succeed, and gives what it printed.
pub(crate) fn done(dir: &Path, args: &[&str]) -> String {
    let ran = forewarn(dir, args);
    assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.out, ran.err);
    ran.out
}

/// Runs what must succeed and print JSON.
pub(crate) fn json(dir: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&done(dir, args)).unwrap()
}

/// Simulates a fleet and imports it into `h`.
pub(crate) fn simulated(dir: &Path, instances: &str, days: &str) {
    done(
        dir,
        &["simulate", "--out", "sim", "--instances", instances, "--days", days, "--seed", "5", "--incident-rate", "4"],
    );
    let tables = ["--instances", "sim/instances.parquet", "--events", "sim/events.parquet"];
    done(dir, &[&["import", "--history", "h", "sim/metrics.parquet"][..], &tables].concat());
}

/// One row of a long CSV.
pub(crate) type Row = (&'static str, &'static str, i64, f64);

/// Eight days of three instances: one whose disk fills up, one at ease, and one whose samples lie off the grid.
pub(crate) fn fleet() -> Vec<Row> {
    let mut rows = Vec::new();
    for i in 0..8 * 288 {
        let (t, day) = (START + i * STEP, i as f64 / 288.0);
        let wave = (i * 7919 % 1000) as f64 / 1000.0;
        let cpu = 20.0 + 10.0 * (day * std::f64::consts::TAU).sin() + wave;
        for (id, shift, disk) in [
            ("i-fills", 0, 20.0 + (day - 6.0).max(0.0) * 38.5 + 0.2 * wave),
            ("i-rests", 0, 30.0 + 0.2 * wave),
            ("i-shifted", 127_000, 40.0 + 0.2 * wave),
        ] {
            rows.push((id, "CPUUtilization", t + shift, cpu));
            rows.push((id, "disk_used_percent", t + shift, disk));
            rows.push((id, "mem_used_percent", t + shift, 50.0 + wave));
        }
    }
    rows
}

/// Writes rows as a long CSV.
pub(crate) fn write_rows(path: &Path, rows: &[Row]) {
    let mut text = "instance_id,metric,ts,value\n".to_owned();
    for (id, metric, ts, value) in rows {
        writeln!(text, "{id},{metric},{ts},{value}").unwrap();
    }
    std::fs::write(path, text).unwrap();
}

/// Imports rows into the history `name`.
pub(crate) fn import_rows(dir: &Path, name: &str, rows: &[Row]) {
    let file = format!("{name}.csv");
    write_rows(&dir.join(&file), rows);
    done(dir, &["import", "--history", name, &file]);
}

/// The whole answer of `analyze` for the history `name`.
pub(crate) fn analyzed(dir: &Path, name: &str, as_of: &str) -> String {
    done(dir, &["analyze", "--history", name, "--as-of", as_of, "--format", "json", "--all"])
}

/// The prediction of an instance in an analysis.
pub(crate) fn prediction<'a>(analysis: &'a Value, id: &str) -> Option<&'a Value> {
    analysis["predictions"].as_array().unwrap().iter().find(|p| p["instance_id"] == id)
}
