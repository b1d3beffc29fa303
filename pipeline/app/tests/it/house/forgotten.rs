//! Whoever adds something new and forgets a part of it hears of it here, where the compiler says nothing. CONTRIBUTING.md lists the parts.

use super::{MEMBERS, collect, rust_files};
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::signal::{SIGNALS, SOURCES, Signal};
use forewarn_domain::step::StepKind;
use forewarn_ingest::source::metric_scope::NAMESPACES;
use forewarn_log::table::{TABLES, Table};
use forewarn_recovery::facts::InstanceFacts;
use forewarn_recovery::plan::{Plan, plan, plan_home_unreachable};
use forewarn_runtime::settings::KEYS;
use forewarn_testkit::root;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Gives every variant of an enum without fields, as its schema names them: none can be left out.
fn every<T: JsonSchema + DeserializeOwned + Debug>() -> Vec<T> {
    let schema = schemars::schema_for!(T).to_value();
    let mut names = Vec::new();
    for kind in schema["oneOf"].as_array().into_iter().flatten() {
        names.extend(kind["enum"].as_array().into_iter().flatten().chain(kind.get("const")).cloned());
    }
    names.extend(schema["enum"].as_array().into_iter().flatten().cloned());
    assert!(names.len() > 1, "{schema:#}");
    names.into_iter().map(|name| serde_json::from_value(name).unwrap()).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Says whether a text has a name, standing alone.
fn names(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    text.match_indices(name).any(|(at, _)| {
        !text[..at].chars().next_back().is_some_and(is_part)
            && !text[at + name.len()..].chars().next().is_some_and(is_part)
    })
}

#[test]
fn every_action_is_listed_and_proven() {
    assert_eq!(every::<RecoveryAction>(), RecoveryAction::ALL);
    let cases = read(".ci/proofs/recovery/cases.py");
    let lists = cases.split("ALONE =").nth(1).expect("the proof lists its cases");
    let unproven: Vec<_> = RecoveryAction::ALL.into_iter().filter(|a| !names(lists, a.name())).collect();
    assert!(unproven.is_empty(), "no case of .ci/proofs/recovery/cases.py carries out {unproven:?}");
}

/// Instances that differ in whatever plans go by.
fn instances() -> Vec<InstanceFacts> {
    let groups = [
        Value::Null,
        json!({"name": "g", "suspended": [], "at_minimum": false}),
        json!({"name": "g", "suspended": [], "at_minimum": true}),
    ];
    let volumes = [Value::Null, json!("io_disabled"), json!("root"), json!("data")];
    let mut all = Vec::new();
    for (group, volume) in groups.iter().flat_map(|g| volumes.iter().map(move |v| (g, v))) {
        let is = json!({
            "state": "running", "market": "on_demand", "enrolled": true, "self_heal": false, "stop_protection": false,
            "termination_protection": false, "instance_store": false, "assigned_public_ip": false, "elastic_ip": true, "stateful": true,
            "multi_attach": false, "broken_volume": volume, "last_target": false, "group": group, "kept": null, "controller": null,
        });
        all.push(serde_json::from_value(is).unwrap());
    }
    all
}

#[test]
fn every_step_is_part_of_a_plan_or_of_its_way_back() {
    let instances = instances();
    let of_instances =
        instances.iter().flat_map(|i| RecoveryAction::ALL.into_iter().map(move |action| plan(action, i)));
    let plans: Vec<Plan> = of_instances.chain([plan_home_unreachable()]).collect();
    let forth = plans.iter().flat_map(|p| p.steps.iter().map(|s| s.kind));
    let back = plans.iter().flat_map(|p| p.undo_of(&(0..p.steps.len()).collect::<Vec<_>>())).map(|s| s.kind);
    let used: BTreeSet<StepKind> = forth.chain(back).collect();
    // Only plans of older logs have it.
    let unused: Vec<_> =
        every::<StepKind>().into_iter().filter(|s| *s != StepKind::Notify && !used.contains(s)).collect();
    assert!(unused.is_empty(), "no plan has {unused:?}");
}

/// Signals that no metric feeds: maintenance comes from events.
const FED_OTHERWISE: [Signal; 1] = [Signal::Maintenance];

#[test]
fn every_signal_is_fed_and_has_a_say() {
    let listed: Vec<Signal> = SIGNALS.iter().map(|s| s.signal).collect();
    assert_eq!(every::<Signal>(), listed);
    let rules = read("rules/rulesets/default.toml");
    for spec in &SIGNALS {
        let is_fed = SOURCES.iter().any(|s| s.signal == spec.signal);
        assert_ne!(is_fed, FED_OTHERWISE.contains(&spec.signal), "{}: add what feeds it to SOURCES", spec.name);
        assert!(rules.contains(spec.name), "{}: no rule of the default set asks for it", spec.name);
    }
    for source in SOURCES {
        // What is ours comes with an import or a metric stream.
        let is_pulled = NAMESPACES.contains(&source.namespace) || source.namespace == "Forewarn";
        assert!(is_pulled, "{}: namespace {} is not pulled", source.metric, source.namespace);
    }
}

#[test]
fn every_bus_has_a_cursor_of_its_own() {
    let cursors = forewarn_deliver::outbox::CURSORS;
    assert_eq!(cursors.iter().collect::<BTreeSet<_>>().len(), cursors.len());
}

#[test]
fn every_table_is_listed() {
    assert_eq!(every::<Table>(), TABLES);
}

#[test]
fn every_command_is_in_the_readme_and_tested() {
    let help = Command::new(env!("CARGO_BIN_EXE_forewarn")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let listed = help.split("Commands:").nth(1).and_then(|t| t.split("Options:").next()).expect("help lists commands");
    let commands: Vec<&str> = listed
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() > 20, "{commands:?}");
    let table: String = read("README.md").lines().filter(|line| line.starts_with("| `")).collect();
    let (mut files, mut tests) = (Vec::new(), String::new());
    collect(&root().join("pipeline/app/tests"), &mut files);
    for file in files {
        tests.push_str(&fs::read_to_string(file).unwrap());
    }
    // What needs CloudWatch is run by the proof of the live pipeline.
    for line in fs::read_dir(root().join(".ci/proofs/live")).unwrap() {
        tests.push_str(&fs::read_to_string(line.unwrap().path()).unwrap_or_default());
    }
    // What needs CloudWatch is run by the proof of the live pipeline.
    for line in fs::read_dir(root().join(".ci/proofs/live")).unwrap() {
        tests.push_str(&fs::read_to_string(line.unwrap().path()).unwrap_or_default());
    }
    for command in commands {
        assert!(names(&table, command), "README.md's table of commands lacks {command}");
        assert!(tests.contains(&format!("\"{command}\"")), "no test or proof runs {command}");
    }
}

#[test]
fn every_setting_is_read() {
    let (mut files, mut source) = (Vec::new(), String::new());
    collect(&root().join("pipeline/app/src"), &mut files);
    for file in files {
        source.push_str(&fs::read_to_string(file).unwrap());
    }
    for key in &KEYS {
        let is_read = ["settings", "live"].iter().any(|of| names(&source, &format!("{of}.{}", key.name)));
        assert!(is_read, "no command reads the setting {}", key.name);
    }
}

#[test]
fn every_file_is_compiled() {
    let mut left = Vec::new();
    for file in rust_files() {
        let member = MEMBERS.iter().map(|m| root().join(m.folder)).filter(|m| file.starts_with(m)).max().unwrap();
        let relative = file.strip_prefix(&member).unwrap();
        let (stem, dir) = (file.file_stem().unwrap().to_string_lossy().into_owned(), file.parent().unwrap());
        let is_root = ["lib", "main", "build"].contains(&stem.as_str());
        let is_target = ["benches", "examples"].iter().any(|d| relative.starts_with(d))
            || relative.parent() == Some("tests".as_ref());
        if is_root || is_target {
            continue;
        }
        let mut parents: Vec<PathBuf> = ["lib.rs", "main.rs"].map(|name| dir.join(name)).to_vec();
        parents.push(dir.with_extension("rs"));
        let declares = |parent: &PathBuf| fs::read_to_string(parent).is_ok_and(|t| names(&t, &format!("mod {stem};")));
        if !parents.iter().any(declares) {
            left.push(file.display().to_string());
        }
    }
    assert!(left.is_empty(), "no `mod` names {}", left.join(", "));
}
