//! Kills a writer at every named point, by a child process that is this test again, and completes the work.

use super::read_all;
use crate::import::{NOW, import, write};
use forewarn_history::import::ImportOptions;
use forewarn_history::{CompactOptions, History};
use forewarn_testkit::snapshot;
use std::path::{Path, PathBuf};
use std::process::Command;

/// 2026-02-11T00:00:00Z, in the middle of what is imported.
const DAY_AFTER: i64 = 1_770_768_000_000;
const ROOT: &str = "FOREWARN_TEST_CRASH_ROOT";
const WORK: &str = "FOREWARN_TEST_CRASH_WORK";

fn files(root: &Path) -> [PathBuf; 2] {
    let text = |from: i64, n: i64| {
        let mut text = "instance_id,metric,ts,value\n".to_owned();
        for k in 0..n {
            for i in 0..3 {
                text.push_str(&format!("i-{i},CPUUtilization,{},{k}\n", 1_770_681_600 + 3600 * (from + k)));
            }
        }
        text
    };
    [write(root, "a.csv", &text(0, 60)), write(root, "b.csv", &text(40, 40))]
}

fn work(root: &Path, what: &str) {
    let history = root.join("h");
    let [a, b] = files(root);
    let mut options = ImportOptions::at(NOW);
    options.memory_limit_bytes = 2000;
    match what {
        "import" => {
            import(&history, &[b], &options).unwrap();
        }
        "compact" => {
            let mut history = History::open(history.to_str().unwrap()).unwrap();
            history.writer().unwrap().compact(&CompactOptions { now_ms: NOW, ..CompactOptions::default() }).unwrap();
        }
        "prune" => {
            let mut history = History::open(history.to_str().unwrap()).unwrap();
            history.writer().unwrap().prune(DAY_AFTER, NOW).unwrap();
        }
        "repeating" => {
            let text = std::fs::read_to_string(&b).unwrap();
            let rows: String = text.lines().skip(1).flat_map(|l| [l, "\n", l, "\n"]).collect();
            let twice = write(root, "twice.csv", &format!("instance_id,metric,ts,value\n{rows}"));
            import(&history, &[twice], &options).unwrap();
        }
        _ => {
            import(&history, &[a], &options).unwrap();
        }
    }
}

/// Does the work that the environment names and dies in it; on its own it has nothing to do.
#[test]
fn child() {
    if let (Ok(root), Ok(what)) = (std::env::var(ROOT), std::env::var(WORK)) {
        work(Path::new(&root), &what);
    }
}

fn killed_at(point: &str, root: &Path, what: &str) -> bool {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "layout::crash::child"])
        .env(ROOT, root)
        .env(WORK, what)
        .env(forewarn_runtime::failpoint::CRASH_AT, point)
        .output()
        .unwrap();
    !child.status.success()
}

fn dies_everywhere(points: &[&str], before: &[&str], what: &str) {
    let whole = tempfile::tempdir().unwrap();
    for step in before.iter().chain([&what]) {
        work(whole.path(), step);
    }
    let wanted = snapshot(&whole.path().join("h"));
    let rows = read_all(&whole.path().join("h"));
    for point in points {
        let dir = tempfile::tempdir().unwrap();
        for step in before {
            work(dir.path(), step);
        }
        let history = dir.path().join("h");
        let before_rows = read_all(&history);
        assert!(killed_at(point, dir.path(), what), "{point} was never passed");

        // Readable as it stands: whole without what was being added, or with a part of the renames done.
        let mut seen = read_all(&history);
        if what == "prune" {
            assert_eq!(seen, rows, "{point}");
        } else if what == "compact" {
            seen.dedup();
            assert_eq!(seen, rows, "{point}");
        } else {
            assert!(seen.len() >= before_rows.len() && seen.len() <= rows.len(), "{point}");
        }
        assert!(History::open(history.to_str().unwrap()).unwrap().verify().unwrap().faults.is_empty(), "{point}");
        work(dir.path(), what);
        assert_eq!(snapshot(&history), wanted, "{point}");
    }
}

#[test]
fn an_import_killed_at_any_point_is_completed_to_the_byte() {
    let points = [
        "import.spilled:1",
        "import.spilled:2",
        "import.partition_written:1",
        "import.partition_written:4",
        "commit.staged",
        "commit.journal_written",
        "commit.file_placed:1",
        "commit.file_placed:3",
        "commit.manifest_written",
        "commit.recorded",
    ];
    dies_everywhere(&points, &["first"], "import");
}

#[test]
fn a_compaction_killed_at_any_point_is_completed_to_the_byte() {
    let points = [
        "compact.staged:1",
        "compact.staged:2",
        "compact.noted",
        "compact.placed",
        "compact.deleted:1",
        "compact.deleted:2",
    ];
    dies_everywhere(&points, &["first", "import"], "compact");
}

#[test]
fn a_compaction_of_single_files_killed_at_any_point_is_completed_to_the_byte() {
    let points = ["compact.staged:1", "compact.noted", "compact.placed", "compact.deleted:1", "compact.deleted:2"];
    dies_everywhere(&points, &["repeating"], "compact");
}

#[test]
fn a_pruning_killed_at_any_point_brings_nothing_back_and_is_completed_to_the_byte() {
    let points = ["prune.noted", "prune.deleted:1", "prune.deleted:3"];
    dies_everywhere(&points, &["first", "import", "compact"], "prune");
}
