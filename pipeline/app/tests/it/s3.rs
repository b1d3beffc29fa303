//! A history on `s3://`, over the wire, against a server that speaks S3: the same answers as on a directory.

use crate::person::{AFTER, Ran, fleet, write_rows};
use forewarn_testkit::moto::Moto;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Runs `forewarn` in `dir` against a server.
fn forewarn(moto: &Moto, dir: &Path, args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(args)
        .current_dir(dir)
        .env_clear()
        .envs(moto.env())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// Leaves out how long files are: they hold the moment of their import.
fn without_sizes(answer: &Value) -> Value {
    let mut answer = answer.clone();
    if let Some(object) = answer.as_object_mut() {
        object.retain(|key, _| !key.starts_with("bytes"));
    }
    answer
}

#[test]
fn a_history_on_s3_gives_the_answers_of_a_directory() {
    let Some(moto) = Moto::or_skip(&["s3"]) else { return };
    moto.python("aws('s3').create_bucket(Bucket='fleet')");
    let dir = tempfile::tempdir().unwrap();
    let rows = fleet();
    write_rows(&dir.path().join("a.csv"), &rows[..12_000]);
    write_rows(&dir.path().join("b.csv"), &rows[11_000..]);
    let run = |args: &[&str]| forewarn(&moto, dir.path(), args);
    // What is asked of one history after the other; nothing in the answers may tell them apart.
    let answers = |h: &str| {
        let ask = |args: &[&str]| {
            let ran = run(&[args, &["--history", h, "--format", "json"]].concat());
            assert_eq!(ran.code, 0, "{args:?} on {h}: {}", ran.err);
            serde_json::from_str::<Value>(&ran.out).unwrap_or_else(|e| panic!("{args:?}: {e}: {}", ran.out))
        };
        let state = h.replace(['/', ':'], "-");
        let analyze = ["analyze", "--as-of", AFTER, "--all"];
        vec![
            ask(&["import", "a.csv", "--period", "300"]),
            ask(&["import", "b.csv", "--period", "300"]),
            ask(&["import", "b.csv", "--period", "300"]),
            ask(&["history", "verify"]),
            ask(&["history", "stats"]),
            ask(&[&analyze[..], &["--emit", "--state", &state]].concat()),
            ask(&["history", "compact", "--grace", "0s"]),
            ask(&["history", "compact", "--grace", "0s"]),
            ask(&["history", "verify"]),
            ask(&["history", "stats"]),
            ask(&analyze),
            ask(&["history", "prune", "--older-than", "2026-02-03T00:00:00Z"]),
            ask(&["history", "stats"]),
        ]
    };
    let (local, remote) = (answers("h"), answers("s3://fleet/some/prefix"));
    for (i, (l, r)) in local.iter().zip(&remote).enumerate() {
        assert_eq!(without_sizes(l), without_sizes(r), "answer {i}");
    }
    assert_eq!(remote[2]["already_imported"], true);
    assert!(remote[6]["compacted"].as_u64().unwrap() > 0 && remote[6]["duplicates_dropped"].as_u64().unwrap() > 0);
    assert_eq!(remote[7]["compacted"], 0);
    assert!(remote[12]["rows"].as_u64() < remote[9]["rows"].as_u64());

    let missing = run(&["analyze", "--history", "s3://nowhere/h", "--as-of", AFTER]);
    assert!(missing.code != 0 && missing.err.contains("s3://nowhere/h"), "{}", missing.err);
}
