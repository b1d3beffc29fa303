//! Keeps the house: who may depend on whom, how files are laid out, and what tests may not do.

mod forgotten;

use forewarn_testkit::root;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const LONGEST: usize = 500;

/// A member of the workspace, and what it may know.
struct Member {
    folder: &'static str,
    package: &'static str,
    /// Members that its code may use; each stands in an earlier row, so that no circle can be written down.
    uses: &'static [&'static str],
    /// Members that only its tests may use besides.
    tests_use: &'static [&'static str],
    /// What a pure member may use from outside; none: not pure, and free to use anything.
    pure: Option<&'static [&'static str]>,
}

const MODELS: &str = "forewarn-models";
const DOMAIN: &str = "forewarn-domain";
const RECOVERY: &str = "forewarn-recovery";
const RULES: &str = "forewarn-rules";
const RUNTIME: &str = "forewarn-runtime";
const LOG: &str = "forewarn-log";
const HISTORY: &str = "forewarn-history";
const EVENTS: &str = "forewarn-events";
const INGEST: &str = "forewarn-ingest";
const PREDICT: &str = "forewarn-predict";
const DELIVER: &str = "forewarn-deliver";
const EVALUATE: &str = "forewarn-evaluate";
const RECOVER: &str = "forewarn-recover";
const LAB: &str = "forewarn-lab";
const TESTKIT: &str = "forewarn-testkit";

const fn pure(
    folder: &'static str,
    package: &'static str,
    uses: &'static [&'static str],
    outside: &'static [&'static str],
) -> Member {
    Member { folder, package, uses, tests_use: &[], pure: Some(outside) }
}

const fn room(
    folder: &'static str,
    package: &'static str,
    uses: &'static [&'static str],
    tests_use: &'static [&'static str],
) -> Member {
    Member { folder, package, uses, tests_use, pure: None }
}

const MEMBERS: &[Member] = &[
    pure("models", MODELS, &[], &["serde", "statrs", "thiserror"]),
    pure("rules/domain", DOMAIN, &[MODELS], &["jiff", "schemars", "serde", "serde_json", "sha2", "thiserror"]),
    pure("rules/recovery", RECOVERY, &[MODELS, DOMAIN], &["schemars", "serde", "serde_json", "thiserror"]),
    pure(
        "rules",
        RULES,
        &[MODELS, DOMAIN],
        &["jiff", "polars", "schemars", "serde", "serde_json", "sha2", "sqlparser", "thiserror", "toml", "toml_edit"],
    ),
    room("pipeline/runtime", RUNTIME, &[], &[]),
    room("pipeline/log", LOG, &[DOMAIN, RECOVERY, RUNTIME], &[LAB, TESTKIT]),
    room("pipeline/history", HISTORY, &[DOMAIN, RULES, RUNTIME], &[TESTKIT]),
    room("pipeline/events", EVENTS, &[DOMAIN, LOG, RUNTIME], &[]),
    room("pipeline/ingest", INGEST, &[DOMAIN, RUNTIME, LOG, HISTORY, EVENTS], &[LAB, TESTKIT]),
    room("pipeline/predict", PREDICT, &[DOMAIN, RULES, RUNTIME, LOG, HISTORY], &[DELIVER, TESTKIT]),
    room("pipeline/deliver", DELIVER, &[DOMAIN, RUNTIME, LOG], &[PREDICT, TESTKIT]),
    room("pipeline/evaluate", EVALUATE, &[MODELS, DOMAIN, RULES, RUNTIME, HISTORY, PREDICT], &[]),
    room("pipeline/recover", RECOVER, &[DOMAIN, RECOVERY, RUNTIME, LOG, EVENTS], &[TESTKIT]),
    room("pipeline/lab", LAB, &[RUNTIME, HISTORY], &[]),
    // What tests of several rooms need; no room's code uses it.
    room("pipeline/lab/testkit", TESTKIT, &[DOMAIN, RECOVERY, RUNTIME, LOG], &[]),
    room(
        "pipeline/app",
        "forewarn",
        &[
            MODELS, DOMAIN, RECOVERY, RULES, RUNTIME, LOG, HISTORY, EVENTS, INGEST, PREDICT, DELIVER, EVALUATE,
            RECOVER, LAB,
        ],
        &[TESTKIT],
    ),
];

/// What pure members may not name: the world comes in as arguments, and order is never a hash's.
const IMPURE: &[&str] =
    &["std::fs", "std::env", "std::net", "SystemTime", "Instant::now", "HashMap", "HashSet", "tokio"];

/// Gives every Rust file of every member.
pub(crate) fn rust_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for member in MEMBERS {
        for part in ["src", "tests", "benches", "examples", "build.rs"] {
            collect(&root().join(member.folder).join(part), &mut found);
        }
    }
    assert!(found.len() > 3, "the sources were not found below {}", root().display());
    found
}

/// Gives the member that a file belongs to: the innermost folder that holds it.
fn owner(relative: &Path) -> &'static Member {
    let holding = MEMBERS.iter().filter(|m| relative.starts_with(m.folder));
    holding.max_by_key(|m| m.folder.len()).expect("the file lies in a member")
}

fn collect(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder of sources reads");
        let mut entries: Vec<_> = entries.map(|e| e.expect("an entry reads").path()).collect();
        entries.sort();
        for entry in &entries {
            collect(entry, found);
        }
    } else if path.is_file() && path.extension().is_some_and(|e| e == "rs") {
        found.push(path.to_owned());
    }
}

fn manifest(folder: &str) -> toml::Table {
    let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("the manifest reads");
    text.parse().expect("the manifest is TOML")
}

/// Gives the names under every table whose name ends in `kind`, those of `[target.…]` included.
fn dependencies(manifest: &toml::Table, kind: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        if key == kind {
            names.extend(table.keys().cloned());
        } else if key == "target" {
            table.values().filter_map(toml::Value::as_table).for_each(|t| names.extend(dependencies(t, kind)));
        }
    }
    names
}

/// Lists what a manifest does that its member may not.
fn manifest_faults(member: &Member, manifest: &toml::Table) -> Vec<String> {
    let mut bad = Vec::new();
    let folder = member.folder;
    let named = manifest.get("package").and_then(|p| p.get("name")).and_then(toml::Value::as_str);
    if named != Some(member.package) {
        bad.push(format!("{folder} is not {}", member.package));
    }
    for name in dependencies(manifest, "dependencies") {
        if name.starts_with("forewarn") {
            if !member.uses.contains(&name.as_str()) {
                bad.push(format!("{folder} may not depend on {name}"));
            }
        } else if member.pure.is_some_and(|outside| !outside.contains(&name.as_str())) {
            bad.push(format!("{folder} is pure and may not depend on {name}"));
        }
    }
    for name in ["dev-dependencies", "build-dependencies"].iter().flat_map(|kind| dependencies(manifest, kind)) {
        if name.starts_with("forewarn") && !may_test_with(member, &name) {
            bad.push(format!("the tests of {folder} may not depend on {name}"));
        }
    }
    let all = ["dependencies", "dev-dependencies", "build-dependencies"];
    for name in all.iter().flat_map(|kind| dependencies(manifest, kind)) {
        if name.starts_with("aws-") && !folder.starts_with("pipeline/") {
            bad.push(format!("{folder} may not depend on {name}: only pipeline speaks to AWS"));
        }
    }
    let lints = manifest.get("lints").and_then(|l| l.get("workspace")).and_then(toml::Value::as_bool);
    if lints != Some(true) {
        bad.push(format!("{folder} does not say `[lints] workspace = true`"));
    }
    bad
}

fn may_test_with(member: &Member, name: &str) -> bool {
    name == member.package || member.uses.contains(&name) || member.tests_use.contains(&name)
}

/// Gives the members whose paths stand in a line of code, as packages: `forewarn_log::Event` is `forewarn-log`.
fn imports(line: &str) -> Vec<String> {
    let starts = line.match_indices("forewarn").filter(|(at, _)| {
        let before = line[..*at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "_-/.\"".contains(c))
    });
    let names = starts.filter_map(|(at, _)| {
        let rest = &line[at..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
        rest[end..].starts_with("::").then(|| rest[..end].replace('_', "-"))
    });
    names.collect()
}

/// Lists the imports of a file that its member may not have. Where tests begin, more is allowed.
fn import_faults(member: &Member, path: &Path, text: &str) -> Vec<String> {
    let relative = path.strip_prefix(member.folder).unwrap_or(path);
    let mut tested = !relative.starts_with("src") || relative.iter().any(|part| part == "tests" || part == "tests.rs");
    let mut bad = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((i, line)) = lines.next() {
        let inline = lines.peek().is_some_and(|(_, l)| l.trim_start().starts_with("mod ") && l.ends_with('{'));
        tested |= line.starts_with("#[cfg(test)]") && inline;
        for name in imports(line.split("//").next().unwrap_or(line)) {
            let itself = name == member.package;
            let may = itself || member.uses.contains(&name.as_str()) || (tested && may_test_with(member, &name));
            if !may {
                bad.push(format!("{}:{}: {} may not use {name}", path.display(), i + 1, member.folder));
            }
        }
    }
    bad
}

/// Lists what a source file does that none may.
fn source_faults(path: &Path, text: &str, pure: bool) -> Vec<String> {
    let mut bad = Vec::new();
    let lines = text.lines().count();
    if lines > LONGEST {
        bad.push(format!("{}: {lines} lines; split it before {LONGEST}", path.display()));
    }
    if path.ends_with("mod.rs") {
        bad.push(format!("{}: write foo.rs beside foo/ instead of mod.rs", path.display()));
    }
    let code = text.lines().map(|l| l.split("//").next().unwrap_or(l).trim());
    for (i, line) in code.enumerate() {
        let at = || format!("{}:{}", path.display(), i + 1);
        for attribute in ["ignore", "should_panic"] {
            if line.starts_with(&format!("#[{attribute}")) {
                bad.push(format!("{}: #[{attribute}] hides what a test would say", at()));
            }
        }
        if let Some(word) = IMPURE.iter().find(|w| pure && line.contains(**w)) {
            bad.push(format!("{}: {word} has no place in pure code", at()));
        }
    }
    bad
}

#[test]
fn members_depend_on_what_they_may() {
    let bad: Vec<_> = MEMBERS.iter().flat_map(|m| manifest_faults(m, &manifest(m.folder))).collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn every_member_of_the_workspace_is_watched() {
    let workspace = manifest(".");
    let listed: BTreeSet<&str> =
        workspace["workspace"]["members"].as_array().unwrap().iter().filter_map(toml::Value::as_str).collect();
    assert_eq!(listed, MEMBERS.iter().map(|m| m.folder).collect());
}

#[test]
fn a_member_uses_only_members_of_earlier_rows() {
    for (i, member) in MEMBERS.iter().enumerate() {
        for name in member.uses {
            assert!(MEMBERS[..i].iter().any(|m| m.package == *name), "{} uses {name}", member.folder);
        }
    }
}

#[test]
fn sources_keep_the_layout() {
    let mut bad = Vec::new();
    for file in rust_files() {
        let relative = file.strip_prefix(root()).unwrap().to_owned();
        let member = owner(&relative);
        let pure = member.pure.is_some() && relative.starts_with(Path::new(member.folder).join("src"));
        let text = fs::read_to_string(&file).unwrap();
        bad.extend(source_faults(&relative, &text, pure));
        bad.extend(import_faults(member, &relative, &text));
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn a_file_belongs_to_the_innermost_member() {
    assert_eq!(owner(Path::new("rules/src/lib.rs")).package, RULES);
    assert_eq!(owner(Path::new("rules/recovery/src/lib.rs")).package, RECOVERY);
    assert_eq!(owner(Path::new("pipeline/lab/testkit/src/lib.rs")).package, TESTKIT);
}

#[test]
fn a_wrong_dependency_is_noticed() {
    let of = |folder: &str| MEMBERS.iter().find(|m| m.folder == folder).unwrap();
    let faults = |folder: &str, text: &str| {
        let head = format!("[package]\nname = '{}'\n[lints]\nworkspace = true\n", of(folder).package);
        manifest_faults(of(folder), &format!("{head}{text}").parse().unwrap())
    };
    assert!(faults("models", "[dependencies]\nstatrs = '1'\n[dev-dependencies]\nproptest = '1'").is_empty());
    assert_eq!(faults("models", "[dependencies]\npolars = '1'").len(), 1);
    assert_eq!(faults("models", "[target.'cfg(unix)'.dependencies]\npolars = '1'").len(), 1);
    assert_eq!(faults("models", "[dev-dependencies]\nforewarn-rules = '1'").len(), 1);
    assert_eq!(faults("models", "[build-dependencies]\naws-config = '1'").len(), 1);
    assert!(faults("pipeline/log", "[dependencies]\nforewarn-runtime = '1'\naws-config = '1'").is_empty());
    assert_eq!(faults("pipeline/log", "[dependencies]\nforewarn-history = '1'").len(), 1);
    assert_eq!(faults("pipeline/history", "[dependencies]\nforewarn-log = '1'").len(), 1);
    assert!(faults("pipeline/log", "[dev-dependencies]\nforewarn-lab = '1'").is_empty());
    assert_eq!(faults("pipeline/log", "[dependencies]\nforewarn-lab = '1'").len(), 1);
    let bare = manifest_faults(of("models"), &"[package]\nname = 'other'".parse().unwrap());
    assert_eq!(bare, ["models is not forewarn-models", "models does not say `[lints] workspace = true`"]);
}

#[test]
fn a_wrong_import_is_noticed() {
    let faults = |path: &str, text: &str| import_faults(owner(Path::new(path)), Path::new(path), text).len();
    assert_eq!(faults("pipeline/log/src/a.rs", "use forewarn_runtime::Clock;"), 0);
    assert_eq!(faults("pipeline/log/src/a.rs", "use forewarn_history::Root;"), 1);
    assert_eq!(faults("pipeline/log/src/a.rs", "fn f() -> forewarn_history::Root {}"), 1);
    assert_eq!(faults("pipeline/log/src/a.rs", "// forewarn_history::Root is spoken of"), 0);
    assert_eq!(faults("pipeline/log/src/a.rs", "const TARGET: &str = \"forewarn::metrics\";"), 0);
    assert_eq!(faults("pipeline/log/src/a.rs", "use forewarn_testkit::samples;"), 1);
    assert_eq!(faults("pipeline/log/src/a.rs", "#[cfg(test)]\nmod tests {\nuse forewarn_testkit::samples;"), 0);
    assert_eq!(faults("pipeline/log/src/a.rs", "#[cfg(test)]\nmod tests;\nuse forewarn_testkit::samples;"), 1);
    assert_eq!(faults("pipeline/log/src/a/tests.rs", "use forewarn_testkit::samples;"), 0);
    assert_eq!(faults("pipeline/log/tests/it/a.rs", "use forewarn_lab::Proxy;"), 0);
    assert_eq!(faults("pipeline/log/tests/it/a.rs", "use forewarn_history::Root;"), 1);
    assert_eq!(faults("models/src/a.rs", "use forewarn_rules::Rule;"), 1);
}

#[test]
fn a_wrong_source_is_noticed() {
    let faults = |path: &str, text: &str, pure| source_faults(Path::new(path), text, pure).len();
    assert_eq!(faults("a/src/b.rs", "fn f() {} // std::fs is spoken of", true), 0);
    assert_eq!(faults("a/src/b.rs", "use std::fs;", true), 1);
    assert_eq!(faults("a/src/b.rs", "use std::fs;", false), 0);
    assert_eq!(faults("a/src/b/mod.rs", "", false), 1);
    assert_eq!(faults("a/src/b.rs", &"\n".repeat(501), false), 1);
    assert_eq!(faults("a/src/b.rs", "    #[ignore]\n    #[should_panic(expected = \"x\")]", false), 2);
}
