//! Keeps the house: who may depend on whom, how files are laid out, and what tests may not do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const LONGEST: usize = 500;

/// A member, the crates it may depend on (none: any), and whether its sources must be pure.
struct Member {
    folder: &'static str,
    allowed: Option<&'static [&'static str]>,
    inner: &'static [&'static str],
    pure: bool,
}

const MEMBERS: &[Member] = &[
    Member { folder: "models", allowed: Some(&["serde", "statrs", "thiserror"]), inner: &[], pure: true },
    Member {
        folder: "rules",
        allowed: Some(&[
            "jiff",
            "polars",
            "schemars",
            "serde",
            "serde_json",
            "sha2",
            "sqlparser",
            "thiserror",
            "toml",
            "toml_edit",
        ]),
        inner: &["forewarn-models"],
        pure: true,
    },
    Member { folder: "pipeline", allowed: None, inner: &["forewarn-models", "forewarn-rules"], pure: false },
];

/// What pure members may not name: the world comes in as arguments, and order is never a hash's.
const IMPURE: &[&str] =
    &["std::fs", "std::env", "std::net", "SystemTime", "Instant::now", "HashMap", "HashSet", "tokio"];

/// Gives the workspace's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the member lies in the workspace").to_owned()
}

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
    let all = ["dependencies", "dev-dependencies", "build-dependencies"];
    for name in dependencies(manifest, "dependencies") {
        let known = member.inner.contains(&name.as_str()) || name.starts_with("forewarn");
        if !known && member.allowed.is_some_and(|a| !a.contains(&name.as_str())) {
            bad.push(format!("{} may not depend on {name}", member.folder));
        }
    }
    for name in all.iter().flat_map(|kind| dependencies(manifest, kind)) {
        if name.starts_with("forewarn") && !member.inner.contains(&name.as_str()) {
            bad.push(format!("{} may not know {name}", member.folder));
        }
        if name.starts_with("aws-") && member.folder != "pipeline" {
            bad.push(format!("{} may not depend on {name}: only pipeline speaks to AWS", member.folder));
        }
    }
    let lints = manifest.get("lints").and_then(|l| l.get("workspace")).and_then(toml::Value::as_bool);
    if lints != Some(true) {
        bad.push(format!("{} does not say `[lints] workspace = true`", member.folder));
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
fn sources_keep_the_layout() {
    let mut bad = Vec::new();
    for file in rust_files() {
        let relative = file.strip_prefix(root()).unwrap().to_owned();
        let pure = MEMBERS.iter().any(|m| m.pure && relative.starts_with(Path::new(m.folder).join("src")));
        bad.extend(source_faults(&relative, &fs::read_to_string(&file).unwrap(), pure));
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn a_wrong_dependency_is_noticed() {
    let faults = |text: &str| manifest_faults(&MEMBERS[0], &text.parse().unwrap());
    let lints = "[lints]\nworkspace = true\n";
    assert!(faults(&format!("{lints}[dependencies]\nstatrs = '1'\n[dev-dependencies]\nproptest = '1'")).is_empty());
    assert_eq!(faults("[dependencies]\nserde = '1'"), ["models does not say `[lints] workspace = true`"]);
    assert_eq!(faults(&format!("{lints}[dependencies]\npolars = '1'")).len(), 1);
    assert_eq!(faults(&format!("{lints}[target.'cfg(unix)'.dependencies]\npolars = '1'")).len(), 1);
    assert_eq!(faults(&format!("{lints}[dev-dependencies]\nforewarn-rules = '1'")).len(), 1);
    assert_eq!(faults(&format!("{lints}[build-dependencies]\naws-config = '1'")).len(), 1);
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
