//! Policies over what the environment says: names that scripts and functions have set for years go on serving.

use super::{Policies, PolicyStoreError};
use forewarn_recovery::policy::Policy;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Whether nothing is done (`true`), or what is allowed is done where no row says otherwise (`false`).
pub const DEMO: &str = "DEMO_MODE";
/// Numbers, with the field that each gives and what one of it is there.
const NUMBERS: [(&str, &str, i64); 3] = [
    ("RECOVERY_TIMEOUT_SECONDS", "step_timeout_ms", 1000),
    ("HEALTH_CHECK_RETRY_COUNT", "step_attempts", 1),
    ("HEALTH_CHECK_RETRY_DELAY", "retry_ms", 1000),
];
/// What a replacement is launched with.
const REPLACEMENT: [(&str, &str); 6] = [
    ("AMI_ID", "image_id"),
    ("INSTANCE_TYPE", "instance_type"),
    ("SUBNET_ID", "subnet_id"),
    ("SECURITY_GROUP", "security_group"),
    ("KEY_NAME", "key_name"),
    ("EIP_ALLOCATION_ID", "allocation_id"),
];

/// Rows that lie over the environment.
#[derive(Debug)]
pub struct Environment {
    rows: Arc<dyn Policies>,
    base: Map<String, Value>,
    is_demo: bool,
}

impl Environment {
    /// Lays rows over what the environment says. Names that are empty say nothing.
    ///
    /// # Errors
    /// Which name has which wrong value.
    pub fn under(rows: Arc<dyn Policies>, name: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let said = |n: &str| name(n).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let mut base = Map::new();
        let demo = said(DEMO).map(|v| flag(&v).ok_or_else(|| format!("{DEMO} is {v:?}, expected true or false")));
        let demo = demo.transpose()?;
        if demo == Some(false) {
            base.insert("mode".to_owned(), json!("act"));
        }
        for (name, field, unit) in NUMBERS {
            let Some(value) = said(name) else { continue };
            let wrong = |why: &str| format!("{name} is {value:?}: {why}");
            let number = value.parse::<i64>().map_err(|_| wrong("expected a whole number"))?;
            base.insert(field.to_owned(), json!(number.saturating_mul(unit)));
            Policy::from_json(&Value::Object(base.clone()).to_string()).map_err(|e| wrong(&e.to_string()))?;
        }
        let with: Map<String, Value> =
            REPLACEMENT.iter().filter_map(|(name, field)| Some(((*field).to_owned(), json!(said(name)?)))).collect();
        if !with.is_empty() {
            base.insert("targets".to_owned(), json!({ "replacement": with }));
        }
        if !base.is_empty() {
            let said = Value::Object(base.clone()).to_string();
            tracing::info!(policy = said, "the environment says this where no row does");
        }
        if demo == Some(true) {
            tracing::warn!(
                "{DEMO} is set: what would be done is written down, and nothing is done, whatever policies say"
            );
        }
        Ok(Self { rows, base, is_demo: demo == Some(true) })
    }
}

/// Reads a switch as people write it.
fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

impl Policies for Environment {
    fn row(&self, name: &str) -> Result<Option<Map<String, Value>>, PolicyStoreError> {
        self.rows.row(name)
    }

    fn put(
        &self,
        name: &str,
        was: Option<&Map<String, Value>>,
        row: &Map<String, Value>,
    ) -> Result<(), PolicyStoreError> {
        self.rows.put(name, was, row)
    }

    fn place(&self, name: &str) -> String {
        self.rows.place(name)
    }

    fn base(&self) -> Map<String, Value> {
        self.base.clone()
    }

    fn only_observe(&self) -> bool {
        self.is_demo
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DEFAULT, PolicyDir, of};
    use super::*;
    use forewarn_recovery::policy::Mode;

    const ID: &str = "i-0123456789abcdef0";

    fn under(rows: &PolicyDir, said: &[(&str, &str)]) -> Result<Environment, String> {
        let name = |n: &str| said.iter().find(|(name, _)| *name == n).map(|(_, v)| (*v).to_owned());
        Environment::under(Arc::new(rows.clone()), name)
    }

    #[test]
    fn rows_lie_over_what_the_environment_says_and_a_demo_does_nothing_whatever_they_say() {
        let state = tempfile::tempdir().unwrap();
        let rows = PolicyDir::of(state.path());
        let policy = |said: &[(&str, &str)]| of(&under(&rows, said).unwrap(), ID).unwrap();
        assert_eq!(policy(&[(DEMO, ""), ("AMI_ID", " ")]), Policy::default());
        let said = [
            (DEMO, "False"),
            ("RECOVERY_TIMEOUT_SECONDS", "900"),
            ("HEALTH_CHECK_RETRY_COUNT", "5"),
            ("HEALTH_CHECK_RETRY_DELAY", "10"),
            ("AMI_ID", "ami-1"),
            ("EIP_ALLOCATION_ID", "eipalloc-1"),
        ];
        let got = policy(&said);
        assert_eq!((got.mode, got.step_timeout_ms, got.step_attempts, got.retry_ms), (Mode::Act, 900_000, 5, 10_000));
        let with = &got.targets.replacement;
        assert_eq!((with.image_id.as_deref(), with.allocation_id.as_deref()), (Some("ami-1"), Some("eipalloc-1")));
        assert_eq!(with.instance_type, None);

        let row = json!({"mode": "approve", "step_attempts": 2, "action_modes": {"safe_restart": "act"}});
        rows.put(DEFAULT, None, row.as_object().unwrap()).unwrap();
        let got = policy(&said);
        assert_eq!((got.mode, got.step_attempts, got.retry_ms), (Mode::Approve, 2, 10_000));
        let got = policy(&[(DEMO, "true")]);
        assert!(got.mode == Mode::Observe && got.action_modes.is_empty());
    }

    #[test]
    fn a_wrong_value_is_named() {
        let rows = PolicyDir::of(std::path::Path::new("state"));
        for (name, value, says) in [
            (DEMO, "maybe", "true or false"),
            ("RECOVERY_TIMEOUT_SECONDS", "ten", "whole number"),
            ("RECOVERY_TIMEOUT_SECONDS", "1", "a minute to a day"),
            ("HEALTH_CHECK_RETRY_COUNT", "0", "1 to 20"),
            ("HEALTH_CHECK_RETRY_COUNT", "-1", "u32"),
            ("HEALTH_CHECK_RETRY_DELAY", "9223372036854775807", "a second to an hour"),
        ] {
            let why = under(&rows, &[(name, value)]).unwrap_err();
            assert!(why.contains(name) && why.contains(says), "{why}");
        }
    }
}
