//! Thresholds come by their environment names, from the process to the prediction.
#![expect(clippy::float_cmp, reason = "these shares come out exactly")]

use crate::person::{AFTER, START, STEP, done, forewarn_with, write_rows};
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::path::Path;

/// Eight days of one instance of a small type: its credits stand at 60 of 144, and the last two checks have failed.
fn imported(dir: &Path) {
    let last = 8 * 288;
    let rows = (0..last).flat_map(|i| {
        let (t, wave) = (START + i * STEP, (i * 7919 % 1000) as f64 / 1000.0);
        let failed = f64::from(u8::from(i >= last - 2));
        [
            ("i-a", "CPUCreditBalance", t, 60.0 + wave),
            ("i-a", "StatusCheckFailed", t, failed),
            ("i-a", "mem_used_percent", t, 50.0 + wave + if i < last - 60 * 12 { 20.0 } else { 0.0 }),
        ]
    });
    write_rows(&dir.join("m.csv"), &rows.collect::<Vec<_>>());
    std::fs::write(dir.join("i.csv"), "instance_id,instance_type\ni-a,t3.nano\n").unwrap();
    done(dir, &["import", "--history", "h", "m.csv", "--instances", "i.csv"]);
}

const ANALYZE: [&str; 10] =
    ["analyze", "--history", "h", "--as-of", AFTER, "--format", "json", "--all", "--features", "f.parquet"];

/// The prediction, and the features by their names.
fn analyzed(dir: &Path, env: &[(&str, &str)]) -> (Value, impl Fn(&str) -> f64 + use<>) {
    let ran = forewarn_with(dir, env, &ANALYZE);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let prediction = serde_json::from_str::<Value>(&ran.out).unwrap()["predictions"][0].clone();
    let file = std::fs::File::open(dir.join("f.parquet")).unwrap();
    let mut batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batch = batches.next().unwrap().unwrap();
    let feature = move |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().value(0);
    (prediction, feature)
}

fn rules(prediction: &Value) -> Vec<&str> {
    prediction["factors"].as_array().unwrap().iter().map(|factor| factor["rule"].as_str().unwrap()).collect()
}

#[test]
fn thresholds_by_their_environment_names_reach_the_prediction() {
    let dir = tempfile::tempdir().unwrap();
    imported(dir.path());
    let (plain, feature) = analyzed(dir.path(), &[]);
    assert!(!rules(&plain).contains(&"status-failing"), "two of three checks: {plain:#}");
    let (failing, _) = analyzed(dir.path(), &[("STATUS_CHECK_FAILURE_COUNT", "2")]);
    assert!(rules(&failing).contains(&"status-failing"), "{failing:#}");
    assert_ne!(plain["ruleset"]["sha256"], failing["ruleset"]["sha256"], "another rule set says it");

    // 60 credits are more than 30 % of the 144 that a t3.nano can hold, and less than half of them.
    let past =
        |feature: &dyn Fn(&str) -> f64| ["warning", "critical"].map(|l| feature(&format!("credits_above_{l}_24h")));
    assert_eq!(past(&feature), [0.0, 0.0]);
    let (_, feature) = analyzed(dir.path(), &[("CPU_CREDIT_SHARE_WARNING", "0.5")]);
    assert_eq!(past(&feature), [1.0, 0.0]);
    let shares = [("CPU_CREDIT_SHARE_WARNING", "0.9"), ("CPU_CREDIT_SHARE_CRITICAL", "0.5")];
    let (_, feature) = analyzed(dir.path(), &shares);
    assert_eq!(past(&feature), [1.0, 0.0], "never more than the levels of a large type");
    let shares = [("CPU_CREDIT_BALANCE_CRITICAL", "90"), shares[0], shares[1]];
    let (_, feature) = analyzed(dir.path(), &shares);
    assert_eq!(past(&feature), [1.0, 1.0]);
}

#[test]
fn how_far_is_looked_back_comes_by_its_environment_name() {
    let dir = tempfile::tempdir().unwrap();
    imported(dir.path());
    let mean = |env: &[(&str, &str)]| analyzed(dir.path(), env).1("memory_mean_7d");
    assert!(mean(&[]) > 60.0);
    assert!(mean(&[("PREDICTION_LOOKBACK_HOURS", "48")]) < 52.0, "what is older was higher, and is not looked at");
    for hours in ["12", "400"] {
        let ran = forewarn_with(dir.path(), &[("PREDICTION_LOOKBACK_HOURS", hours)], &ANALYZE);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains("lookback_hours") && ran.err.contains("168"), "{}", ran.err);
    }
}
