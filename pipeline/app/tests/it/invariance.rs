//! The same facts give the same answer: in any order, told twice, at any period, in `analyze` and in `backtest`.

use crate::person::{AFTER, Row, analyzed, done, fleet, import_rows, json, prediction, simulated};
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMillisecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn shuffled_and_repeated_rows_change_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let rows = fleet();
    import_rows(dir.path(), "plain", &rows);
    let mut messy: Vec<Row> = rows.iter().chain(rows.iter().step_by(3)).copied().collect();
    messy.shuffle(&mut ChaCha8Rng::seed_from_u64(11));
    import_rows(dir.path(), "messy", &messy);
    import_rows(dir.path(), "twice", &rows);
    messy.reverse();
    import_rows(dir.path(), "twice", &messy);
    // On the grid's edges and between them, where samples off the grid come in one by one.
    for as_of in [AFTER, "2026-02-08T12:00:00Z", "2026-02-07T03:10:00Z", "2026-02-07T03:12:06Z", "2026-02-07T03:12:07Z"]
    {
        let plain = analyzed(dir.path(), "plain", as_of);
        for other in ["messy", "twice"] {
            assert!(analyzed(dir.path(), other, as_of) == plain, "{other} at {as_of}");
        }
    }
}

#[test]
fn minutes_and_five_minutes_give_the_same_levels() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Vec<Row> = fleet().into_iter().filter(|r| r.0 != "i-shifted").collect();
    import_rows(dir.path(), "fives", &rows);
    let minutes: Vec<Row> = rows
        .iter()
        .flat_map(|&(id, metric, ts, value)| (0..5).map(move |m| (id, metric, ts + m * 60_000, value)))
        .collect();
    import_rows(dir.path(), "minutes", &minutes);
    for as_of in [AFTER, "2026-02-08T12:00:00Z", "2026-02-08T18:07:00Z", "2026-02-05T00:00:00Z"] {
        let of = |name: &str| -> Value { serde_json::from_str(&analyzed(dir.path(), name, as_of)).unwrap() };
        let (fives, minutes) = (of("fives"), of("minutes"));
        for id in ["i-fills", "i-rests"] {
            let (a, b) = (prediction(&fives, id).unwrap(), prediction(&minutes, id).unwrap());
            assert_eq!((&a["confidence"], &a["failure_type"]), (&b["confidence"], &b["failure_type"]), "{id} {as_of}");
            for horizon in ["24h", "72h", "168h"] {
                let (a, b) = (a["probability"][horizon].as_f64(), b["probability"][horizon].as_f64());
                let same = a.zip(b).map_or(a == b, |(a, b)| (a - b).abs() < 1e-9);
                assert!(same, "{id} {as_of} {horizon}: {a:?} against {b:?}");
            }
        }
    }
}

type Scored = ([Option<u64>; 3], String);

/// Reads what `backtest --predictions` wrote: probabilities as bits, and the level, by instance and time.
fn replayed(path: &Path) -> BTreeMap<(String, i64), Scored> {
    let file = std::fs::File::open(path).unwrap();
    let mut found = BTreeMap::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
        let batch = batch.unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let (ids, levels) = (column("instance_id").as_string::<i32>(), column("confidence").as_string::<i32>());
        let times = column("as_of").as_primitive::<TimestampMillisecondType>();
        let p = ["p24", "p72", "p168"].map(|name| column(name).as_primitive::<Float64Type>());
        for (row, (id, level)) in ids.iter().zip(levels).enumerate() {
            let bits = p.map(|p| p.is_valid(row).then(|| p.value(row).to_bits()));
            found.insert((id.unwrap().to_owned(), times.value(row)), (bits, level.unwrap().to_owned()));
        }
    }
    found
}

#[test]
fn analyze_says_what_backtest_says_to_the_bit() {
    let dir = tempfile::tempdir().unwrap();
    simulated(dir.path(), "12", "10");
    let range = ["--from", "2026-01-03T00:00:00Z", "--to", "2026-01-11T00:00:00Z", "--step", "35m", "--prior", "0.2"];
    done(dir.path(), &[&["backtest", "--history", "h", "--predictions", "p.parquet"][..], &range].concat());
    let replayed = replayed(&dir.path().join("p.parquet"));
    let mut times: Vec<i64> = replayed.keys().map(|k| k.1).collect();
    times.sort_unstable();
    times.dedup();
    times.shuffle(&mut ChaCha8Rng::seed_from_u64(23));
    let (mut compared, mut assessed, mut risky) = (0, 0, 0);
    for as_of in times.into_iter().take(15) {
        let text = forewarn_runtime::time::format_ms(as_of);
        let analysis = json(
            dir.path(),
            &["analyze", "--history", "h", "--as-of", &text, "--format", "json", "--all", "--prior", "0.2"],
        );
        for p in analysis["predictions"].as_array().unwrap() {
            let probabilities = ["24h", "72h", "168h"].map(|h| p["probability"][h].as_f64().map(f64::to_bits));
            let level = p["confidence"].as_str().unwrap().to_owned();
            assessed += usize::from(level != "unassessable");
            risky += usize::from(["low", "medium", "high"].contains(&level.as_str()));
            let id = p["instance_id"].as_str().unwrap().to_owned();
            let (said, named) = replayed.get(&(id.clone(), as_of)).unwrap();
            assert_eq!(*named, level, "{id} at {text}");
            if level == "unassessable" {
                // People are told nothing; who scores the table gets what the rule set holds without evidence.
                assert_eq!(probabilities, [None; 3], "{id} at {text}");
                assert!(said.iter().all(Option::is_some), "{id} at {text}");
            } else {
                assert_eq!(*said, probabilities, "{id} at {text}");
            }
            compared += 1;
        }
    }
    assert!(compared >= 100 && assessed > 50 && risky > 5, "{compared} compared, {assessed} assessed, {risky} at risk");
}
