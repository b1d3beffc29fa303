//! Keeps the examples for systemd and cron true: each command in them is one that this binary has, with flags that it knows.

use crate::person::forewarn;
use forewarn_testkit::root;
use std::fs;

const BINARY: &str = "/usr/local/bin/forewarn ";

/// Gives the arguments of each call of the binary in a text.
fn calls(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().filter(|l| !l.starts_with('#'));
    lines
        .flat_map(|l| l.split("; "))
        .filter_map(|l| l.split_once(BINARY))
        .map(|(_, args)| args.split_whitespace().collect())
        .collect()
}

#[test]
fn every_command_in_the_examples_for_systemd_and_cron_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let folder = root().join("infra/systemd");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for mut args in calls(&text) {
            // With --help at the end nothing runs, but whatever stands before it is still refused where it is not known.
            args.push("--help");
            let ran = forewarn(dir.path(), &args);
            assert_eq!(ran.code, 0, "{}: {args:?}: {}", path.display(), ran.err);
            seen += 1;
        }
    }
    assert_eq!(seen, 7);
    let ran = forewarn(dir.path(), &["run", "--no-such-flag", "--help"]);
    assert_eq!(ran.code, 2, "a flag that is not known is refused: {ran:?}");
}
