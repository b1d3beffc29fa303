//! Threads and shards part the work: what comes out is the same to the byte, however it was parted.

use crate::person::{STEP, done, forewarn, simulated, write_rows};
use std::path::Path;

const AS_OF: &str = "2026-01-11T06:00:00Z";
/// 2026-01-11T06:00:00Z in milliseconds.
const AT: i64 = 1_768_111_200_000;

/// A simulated fleet, four copies of a machine whose disks fill up, and two young instances.
fn mixed(dir: &Path) {
    simulated(dir, "30", "11");
    let mut rows = Vec::new();
    for i in 0..8 * 288 {
        let (ts, day) = (AT - (8 * 288 - i) * STEP, i as f64 / 288.0);
        let wave = (i * 7919 % 1000) as f64 / 1000.0;
        for id in ["i-copy1", "i-copy2", "i-copy3", "i-copy4"] {
            rows.push((id, "disk_used_percent", ts, 20.0 + (day - 6.0).max(0.0) * 38.0 + 0.2 * wave));
            rows.push((id, "mem_used_percent", ts, 50.0 + wave));
        }
        for id in ["i-young1", "i-young2"].iter().filter(|_| day > 7.0) {
            rows.push((*id, "mem_used_percent", ts, 60.0 + 20.0 * (day - 7.0) + wave));
        }
    }
    write_rows(&dir.join("copies.csv"), &rows);
    let copies = "instance_id,workload\ni-copy1,web\ni-copy2,web\ni-copy3,web\ni-copy4,web\n";
    std::fs::write(dir.join("copies-instances.csv"), copies).unwrap();
    done(dir, &["import", "--history", "h", "copies.csv", "--instances", "copies-instances.csv"]);
}

fn analyzed(dir: &Path, more: &[&str]) -> String {
    let all = ["analyze", "--history", "h", "--as-of", AS_OF, "--format", "json", "--all"];
    done(dir, &[&all[..], more].concat())
}

fn shard(dir: &Path, shard: &str) -> String {
    done(dir, &["analyze", "--history", "h", "--as-of", AS_OF, "--shard", shard])
}

#[test]
fn shards_merged_are_the_whole_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    mixed(dir.path());
    let whole = analyzed(dir.path(), &["--threads", "1"]);
    assert!(whole.contains("i-young1") && whole.contains("i-copy4") && whole.contains("\"high\""));
    for threads in ["2", "7"] {
        assert!(analyzed(dir.path(), &["--threads", threads]) == whole, "{threads} threads show");
    }
    // Until all of them are there nothing is said.
    let merge = ["analyze", "--history", "h", "--as-of", AS_OF, "--merge", "--format", "json", "--all"];
    let none = forewarn(dir.path(), &merge);
    assert_eq!((none.code, none.out.as_str()), (2, ""), "{}", none.err);
    assert!(none.err.contains("lacks every shard") && none.err.contains("--shard I/N"), "{}", none.err);
    for n in ["4/4", "1/4", "2/4"] {
        assert!(shard(dir.path(), n).starts_with(&format!("shard {n}: ")));
    }
    let some = forewarn(dir.path(), &merge);
    assert_eq!(some.code, 2);
    assert!(some.err.contains("lacks 3/4"), "{}", some.err);
    shard(dir.path(), "3/4");
    assert!(analyzed(dir.path(), &["--merge"]) == whole, "shards show");
    // A retry changes nothing.
    shard(dir.path(), "2/4");
    assert!(analyzed(dir.path(), &["--merge"]) == whole);

    // What is announced is the same too, the episode of the workload included; then the evidence goes.
    let emit = |state: &str, more: &[&str]| {
        analyzed(dir.path(), &[&["--state", state, "--emit"][..], more].concat());
        std::fs::read_to_string(dir.path().join(state).join("events.jsonl")).unwrap()
    };
    let merged = emit("merged", &["--merge"]);
    assert_eq!(emit("whole", &[]), merged);
    assert!(merged.contains("Workload Failure Predicted") || merged.contains("workload.predicted"), "{merged}");
    assert_eq!(forewarn(dir.path(), &merge).code, 2, "what was merged and written down is gone");
}

#[test]
fn a_history_is_made_with_as_many_buckets_as_a_fleet_is_to_be_parted_into() {
    let dir = tempfile::tempdir().unwrap();
    let made = done(dir.path(), &["history", "create", "--history", "h", "--buckets", "120"]);
    assert!(made.contains("h with 120 buckets"), "{made}");
    assert_eq!(
        forewarn(dir.path(), &["history", "create", "--history", "h", "--buckets", "120"]).code,
        2,
        "it is there"
    );
    assert_eq!(forewarn(dir.path(), &["history", "create", "--history", "i", "--buckets", "0"]).code, 2);
    simulated(dir.path(), "20", "9");
    let whole = analyzed(dir.path(), &[]);
    assert!(shard(dir.path(), "100/100").contains("shard 100/100"));
    (1..100).for_each(|n| drop(shard(dir.path(), &format!("{n}/100"))));
    assert!(analyzed(dir.path(), &["--merge"]) == whole);
}

#[test]
fn shards_that_do_not_fit_together_are_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path(), "6", "9");
    let refused = |args: &[&str], why: &str| {
        let ran = forewarn(dir.path(), &[&["analyze", "--history", "h"][..], args].concat());
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert!(ran.err.contains(why), "{args:?}: {}", ran.err);
    };
    refused(&["--shard", "1/2"], "--as-of with the same time");
    refused(&["--merge"], "--as-of with the same time");
    refused(&["--shard", "3/2", "--as-of", AS_OF], "such as 2/4");
    refused(&["--shard", "1/40", "--as-of", AS_OF], "16 buckets");
    refused(&["--shard", "1/2", "--as-of", AS_OF, "--emit"], "--emit");
    shard(dir.path(), "1/2");
    // What was gathered and what is gathered now differ: neither is taken for the other in silence.
    std::fs::write(dir.path().join("more.csv"), "instance_id,metric,ts,value\ni-more,mem_used_percent,2026-01-09T00:00:00Z,1\ni-again,mem_used_percent,2026-01-09T00:00:00Z,1\ni-third,mem_used_percent,2026-01-09T00:00:00Z,1\ni-fourth,mem_used_percent,2026-01-09T00:00:00Z,1\n").unwrap();
    done(dir.path(), &["import", "--history", "h", "more.csv"]);
    let other = forewarn(dir.path(), &["analyze", "--history", "h", "--shard", "1/2", "--as-of", AS_OF]);
    assert!(other.code != 0 && other.err.contains("1-of-2.parquet"), "{}", other.err);
    shard(dir.path(), "3/3");
    refused(&["--merge", "--as-of", AS_OF], "is parted in one way");
    let evidence = |name: &str| {
        let round = std::fs::read_dir(dir.path().join("h/_evidence")).unwrap().next().unwrap().unwrap().path();
        round.join(name)
    };
    std::fs::remove_file(evidence("3-of-3.parquet")).unwrap();
    done(dir.path(), &["analyze", "--history", "h", "--as-of", AS_OF, "--shard", "2/2", "--map", "heap=memory"]);
    refused(&["--merge", "--as-of", AS_OF], "another map of metrics");
    std::fs::write(evidence("2-of-2.parquet"), b"PAR1").unwrap();
    refused(&["--merge", "--as-of", AS_OF], "gather the shard again");
}

#[test]
fn backtest_and_fit_give_the_same_bytes_on_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path(), "40", "24");
    let range = ["--from", "2026-01-08T00:00:00Z", "--to", "2026-01-25T00:00:00Z", "--step", "6h"];
    let mut first: Option<[String; 3]> = None;
    for threads in ["1", "2", "5"] {
        let (rows, rules) = (format!("p{threads}.parquet"), format!("r{threads}.toml"));
        let on = ["--history", "h", "--incidents", "sim/incidents.parquet", "--threads", threads];
        let report = done(
            dir.path(),
            &[&["backtest"][..], &on, &range, &["--predictions", &rows, "--format", "json", "--against", "default"]]
                .concat(),
        );
        let learned =
            forewarn(dir.path(), &[&["fit"][..], &on, &range, &["--hold-out-causes", "--out", &rules]].concat());
        let fitted = learned.out.replace(&rules, "");
        let made = [report, fitted, learned.err];
        match &first {
            None => first = Some(made),
            Some(first) => assert!(*first == made, "{threads} threads show"),
        }
        let same = |name: &str, one: &str| {
            let read = |name: &str| std::fs::read(dir.path().join(name)).ok();
            assert!(read(name) == read(one), "{name} is not {one}");
        };
        same(&rows, "p1.parquet");
        same(&rules, "r1.toml");
    }
}
