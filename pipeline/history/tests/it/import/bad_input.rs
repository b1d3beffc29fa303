//! Every bad input fails with its place and fault, as bad input, and leaves no trace.

use super::{NOW, import, write};
use forewarn_history::import::{ImportError, ImportOptions};
use forewarn_testkit::snapshot;
use std::path::{Path, PathBuf};

/// Imports into an existing history and into a place without one; neither may change.
pub(super) fn refused(dir: &Path, file: &Path, options: &ImportOptions) -> String {
    let history = dir.join("h");
    let good = write(dir, "good.csv", "instance_id,metric,ts,value\ni-a,m,2026-02-10,1\n");
    import(&history, &[good], &ImportOptions::at(NOW)).unwrap();
    let before = snapshot(&history);
    let error = import(&history, &[file.to_path_buf()], options).unwrap_err();
    assert!(error.is_bad_input(), "{error:?}");
    assert_eq!(snapshot(&history), before);
    let fresh = dir.join("fresh/deeper");
    import(&fresh, &[file.to_path_buf()], options).unwrap_err();
    assert!(!dir.join("fresh").exists(), "a failed import made a history");
    whole(&error)
}

/// The message with its causes, as a person sees it.
fn whole(error: &ImportError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(e) = cause {
        text.push_str(&format!(": {e}"));
        cause = e.source();
    }
    text
}

const END: &str = "; nothing was imported (--on-error skip leaves such rows out)";

#[test]
fn csv_faults_name_file_line_and_fault() {
    let long = "x".repeat(257);
    for (rows, expected) in [
        (
            "i-a,m,2026-02-10,1\ni-a,m,soon,1\n",
            ":3: cannot read the time `soon`: expected RFC 3339 (2026-02-15T00:00:00Z), `YYYY-MM-DD HH:MM:SS`, epoch seconds or milliseconds, `now` or `now-7d`",
        ),
        (
            "i-a,m,2026-03-09,1\n",
            ":2: the time 2026-03-09T00:00:00Z is in the future (now is 2026-03-01T00:00:00Z); check the unit and the zone",
        ),
        ("i-a,m,1999-12-31,1\n", ":2: the time 1999-12-31T00:00:00Z is before 2000; check the unit"),
        ("i-a,m,2026-02-10,-inf\n", ":2: the value -inf is not finite"),
        ("i-a,m,2026-02-10,1e999\n", ":2: the value inf is not finite"),
        ("i-a,m,2026-02-10,high\n", ":2: the value `high` is not a number"),
        (",m,2026-02-10,1\n", ":2: instance_id is empty"),
        ("i-a, ,2026-02-10,1\n", ":2: metric is empty"),
        ("i\u{7}a,m,2026-02-10,1\n", ":2: instance_id `i\\u{7}a` has control characters"),
        (&format!("{long},m,2026-02-10,1\n"), ":2: instance_id is 257 characters long; at most 256 are taken"),
        ("i-a,m,2026-02-10\n", ":2: the line has 3 fields, the header 4"),
        ("i-a,m,2026-02-10,1,2\n", ":2: the line has 5 fields, the header 4"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let file = write(dir.path(), "bad.csv", &format!("instance_id,metric,ts,value\n{rows}"));
        let text = refused(dir.path(), &file, &ImportOptions::at(NOW));
        assert_eq!(text, format!("{}{expected}{END}", file.display()));
    }
}

#[test]
fn text_that_is_not_utf8_is_a_fault_of_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.csv");
    std::fs::write(&file, b"instance_id,metric,ts,value\ni-a,m,2026-02-10,1\ni-\xff,m,2026-02-10,1\n").unwrap();
    let text = refused(dir.path(), &file, &ImportOptions::at(NOW));
    assert_eq!(text, format!("{}:3: the line is not UTF-8{END}", file.display()));
}

#[test]
fn files_that_are_none_are_refused_as_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let options = ImportOptions::at(NOW);
    let say = |file: &PathBuf| refused(dir.path(), file, &options);

    assert_eq!(
        say(&path("absent.csv")),
        format!("cannot read {}: No such file or directory (os error 2)", path("absent.csv").display())
    );
    std::fs::create_dir(path("dir.parquet")).unwrap();
    assert_eq!(say(&path("dir.parquet")), format!("{}: is a directory without files", path("dir.parquet").display()));
    let empty = write(dir.path(), "empty.parquet", "");
    assert_eq!(say(&empty), format!("{}: the file is empty (0 bytes)", empty.display()));
    let torn = write(dir.path(), "torn.parquet", "PAR1 and then nothing");
    let text = say(&torn);
    assert!(
        text.starts_with(&format!("{}: is not a readable Parquet file (truncated or damaged?): ", torn.display())),
        "{text}"
    );
}

#[test]
fn a_parquet_file_cut_anywhere_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let whole = super::shapes::parquet_file(dir.path(), 500);
    let bytes = std::fs::read(whole).unwrap();
    for keep in [5, bytes.len() / 2, bytes.len() - 1] {
        let file = dir.path().join("cut.parquet");
        std::fs::write(&file, &bytes[..keep]).unwrap();
        let text = refused(dir.path(), &file, &ImportOptions::at(NOW));
        assert!(text.contains("is not a readable Parquet file (truncated or damaged?)"), "{text}");
    }
}

#[test]
fn a_missing_column_is_refused_with_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "bad.csv", "instance_id,metrics,ts,value\ni-a,m,2026-02-10,1\n");
    let text = refused(dir.path(), &file, &ImportOptions::at(NOW));
    assert!(text.contains("the column `metric` is missing; the file has `instance_id`, `metrics`, `ts`, `value`; the nearest is `metrics`"), "{text}");
}

#[test]
fn an_unknown_zone_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "a.csv", "instance_id,metric,ts,value\ni-a,m,2026-02-10,1\n");
    let mut options = ImportOptions::at(NOW);
    options.tz = Some("Mars/Base".into());
    let text = refused(dir.path(), &file, &options);
    assert_eq!(text, "unknown time zone `Mars/Base`: give an IANA name such as Europe/Berlin, or UTC");
}

#[test]
fn a_history_that_cannot_be_written_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "a.csv", "instance_id,metric,ts,value\ni-a,m,2026-02-10,1\n");
    let below_a_file = file.join("h");
    let error = import(&below_a_file, &[file], &ImportOptions::at(NOW)).unwrap_err();
    assert!(error.is_bad_input());
    assert!(whole(&error).contains("Not a directory"), "{}", whole(&error));
}

#[test]
fn s3_without_its_feature_says_how_to_get_it() {
    if cfg!(feature = "aws") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "a.csv", "instance_id,metric,ts,value\ni-a,m,2026-02-10,1\n");
    let error = import(Path::new("s3://bucket/prefix"), &[file], &ImportOptions::at(NOW)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "s3://bucket/prefix: this forewarn was built without S3; build it with the feature `aws`"
    );
}
