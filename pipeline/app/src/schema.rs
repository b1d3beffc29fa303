//! Generates the JSON Schemas and the AsyncAPI document of everything that forewarn publishes, from the types.
//!
//! They are committed under `pipeline/schemas`; `forewarn schema --out pipeline/schemas` writes them again.
//! JSON Schema draft 7 is what AsyncAPI tools and the EventBridge schema registry read.

mod asyncapi;
mod prune;

use forewarn_deliver::Announcement;
use forewarn_deliver::announcement::{Delivered, Detail};
use forewarn_domain::prediction::{Prediction, RuleSetRef};
use forewarn_log::Envelope;
use forewarn_log::envelope::schema_urn;
use forewarn_log::event::KINDS;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

/// The document that `analyze --format json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Analysis")]
pub struct AnalyzeDocument {
    /// The time the analysis is made for (RFC 3339, UTC).
    pub as_of: String,
    /// The rules that made it.
    pub ruleset: RuleSetRef,
    /// Every instance at risk or unassessable; all of them with `--all`.
    pub predictions: Vec<Prediction>,
}

/// Explains why schemas could not be written or compared.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {path}")]
pub struct SchemaError {
    doing: &'static str,
    path: String,
    #[source]
    source: io::Error,
}

/// A file of schemas that is not what the types say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The file's name.
    pub file: String,
    /// What is the matter: `missing`, `differs` or `not generated`.
    pub what: &'static str,
}

/// Says what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemaReport {
    /// The files, by name.
    pub files: Vec<String>,
    /// How many of them changed.
    pub changed: usize,
}

/// Gives the settings that all schemas are generated with.
fn generator() -> SchemaGenerator {
    SchemaSettings::draft07().into_generator()
}

fn schema_of<T: JsonSchema>(urn: &str) -> Value {
    with_id(generator().into_root_schema_for::<T>().to_value(), urn)
}

fn with_id(mut schema: Value, urn: &str) -> Value {
    prune::unreachable(&mut schema);
    if let Some(map) = schema.as_object_mut() {
        map.insert("$id".to_owned(), Value::String(urn.to_owned()));
    }
    schema
}

/// Gives every document by its file name; the schema of an event's data is named after its full type.
pub fn documents() -> BTreeMap<String, Value> {
    let mut documents = BTreeMap::from([
        ("envelope.json".to_owned(), schema_of::<Envelope>(&schema_urn("envelope"))),
        ("announcement.json".to_owned(), schema_of::<Announcement>(&schema_urn("announcement"))),
        ("detail.json".to_owned(), schema_of::<Detail>(&schema_urn("detail"))),
        ("eventbridge.json".to_owned(), schema_of::<Delivered>(&schema_urn("eventbridge"))),
        ("prediction.json".to_owned(), schema_of::<Prediction>(&schema_urn("prediction"))),
        ("analyze.json".to_owned(), schema_of::<AnalyzeDocument>(&schema_urn("analyze"))),
        ("asyncapi.json".to_owned(), asyncapi::document()),
    ]);
    for kind in KINDS.iter() {
        let schema = with_id(kind.schema(generator()).to_value(), &schema_urn(&kind.full()));
        documents.insert(format!("{}.json", kind.full()), schema);
    }
    documents
}

/// Gives every file as it is committed: indented, with a newline at the end.
pub fn files() -> BTreeMap<String, String> {
    documents().into_iter().map(|(name, document)| (name, format!("{document:#}\n"))).collect()
}

/// Writes every file into `dir`, making it when there is none.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write(dir: &Path) -> Result<SchemaReport, SchemaError> {
    let failed = |doing, path: &Path| {
        let path = path.display().to_string();
        move |source| SchemaError { doing, path, source }
    };
    fs::create_dir_all(dir).map_err(failed("make", dir))?;
    let mut report = SchemaReport { files: Vec::new(), changed: 0 };
    for (name, text) in files() {
        let path = dir.join(&name);
        if read(&path).map_err(failed("read", &path))?.as_deref() != Some(text.as_bytes()) {
            fs::write(&path, text).map_err(failed("write", &path))?;
            report.changed += 1;
        }
        report.files.push(name);
    }
    Ok(report)
}

/// Compares the files in `dir` with what the types say.
///
/// # Errors
/// When the directory or a file in it cannot be read.
pub fn check(dir: &Path) -> Result<Vec<Drift>, SchemaError> {
    let failed = |doing, path: &Path| {
        let path = path.display().to_string();
        move |source| SchemaError { doing, path, source }
    };
    let files = files();
    let mut drifts = Vec::new();
    for (name, text) in &files {
        let path = dir.join(name);
        match read(&path).map_err(failed("read", &path))? {
            None => drifts.push(Drift { file: name.clone(), what: "missing" }),
            Some(found) if found != text.as_bytes() => drifts.push(Drift { file: name.clone(), what: "differs" }),
            Some(_) => {}
        }
    }
    let listed = fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(failed("list", dir))?;
    for entry in listed {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !files.contains_key(&name) {
            drifts.push(Drift { file: name, what: "not generated" });
        }
    }
    drifts.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(drifts)
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
