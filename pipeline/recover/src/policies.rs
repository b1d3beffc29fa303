//! Policies: one JSON object for each instance, over one of defaults. What can't be read allows nothing.

pub mod environment;
#[cfg(feature = "aws")]
pub mod table;

use forewarn_recovery::facts::Read;
use forewarn_recovery::policy::Policy;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

/// The name under which what holds for every instance is kept.
pub const DEFAULT: &str = "default";
/// Longest policy, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// Explains why a policy could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PolicyStoreError {
    /// The store failed.
    #[error("{place}: {why}")]
    Io {
        /// Where.
        place: String,
        why: String,
    },
    /// It is no policy.
    #[error("{place}: {why}; nothing is done until it is mended")]
    Bad {
        /// Where.
        place: String,
        why: String,
    },
    /// Somebody else changed it meanwhile.
    #[error("{place} has been changed meanwhile, and was left as it is; look at it and try again")]
    Changed {
        /// Where.
        place: String,
    },
    /// The name is no instance id.
    #[error("{0:?} is neither `default` nor an instance id such as i-0123456789abcdef0")]
    Name(String),
}

/// Keeps rows of policies, by instance id or [`DEFAULT`].
pub trait Policies: Send + Sync + fmt::Debug {
    /// Gives a row as it was written; none where there is none.
    ///
    /// # Errors
    /// When it can't be read, or is no object.
    fn row(&self, name: &str) -> Result<Option<Map<String, Value>>, PolicyStoreError>;

    /// Writes a row in place of the one that was read, whole or not at all.
    ///
    /// # Errors
    /// [`PolicyStoreError::Changed`] when it is another one by now; otherwise when it can't be written.
    fn put(
        &self,
        name: &str,
        was: Option<&Map<String, Value>>,
        row: &Map<String, Value>,
    ) -> Result<(), PolicyStoreError>;

    /// Says where a row is, for messages.
    fn place(&self, name: &str) -> String;

    /// Gives what lies under the defaults' row.
    fn base(&self) -> Map<String, Value> {
        Map::new()
    }

    /// Says whether nothing is done, whatever rows say.
    fn only_observe(&self) -> bool {
        false
    }
}

/// Gives what holds for an instance: its own row over the defaults' row over what the store lies on and what is built in.
///
/// # Errors
/// When either row can't be read, has an unknown key, a wrong type or a value out of bounds: where, and what.
pub fn of(policies: &dyn Policies, instance: &str) -> Result<Policy, PolicyStoreError> {
    let mut row = policies.base();
    let default = policies.row(DEFAULT)?.unwrap_or_default();
    checked(policies, DEFAULT, &default)?;
    over(&mut row, default);
    if let Some(own) = policies.row(instance)? {
        checked(policies, instance, &own)?;
        over(&mut row, own);
    }
    let policy = checked(policies, instance, &row)?;
    Ok(if policies.only_observe() { policy.observing() } else { policy })
}

/// Lays an instance's row over the defaults: each field stands for itself, but what pauses or overrides all instances holds for each.
fn over(row: &mut Map<String, Value>, own: Map<String, Value>) {
    for (name, value) in own {
        match (row.get_mut(&name), value) {
            (Some(Value::Object(all)), Value::Object(more)) if name == "pauses" => all.extend(more),
            (Some(Value::Array(all)), Value::Array(more)) if name == "overrides" => all.extend(more),
            (_, value) => {
                row.insert(name, value);
            }
        }
    }
}

/// Reads a row as a policy.
///
/// # Errors
/// When it is none.
pub fn checked(policies: &dyn Policies, name: &str, row: &Map<String, Value>) -> Result<Policy, PolicyStoreError> {
    let bad = |why: String| PolicyStoreError::Bad { place: policies.place(name), why };
    Policy::from_json(&Value::Object(row.clone()).to_string()).map_err(|e| bad(e.to_string()))
}

/// Gives what holds for an instance as a gate reads it.
pub fn read(policies: &dyn Policies, instance: &str) -> Read<Policy> {
    match of(policies, instance) {
        Ok(policy) => Read::Known(policy),
        Err(e) => Read::Failed(e.to_string()),
    }
}

/// Says whether a name may be a row's.
///
/// # Errors
/// When it may not.
pub fn check_name(name: &str) -> Result<(), PolicyStoreError> {
    let hex = |rest: &str| (8..=17).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_hexdigit());
    let fine = name == DEFAULT || name.strip_prefix("i-").is_some_and(hex);
    if fine { Ok(()) } else { Err(PolicyStoreError::Name(name.to_owned())) }
}

/// A directory with a file for each row.
#[derive(Debug, Clone)]
pub struct PolicyDir(PathBuf);

impl PolicyDir {
    /// Takes the directory of a state directory.
    pub fn of(state: &Path) -> Self {
        Self(state.join("policies"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.json"))
    }

    fn failed(&self, name: &str, why: &dyn fmt::Display) -> PolicyStoreError {
        PolicyStoreError::Io { place: self.place(name), why: why.to_string() }
    }
}

impl Policies for PolicyDir {
    fn row(&self, name: &str) -> Result<Option<Map<String, Value>>, PolicyStoreError> {
        check_name(name)?;
        let path = self.path(name);
        match fs::metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.failed(name, &e)),
            Ok(meta) if meta.len() > MAX_BYTES => {
                return Err(self.failed(name, &format_args!("longer than {MAX_BYTES} bytes")));
            }
            Ok(_) => {}
        }
        let text = fs::read_to_string(&path).map_err(|e| self.failed(name, &e))?;
        let row = serde_json::from_str(&text);
        row.map(Some).map_err(|e| PolicyStoreError::Bad { place: self.place(name), why: e.to_string() })
    }

    fn put(
        &self,
        name: &str,
        was: Option<&Map<String, Value>>,
        row: &Map<String, Value>,
    ) -> Result<(), PolicyStoreError> {
        if self.row(name)?.as_ref() != was {
            return Err(PolicyStoreError::Changed { place: self.place(name) });
        }
        let text = serde_json::to_string_pretty(row).map_err(|e| self.failed(name, &e))? + "\n";
        // A reader sees the old row or the new one.
        forewarn_runtime::durable::write(&self.path(name), text.as_bytes()).map_err(|e| self.failed(name, &e))
    }

    fn place(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_domain::time::UnixMs;
    use forewarn_recovery::policy::Mode;
    use serde_json::json;

    /// Writes a row over whatever is there.
    fn put(policies: &PolicyDir, name: &str, row: &Map<String, Value>) -> Result<(), PolicyStoreError> {
        let was = policies.row(name).unwrap_or_default();
        policies.put(name, was.as_ref(), row)
    }

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn an_instance_s_row_lies_over_the_defaults_and_what_is_wrong_allows_nothing() {
        let state = tempfile::tempdir().unwrap();
        let policies = PolicyDir::of(state.path());
        let id = "i-0123456789abcdef0";
        assert_eq!(of(&policies, id).unwrap(), Policy::default());
        put(&policies, DEFAULT, &object(&json!({"mode": "act", "auto_restart": false}))).unwrap();
        put(&policies, id, &object(&json!({"auto_restart": true}))).unwrap();
        let policy = of(&policies, id).unwrap();
        assert_eq!((policy.mode, policy.auto_restart), (Mode::Act, true));
        assert!(!of(&policies, "i-00000000").unwrap().auto_restart);

        put(&policies, DEFAULT, &object(&json!({"pauses": {"release": 7}}))).unwrap();
        put(&policies, id, &object(&json!({"pauses": {"mine": 8}}))).unwrap();
        let pauses = of(&policies, id).unwrap().pauses;
        let until = |name: &str, ms| (name.to_owned(), UnixMs(ms));
        assert_eq!(pauses.into_iter().collect::<Vec<_>>(), [until("mine", 8), until("release", 7)]);

        fs::write(policies.path(id), "{\"auto_restart\": \"yes\"}").unwrap();
        let why = of(&policies, id).unwrap_err().to_string();
        assert!(why.contains(id) && why.contains("boolean"), "{why}");
        assert!(matches!(read(&policies, id), Read::Failed(_)));
        put(&policies, id, &object(&json!({"auto_restrat": true}))).unwrap();
        let why = of(&policies, id).unwrap_err().to_string();
        assert!(why.contains("auto_restrat") && why.contains("auto_restart"), "{why}");
        put(&policies, DEFAULT, &object(&json!({"cooldown_ms": -1}))).unwrap();
        assert!(of(&policies, "i-00000000").unwrap_err().to_string().contains("cooldown_ms is -1"));
    }

    #[test]
    fn a_name_that_is_a_path_is_refused() {
        let policies = PolicyDir::of(Path::new("state"));
        for name in ["../x", "i-", "i-xyz", "", "I-01234567", "i-0123456789abcdef0/.."] {
            assert!(matches!(policies.row(name), Err(PolicyStoreError::Name(_))), "{name}");
        }
    }
}
