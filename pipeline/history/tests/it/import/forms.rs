//! The same samples in many forms, and files that mean harm.

use super::bad_input::refused;
use super::{NOW, import, write};
use crate::layout::read_all;
use forewarn_history::import::ImportOptions;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const PLAIN: &str = "instance_id,metric,ts,value\ni-a,m,2026-02-10T00:00:00Z,1.5\ni-a,m,2026-02-10T00:01:00Z,2.25\n";

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn file(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn every_form_gives_the_same_samples() {
    let dir = tempfile::tempdir().unwrap();
    let utf_16 = |first: &[u8], bytes: fn(u16) -> [u8; 2]| {
        first.iter().copied().chain(PLAIN.encode_utf16().flat_map(bytes)).collect::<Vec<u8>>()
    };
    let little = utf_16(&[0xff, 0xfe], u16::to_le_bytes);
    let semicolons = PLAIN.replace(',', ";").replace('.', ",");
    let hive = "ts,value\n2026-02-10T00:00:00Z,1.5\n2026-02-10T00:01:00Z,2.25\n";
    let printed = r#"{"Label": "m", "Datapoints": [{"Timestamp": "2026-02-10T00:01:00+00:00", "Average": 2.25},
                     {"Timestamp": "2026-02-10T00:00:00+00:00", "Average": 1.5}]}"#;
    let whole = ImportOptions::at(NOW);
    let of_one = ImportOptions { instance: Some("i-a".to_owned()), ..ImportOptions::at(NOW) };
    let mut seen = Vec::new();
    for (name, bytes, options) in [
        ("plain.csv", PLAIN.as_bytes().to_vec(), &whole),
        ("a.csv.gz", gzipped(PLAIN.as_bytes()), &whole),
        ("le.csv", little.clone(), &whole),
        ("be.csv", utf_16(&[0xfe, 0xff], u16::to_be_bytes), &whole),
        ("both.csv.gz", gzipped(&little), &whole),
        ("semicolons.csv", semicolons.into_bytes(), &whole),
        ("tabs.tsv", PLAIN.replace(',', "\t").into_bytes(), &whole),
        ("hive/instance_id=i-a/metric=m/x.csv", hive.as_bytes().to_vec(), &whole),
        ("printed.json", printed.as_bytes().to_vec(), &of_one),
    ] {
        let path = file(dir.path(), name, &bytes);
        let path = if name.starts_with("hive") { dir.path().join("hive") } else { path };
        let history = dir.path().join(format!("h-{}", seen.len()));
        let report = import(&history, &[path], options).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((report.rows_written, report.series), (2, 1), "{name}");
        seen.push(read_all(&history));
        assert_eq!(seen.last(), seen.first(), "{name}");
    }
}

#[test]
fn columns_that_tell_devices_apart_do() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = "instance_id,metric,ts,value,volume_id,fstype,mountpoint,note\n".to_owned();
    for (volume, mount) in [("vol-1", "/"), ("vol-2", "/data"), ("", "/data")] {
        writeln!(text, "i-a,m,2026-02-10T00:00:00Z,1,{volume},xfs,{mount},kept").unwrap();
    }
    let report = import(&dir.path().join("h"), &[write(dir.path(), "a.csv", &text)], &ImportOptions::at(NOW)).unwrap();
    assert_eq!(report.series, 3);
}

#[test]
fn hostile_files_are_refused_and_leave_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let header = "instance_id,metric,ts,value\n";
    let million = "column,".repeat(1_000_000);
    for (name, bytes, says) in [
        ("bomb.csv.gz", gzipped(&vec![b'0'; 128 << 20]), "unpack to more than"),
        ("empty.csv.gz", gzipped(b""), "nothing in it once it is unpacked"),
        ("torn.csv.gz", gzipped(PLAIN.as_bytes())[..30].to_vec(), "torn.csv.gz"),
        ("nested.csv.gz", gzipped(&gzipped(&gzipped(&gzipped(b"x")))), "packed more than 3 times"),
        ("columns.csv", format!("{million}\n").into_bytes(), "line 1 has more than"),
        (
            "line.csv",
            format!("{header}i-a,m,2026-02-10,{}\n", "1".repeat(100 << 20)).into_bytes(),
            "line 2 has more than",
        ),
        ("deep.json", "{\"a\":".repeat(10_000).into_bytes(), "no JSON that can be read"),
        ("half.csv", [&[0xff, 0xfe][..], &[0x00, 0xd8, 0x20, 0x00]].concat(), "half of a character"),
        ("x/instance_id=i-1/metric=%0a/f.csv", b"ts,value\n2026-02-10,1\n".to_vec(), "metric is empty"),
        ("y/instance_id=../metric=m/f.csv", b"ts,value\n2026-02-10,1\n".to_vec(), "leads out of it"),
    ] {
        let path = file(dir.path(), name, &bytes);
        let said = refused(dir.path(), &path, &ImportOptions::at(NOW));
        assert!(said.contains(says), "{name}: {said}");
    }
}
