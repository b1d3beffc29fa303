//! What an import says of what it was given: columns that nobody knows, statistics, and values that a signal can't mean.

use super::{NOW, import, write};
use crate::layout::read_all;
use forewarn_history::import::{ImportOptions, ImportReport};
use std::fmt::Write as _;
use std::path::Path;

const AT: i64 = 1_770_681_600; // 2026-02-10T00:00:00Z

/// Imports rows of the given header, `n` times: `row(i)` is what stands after the time.
fn imported(dir: &Path, name: &str, header: &str, n: i64, row: impl Fn(i64) -> Vec<String>) -> ImportReport {
    let mut text = format!("ts,{header}\n");
    for i in 0..n {
        for rest in row(i) {
            writeln!(text, "{},{rest}", AT + 300 * i).unwrap();
        }
    }
    let file = write(dir, &format!("{name}.csv"), &text);
    import(&dir.join(name), &[file], &ImportOptions::at(NOW)).unwrap()
}

fn devices(history: &Path) -> Vec<Option<String>> {
    let mut devices: Vec<_> = read_all(history).into_iter().map(|row| row.0.device).collect();
    devices.sort();
    devices.dedup();
    devices
}

#[test]
fn a_column_that_alone_tells_rows_apart_joins_the_device_and_one_that_does_not_is_no_news() {
    let dir = tempfile::tempdir().unwrap();
    let header = "instance_id,metric,value,note,shelf,line";
    let told = imported(dir.path(), "apart", header, 20, |i| {
        let row = |shelf: &str, value: i64| format!("i-a,disk_used_percent,{value},same,{shelf},{}", 2 * i + value % 2);
        vec![row("left", 20), row("right", 61 + i)]
    });
    assert_eq!((told.told_apart_by, told.rows_contradicting, told.series), (vec!["shelf".to_owned()], 0, 2));
    let [left, right] = ["left", "right"].map(|side| Some(format!("shelf={side}")));
    assert_eq!(devices(&dir.path().join("apart")), [left, right]);
    let told = imported(dir.path(), "plain", header, 20, |i| {
        vec![format!("i-a,disk_used_percent,{},note {i},{},{i}", 20 + i, ["left", "right"][i as usize % 2])]
    });
    assert_eq!((told.told_apart_by.len(), told.series), (0, 1), "rows differ in them, but are never of one time");
    assert_eq!(devices(&dir.path().join("plain")), [None]);
}

#[test]
fn what_differs_in_every_row_tells_nothing_apart_and_several_columns_may_do_so_together() {
    let dir = tempfile::tempdir().unwrap();
    let told = imported(dir.path(), "numbered", "instance_id,metric,value,line", 20, |i| {
        (0..2).map(|k| format!("i-a,m,{},{}", i + k, 2 * i + k)).collect()
    });
    assert_eq!((told.told_apart_by.len(), told.rows_contradicting), (0, 20));
    let told = imported(dir.path(), "together", "instance_id,metric,value,rack,shelf", 20, |i| {
        (0..4).map(|k| format!("i-a,m,{},r{},s{}", i + k, k / 2, k % 2)).collect()
    });
    assert_eq!(told.told_apart_by, ["rack", "shelf"]);
    assert_eq!((told.rows_contradicting, told.series), (0, 4));
    assert_eq!(devices(&dir.path().join("together"))[0].as_deref(), Some("rack=r0,shelf=s0"));
}

#[test]
fn statistics_that_do_not_mean_the_signal_are_kept_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let told = imported(dir.path(), "stats", "instance_id,metric,stat,value", 10, |i| {
        let of = |metric: &str, stat: &str, value: i64| format!("i-a,{metric},{stat},{value}");
        let cpu = ["Average", "sum", "SampleCount", "Minimum"].map(|stat| of("CPUUtilization", stat, 30 + i));
        cpu.into_iter().chain([of("mem_used_percent", "Maximum", 40 + i)]).collect()
    });
    let named: Vec<_> = told.unused_metrics.iter().map(|(name, rows)| (name.as_str(), *rows)).collect();
    let expected =
        [("CPUUtilization (Minimum)", 10), ("CPUUtilization (SampleCount)", 10), ("CPUUtilization (sum)", 10)];
    assert_eq!(named, expected, "of memory the only one there is is read");
    assert_eq!(told.rows_written, 50);
}

#[test]
fn counters_shares_and_what_cannot_be_are_said_with_the_name_of_the_metric() {
    let dir = tempfile::tempdir().unwrap();
    let told = imported(dir.path(), "odd", "instance_id,metric,value", 100, |i| {
        let of = |metric: &str, value: f64| format!("i-a,{metric},{value}");
        let share = 0.3 + (i % 7) as f64 / 100.0;
        vec![
            of("net_drop_in", 5e4 + (3 * i) as f64),
            of("mem_used_percent", share),
            of("CPUUtilization", 80.0 + i as f64),
        ]
    });
    let doubtful: Vec<_> = told.doubtful.into_iter().collect();
    assert_eq!(doubtful.len(), 2, "{doubtful:?}");
    assert!(doubtful[0].0.starts_with("mem_used_percent is a share") && doubtful[0].1 == 1);
    assert!(doubtful[1].0.starts_with("net_drop_in is a raw counter") && doubtful[1].1 == 1);
    // 102 to 179 lie beyond 100 per cent, but for a rounding of one.
    assert_eq!(told.outside.into_iter().collect::<Vec<_>>(), [("CPUUtilization".to_owned(), 78)]);
    assert_eq!(read_all(&dir.path().join("odd")).len(), 300, "all are kept");
}
