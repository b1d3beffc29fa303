//! Maintenance as its command does it, at low limits and on full disks.

use crate::person::{Ran, START, STEP, done, forewarn, json, write_rows};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs `forewarn` under limits that a shell sets first.
fn limited(dir: &Path, limits: &str, args: &[&str]) -> Ran {
    let output = Command::new("bash")
        .args(["-c", &format!("{limits} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_forewarn")])
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// A day of one instance, laid out as so many files of one bucket.
fn many_files(dir: &Path, files: usize) {
    let rows: Vec<_> = (0..288).map(|i| ("i-a", "CPUUtilization", START + i * STEP, (i % 7) as f64)).collect();
    write_rows(&dir.join("a.csv"), &rows);
    done(dir, &["import", "--history", "h", "a.csv"]);
    let mut found = Vec::new();
    parquet_below(&dir.join("h/metrics"), &mut found);
    let [one] = found.as_slice() else { panic!("{found:?}") };
    for n in 1..files {
        std::fs::copy(one, one.with_file_name(format!("copy-{n:05}.parquet"))).unwrap();
    }
}

fn parquet_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            parquet_below(&path, found);
        } else if path.extension().is_some_and(|e| e == "parquet") {
            found.push(path);
        }
    }
}

#[test]
fn thousands_of_files_are_read_and_merged_at_a_low_limit_of_open_files() {
    let dir = tempfile::tempdir().unwrap();
    many_files(dir.path(), 2000);
    let few = |args: &[&str]| {
        let ran = limited(dir.path(), "ulimit -n 256", args);
        assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.out, ran.err);
        ran.out
    };
    few(&["analyze", "--history", "h", "--as-of", "2026-02-02T00:00:00Z", "--all"]);
    let merged = few(&["maintain", "--history", "h", "--state", "s"]);
    assert!(merged.starts_with("history: 2,000 files of 1 days and buckets merged"), "{merged}");
    let stats = json(dir.path(), &["history", "stats", "--history", "h", "--format", "json"]);
    assert_eq!((stats["rows"].as_u64(), stats["files"].as_u64()), (Some(288), Some(1)));
}

#[test]
fn a_dry_run_says_what_would_go_and_maintenance_lets_it_go() {
    let dir = tempfile::tempdir().unwrap();
    many_files(dir.path(), 20);
    std::fs::create_dir_all(dir.path().join("s/unreadable")).unwrap();
    std::fs::write(dir.path().join("s/unreadable/aa.bin"), b"old").unwrap();
    std::fs::write(dir.path().join("s/unreadable/aa.json"), r#"{"set_aside_at":"2020-01-01T00:00:00Z"}"#).unwrap();
    std::fs::write(dir.path().join("bad.jsonl"), "{}\n").unwrap();
    // Nothing of it can be understood.
    assert_eq!(forewarn(dir.path(), &["events", "import", "bad.jsonl", "--state", "s"]).code, 2);
    std::fs::write(dir.path().join("forewarn.toml"), "retain_dead_letters = \"1KiB\"\nretain_history = \"forever\"\n")
        .unwrap();
    let maintain = ["maintain", "--history", "h", "--state", "s"];
    let dry = done(dir.path(), &[&maintain[..], &["--dry-run"]].concat());
    for would in
        ["20 files of 1 days and buckets would be merged", "history: kept", "set aside: 1 (3 bytes) would be deleted"]
    {
        assert!(dry.contains(would), "{would}: {dry}");
    }
    assert!(dir.path().join("s/unreadable/aa.bin").exists());
    let real = done(dir.path(), &maintain);
    assert!(
        real.contains("20 files of 1 days and buckets merged") && real.contains("set aside: 1 (3 bytes) deleted"),
        "{real}"
    );
    assert!(!dir.path().join("s/unreadable/aa.bin").exists());
    let again = done(dir.path(), &maintain);
    assert!(again.contains("history: 0 files of 0 days") && again.contains("set aside: 0 (0 bytes)"), "{again}");
    assert_eq!(json(dir.path(), &["history", "stats", "--history", "h", "--format", "json"])["rows"], 288);
    std::fs::write(dir.path().join("forewarn.toml"), "retain_history = \"1d\"\n").unwrap();
    let pruned = done(dir.path(), &maintain);
    assert!(pruned.contains("history: 1 files"), "{pruned}");
    let nonsense = forewarn_with(dir.path(), "FOREWARN_RETAIN_LOG", "soon");
    assert!(nonsense.code == 2 && nonsense.err.contains("retain_log is \"soon\", expected a span"), "{nonsense:?}");
}

fn forewarn_with(dir: &Path, name: &str, value: &str) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(["maintain", "--history", "h", "--state", "s"])
        .current_dir(dir)
        .env_clear()
        .env(name, value)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// A small file system in memory; it is unmounted when this is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one, or says why a test is skipped: that takes rights that not everybody has.
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    fn or_skip(at: PathBuf) -> Option<Self> {
        std::fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(&at).output();
        if mounted.is_ok_and(|m| m.status.success()) {
            return Some(Self(at));
        }
        println!("skipped: no file system can be mounted");
        None
    }

    /// Leaves so many KiB free.
    fn fill(&self, leave_kib: u64) {
        let filler = self.0.join("filler");
        drop(std::fs::remove_file(&filler));
        let output = Command::new("df").args(["--output=avail", "-k"]).arg(&self.0).output().unwrap();
        let free: u64 = String::from_utf8(output.stdout).unwrap().lines().nth(1).unwrap().trim().parse().unwrap();
        let bytes = free.saturating_sub(leave_kib) * 1024;
        std::fs::write(filler, vec![1; bytes as usize]).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn a_full_disk_loses_nothing_and_everything_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::or_skip(dir.path().join("disk")) else { return };
    let points = 3000;
    let lines: String = (0..points)
        .map(|m| {
            let (ts, value) = (START + m * 60_000, (m * 7919 % 100_003) as f64 / 1000.0);
            format!(
                r#"{{"account_id":"1","region":"r","namespace":"AWS/EC2","metric_name":"CPUUtilization","dimensions":{{"InstanceId":"i-0123456789abcdef0"}},"timestamp":{ts},"value":{{"max":{value},"sum":{value},"count":1}}}}"#
            ) + "\n"
        })
        .collect();
    std::fs::write(dir.path().join("a.json"), lines).unwrap();
    let steps: [&[&str]; 3] = [
        &["metric-stream", "a.json", "--state", "disk/s"],
        &["archive", "--state", "disk/s", "--history", "disk/h"],
        &["maintain", "--state", "disk/s", "--history", "disk/h"],
    ];
    let mut refused = [0; 3];
    for leave_kib in [0, 8, 40, 100, 200, 400] {
        disk.fill(leave_kib);
        for (step, refused) in steps.iter().zip(&mut refused) {
            let ran = forewarn(dir.path(), step);
            if ran.code != 0 {
                *refused += 1;
                let said = format!("{}{}", ran.out, ran.err);
                assert!(said.contains("the disk is full: free space on it"), "{leave_kib} KiB, {step:?}: {ran:?}");
            }
        }
    }
    assert!(refused[0] > 0 && refused[1] > 0, "{refused:?}");
    std::fs::remove_file(disk.0.join("filler")).unwrap();
    for step in steps {
        done(dir.path(), step);
    }
    done(dir.path(), &["history", "verify", "--history", "disk/h"]);
    done(dir.path(), &["history", "compact", "--history", "disk/h"]);
    let stats = json(dir.path(), &["history", "stats", "--history", "disk/h", "--format", "json"]);
    assert_eq!(stats["rows"].as_i64(), Some(points));
}

#[test]
fn a_disk_that_is_nearly_full_is_said_before_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::or_skip(dir.path().join("disk")) else { return };
    let disks = || {
        let maintain = ["maintain", "--state", "disk/s", "--history", "h", "--dry-run", "--format", "json"];
        json(dir.path(), &maintain)["disks"].clone()
    };
    assert_eq!((&disks()[0]["path"], &disks()[0]["low"]), (&"disk/s".into(), &false.into()));
    disk.fill(200);
    let full = disks();
    assert!(full[0]["low"] == true && full[0]["free_bytes"].as_u64().unwrap() <= 200 * 1024, "{full:#}");
}
