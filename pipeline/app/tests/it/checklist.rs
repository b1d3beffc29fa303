//! Keeps `checklist.toml`, `operation.toml` and `prediction.toml` true: every row has an entry, and what an entry names exists.

use crate::house::rust_files;
use forewarn_testkit::root;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

const TEXT: &str = include_str!("checklist.toml");
/// The rows of what a critical reading of operation found.
const OPERATION: &str = include_str!("operation.toml");
/// The rows of what a critical reading of the forecasting found.
const PREDICTION: &str = include_str!("prediction.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checklist {
    ids: Vec<String>,
    rows: BTreeMap<String, Vec<String>>,
}

/// What an entry of a row says.
#[derive(Debug, PartialEq)]
enum Shown<'a> {
    Open,
    Test(&'a str),
    Proof { name: &'a str, line: &'a str },
}

fn parse(entry: &str) -> Option<Shown<'_>> {
    let head = entry.split(": ").next().unwrap_or(entry);
    match head.split(' ').collect::<Vec<_>>()[..] {
        ["open"] => Some(Shown::Open),
        ["test", name] => Some(Shown::Test(name)),
        ["proof", name, "line", line] => Some(Shown::Proof { name, line }),
        _ => None,
    }
}

/// Lists what is wrong with a checklist, where `there` says whether what an entry names exists.
fn faults(list: &Checklist, there: impl Fn(&Shown<'_>) -> bool) -> Vec<String> {
    let mut bad = Vec::new();
    let ids: BTreeSet<&String> = list.ids.iter().collect();
    if ids.len() != list.ids.len() {
        bad.push("an id stands twice".to_owned());
    }
    bad.extend(ids.iter().filter(|id| !list.rows.contains_key(**id)).map(|id| format!("{id} has no entry")));
    bad.extend(list.rows.keys().filter(|id| !ids.contains(id)).map(|id| format!("{id} is no row of the checklist")));
    for (id, entries) in &list.rows {
        if entries.is_empty() {
            bad.push(format!("{id} has an empty entry; say \"open\""));
        }
        for entry in entries {
            match parse(entry) {
                None => bad.push(format!("{id}: {entry:?} is no test, no proof, and not open")),
                Some(shown) if !there(&shown) => bad.push(format!("{id}: {entry:?} does not exist")),
                Some(_) => {}
            }
        }
    }
    bad
}

fn read(text: &str) -> Checklist {
    toml::from_str(text).expect("checklist.toml reads")
}

/// Gives the ids of the checklist's tables: the first cell of every row.
fn ids_of(markdown: &str) -> BTreeSet<String> {
    let is_id = |cell: &&str| {
        cell.strip_prefix('S').and_then(|c| c.split_once('.')).is_some_and(|(system, row)| {
            [system, row].iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        })
    };
    let cells = markdown.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    cells.filter(is_id).map(str::to_owned).collect()
}

fn shared() -> PathBuf {
    std::env::var_os("FOREWARN_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from)
}

#[test]
fn every_row_has_an_entry_and_what_it_names_exists() {
    let sources: String = rust_files().iter().map(|f| std::fs::read_to_string(f).unwrap()).collect();
    let there = |shown: &Shown<'_>| match shown {
        Shown::Open => true,
        Shown::Test(name) => sources.contains(&format!("fn {name}(")),
        Shown::Proof { name, line } => root().join(format!(".ci/proofs/{name}/line{line}.py")).exists(),
    };
    let bad = [TEXT, OPERATION, PREDICTION].map(|text| faults(&read(text), there)).concat();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn rows_of_operation_are_those_that_were_found() {
    let Ok(markdown) = std::fs::read_to_string(shared().join("reviews/pipeline.md")) else {
        println!("skipped: no ../shared/reviews/pipeline.md");
        return;
    };
    let words: BTreeSet<&str> = markdown.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let is_id = |word: &&str| {
        let (kind, number) = word.split_at(1);
        ["C", "H", "M"].contains(&kind) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    };
    let found: BTreeSet<&str> = words.into_iter().filter(|w| !w.is_empty()).filter(is_id).collect();
    let list = read(OPERATION);
    // The small ones have no number there: they are counted by what separates them.
    let (numbered, small): (Vec<&str>, Vec<&str>) =
        list.ids.iter().map(String::as_str).partition(|id| !id.starts_with('L'));
    assert_eq!(numbered.into_iter().collect::<BTreeSet<_>>(), found);
    let low = markdown.split("Low: ").nth(1).and_then(|rest| rest.lines().next_back().and(rest.split(".\n").next()));
    assert_eq!(small.len(), low.map_or(0, |low| low.split(';').count()));
}

#[test]
fn rows_of_prediction_are_those_that_were_found() {
    let Ok(markdown) = std::fs::read_to_string(shared().join("reviews/prediction.md")) else {
        println!("skipped: no ../shared/reviews/prediction.md");
        return;
    };
    let first = markdown.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let found: Vec<&str> = first.filter(|cell| cell.bytes().all(|b| b.is_ascii_digit())).collect();
    assert_eq!(read(PREDICTION).ids, found);
}

#[test]
fn ids_are_those_of_the_checklist() {
    let Ok(markdown) = std::fs::read_to_string(shared().join("CHECKLIST.md")) else {
        println!("skipped: no ../shared/CHECKLIST.md");
        return;
    };
    let listed: BTreeSet<String> = read(TEXT).ids.into_iter().collect();
    assert_eq!(listed, ids_of(&markdown));
}

#[test]
fn ids_are_the_first_cells_of_the_tables() {
    let markdown = "| id | ours |\n|---|---|\n| S0.1 | a | b |\n| S3.19 | S9.9 |\nS1.1 in a sentence\n| Sx.1 | no |\n";
    assert_eq!(ids_of(markdown).into_iter().collect::<Vec<_>>(), ["S0.1", "S3.19"]);
}

#[test]
fn a_row_without_a_true_entry_is_noticed() {
    let said = |rows: &str, there: bool| faults(&read(&format!("ids = [\"S0.1\"]\n[rows]\n{rows}")), |_| there);
    assert!(said("\"S0.1\" = [\"open\"]", true).is_empty());
    assert!(
        said("\"S0.1\" = [\"proof main line 7: what it shows\", \"test a_b\", \"open: the rest\"]", true).is_empty()
    );
    assert_eq!(said("", true), ["S0.1 has no entry"]);
    assert_eq!(said("\"S0.1\" = []", true).len(), 1);
    assert_eq!(said("\"S0.1\" = [\"works\"]", true).len(), 1);
    assert_eq!(said("\"S0.1\" = [\"test gone\"]", false).len(), 1);
    assert_eq!(said("\"S0.1\" = [\"open\"]\n\"S9.9\" = [\"open\"]", true), ["S9.9 is no row of the checklist"]);
}
