//! Parquet of many shapes, and the properties of the sort.

use super::{NOW, import, write};
use crate::layout::read_all;
use arrow_array::{
    Array, ArrayRef, Date32Array, Float32Array, Float64Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    TimestampMicrosecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow_schema::{DataType, Field, Schema};
use forewarn_history::import::{ImportOptions, OnError};
use forewarn_testkit::snapshot;
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const AT: i64 = 1_770_681_600; // 2026-02-10T00:00:00Z

fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
    let fields: Vec<Field> = columns.iter().map(|(name, a)| Field::new(*name, a.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns.into_iter().map(|c| c.1).collect()).unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path.to_path_buf()
}

/// Writes `n` minutes of one series.
pub(super) fn parquet_file(dir: &Path, n: i64) -> PathBuf {
    let rows = n as usize;
    write_parquet(
        &dir.join("good.parquet"),
        vec![
            ("instance_id", Arc::new(StringArray::from(vec!["i-a"; rows]))),
            ("metric", Arc::new(StringArray::from(vec!["CPUUtilization"; rows]))),
            ("ts", Arc::new(Int64Array::from_iter_values((0..n).map(|i| AT + 60 * i)))),
            ("value", Arc::new(Float64Array::from_iter_values((0..n).map(|i| i as f64)))),
        ],
    )
}

#[test]
fn every_type_of_time_means_the_same() {
    let times: Vec<ArrayRef> = vec![
        Arc::new(TimestampSecondArray::from(vec![AT])),
        Arc::new(TimestampMicrosecondArray::from(vec![AT * 1_000_000]).with_timezone("UTC")),
        Arc::new(TimestampNanosecondArray::from(vec![AT * 1_000_000_000]).with_timezone("America/New_York")),
        Arc::new(Date32Array::from(vec![(AT / 86_400) as i32])),
        Arc::new(Int64Array::from(vec![AT])),
        Arc::new(Int64Array::from(vec![AT * 1000])),
        Arc::new(Float64Array::from(vec![AT as f64])),
        Arc::new(StringArray::from(vec!["2026-02-10 00:00:00"])),
        Arc::new(LargeStringArray::from(vec!["2026-02-09T19:00:00-05:00"])),
    ];
    for ts in times {
        let dir = tempfile::tempdir().unwrap();
        let kind = format!("{}", ts.data_type());
        let file = write_parquet(
            &dir.path().join("t.parquet"),
            vec![
                ("instance_id", Arc::new(LargeStringArray::from(vec!["i-a"]))),
                ("metric", Arc::new(StringArray::from(vec!["m"]))),
                ("ts", ts),
                ("value", Arc::new(Float32Array::from(vec![0.5]))),
            ],
        );
        import(&dir.path().join("h"), &[file], &ImportOptions::at(NOW)).unwrap();
        let rows = read_all(&dir.path().join("h"));
        assert_eq!((rows.len(), rows[0].1, f64::from_bits(rows[0].2)), (1, AT * 1000, 0.5), "{kind}");
    }
}

#[test]
fn bad_parquet_rows_are_named_by_number_and_types_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let texts = |v: Vec<Option<&str>>| Arc::new(StringArray::from(v)) as ArrayRef;
    let columns = |value: ArrayRef| {
        vec![
            ("instance_id", texts(vec![Some("i-a"), Some("i-a"), None, Some("i-b")])),
            ("metric", texts(vec![Some("m"); 4])),
            ("ts", Arc::new(Int64Array::from(vec![Some(AT), None, Some(AT), Some(AT * 3)])) as ArrayRef),
            ("value", value),
        ]
    };
    let values = Arc::new(Float64Array::from(vec![Some(f64::INFINITY), Some(1.0), Some(1.0), None]));
    let file = write_parquet(&dir.path().join("bad.parquet"), columns(values));
    let at = file.display();
    let error = import(&dir.path().join("h"), std::slice::from_ref(&file), &ImportOptions::at(NOW)).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{at}: row 1: the value inf is not finite")), "{error}");
    let mut options = ImportOptions::at(NOW);
    options.on_error = OnError::Skip;
    let report = import(&dir.path().join("h"), &[file], &options).unwrap();
    assert_eq!((report.rows_read, report.rows_written, report.rows_skipped), (4, 0, 4));
    assert_eq!(report.errors[1], format!("{}/bad.parquet: row 2: the time is null", dir.path().display()));
    assert_eq!(report.errors[2], format!("{}/bad.parquet: row 3: instance_id is empty", dir.path().display()));
    assert!(report.errors[3].contains("row 4: the time 2138-"), "{:?}", report.errors);

    let file = write_parquet(&dir.path().join("typed.parquet"), columns(texts(vec![Some("1"); 4])));
    let error = import(&dir.path().join("h"), &[file], &ImportOptions::at(NOW)).unwrap_err();
    assert!(error.to_string().ends_with("the column `value` is Utf8, but should be a number"), "{error}");
}

#[test]
fn the_parts_of_a_key_come_from_the_file_where_it_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let text = "InstanceId,metric,ts,value,namespace,stat,device,account,region,period_s,ingested_at\n\
        i-a,disk_used_percent,2026-02-10,5,CWAgent,Maximum,path=/data,123456789012,eu-west-1,60,2026-02-10T00:02:00Z\n\
        i-a,disk_used_percent,2026-02-10,6,,,,,,,\n";
    import(&dir.path().join("h"), &[write(dir.path(), "a.csv", text)], &ImportOptions::at(NOW)).unwrap();
    let rows = read_all(&dir.path().join("h"));
    let (bare, full) = (&rows[0], &rows[1]);
    assert_eq!(full.0.device.as_deref(), Some("path=/data"));
    assert_eq!((full.0.account.as_str(), full.0.region.as_str(), full.0.period_s), ("123456789012", "eu-west-1", 60));
    assert_eq!((full.0.stat.as_str(), full.3), ("Maximum", AT * 1000 + 120_000));
    assert_eq!((bare.0.device.as_deref(), bare.0.account.as_str(), bare.0.stat.as_str()), (None, "unknown", "Average"));
}

/// Rows as (instance, metric, minute, value).
fn csv(rows: &[(u8, u8, u16, i8)]) -> String {
    let mut text = "instance_id,metric,ts,value\n".to_owned();
    for (i, m, minute, value) in rows {
        text.push_str(&format!("i-{i},m{m},{},{value}\n", AT + 60 * i64::from(*minute)));
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Order, and where the sort spills, change nothing but the names of files.
    #[test]
    fn shuffled_input_through_tiny_spills_makes_the_same_files(
        rows in proptest::collection::vec((0_u8..4, 0_u8..3, 0_u16..4000, -3_i8..3), 1..200),
        limit in 40_usize..4000,
        seed in any::<u64>(),
    ) {
        let mut sorted = rows.clone();
        sorted.sort_unstable();
        let mut shuffled = rows;
        shuffled.sort_by_key(|r| xxhash(format!("{seed}{r:?}").as_bytes()));
        let dir = tempfile::tempdir().unwrap();
        let one = dir.path().join("one");
        let two = dir.path().join("two");
        import(&one, &[write(dir.path(), "a.csv", &csv(&sorted))], &ImportOptions::at(NOW)).unwrap();
        let mut options = ImportOptions::at(NOW);
        options.memory_limit_bytes = limit;
        import(&two, &[write(dir.path(), "b.csv", &csv(&shuffled))], &options).unwrap();
        prop_assert_eq!(read_all(&one), read_all(&two));
        prop_assert_eq!(read_all(&one).len(), sorted.len());
        let files = |root: &Path| -> Vec<Vec<u8>> {
            snapshot(root).into_iter().filter(|f| f.0.starts_with("metrics")).map(|f| f.1).collect()
        };
        prop_assert_eq!(files(&one), files(&two));
    }
}

fn xxhash(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh64::xxh64(bytes, 0)
}

#[test]
fn long_texts_are_read_as_dictionaries_whatever_their_type() {
    let dir = tempfile::tempdir().unwrap();
    let coded: arrow_array::DictionaryArray<arrow_array::types::Int8Type> = ["i-a", "i-b", "i-a"].into_iter().collect();
    assert!(matches!(coded.data_type(), DataType::Dictionary(..)));
    let file = write_parquet(
        &dir.path().join("d.parquet"),
        vec![
            ("instance_id", Arc::new(coded)),
            ("metric", Arc::new(arrow_array::StringViewArray::from(vec!["m"; 3]))),
            ("ts", Arc::new(Int64Array::from(vec![AT, AT, AT + 60]))),
            ("value", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ],
    );
    let report = import(&dir.path().join("h"), &[file], &ImportOptions::at(NOW)).unwrap();
    assert_eq!((report.rows_written, report.instances), (3, 2));
}
