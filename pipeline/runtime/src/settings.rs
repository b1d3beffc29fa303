//! Reads the settings: `forewarn.toml`, over it the environment (`FOREWARN_*`), over that the flags.

mod file;

pub use file::nearest;

use crate::telemetry::{self, LogFormat, TelemetryError};
use serde::Serialize;
use std::collections::BTreeMap;

/// The name of the settings file in the working directory.
pub const FILE: &str = "forewarn.toml";

#[derive(Debug, Clone, Copy)]
pub struct SettingKey {
    /// The key in the file.
    pub name: &'static str,
    /// The environment variable.
    pub env: &'static str,
    /// What it means.
    pub about: &'static str,
}

const fn key(name: &'static str, env: &'static str, about: &'static str) -> SettingKey {
    SettingKey { name, env, about }
}

/// Every key there is.
pub const KEYS: [SettingKey; 30] = [
    key("history", "FOREWARN_HISTORY", "where the history is: a directory or s3://BUCKET/PREFIX"),
    key(
        "state",
        "FOREWARN_STATE",
        "the event log and everything else that is kept: a directory, or dynamodb:TABLE, as a Lambda function needs it",
    ),
    key("rules", "FOREWARN_RULES", "a rule set to use instead of the one built in"),
    key("bus", "FOREWARN_BUS", "the JSON Lines file that announcements go to; by default events.jsonl in the state"),
    key("emit", "FOREWARN_EMIT", "whether analyze writes its predictions to the log and announces them"),
    key("select", "FOREWARN_SELECT", "which instances are observed: all, tag:NAME=VALUE, or asg:NAME, comma-separated"),
    key("regions", "FOREWARN_REGIONS", "the regions that are observed, comma-separated; by default the SDK's own"),
    key(
        "accounts",
        "FOREWARN_ACCOUNTS",
        "a TOML file of further accounts: [[account]] with role, external_id, regions",
    ),
    key("stream", "FOREWARN_STREAM", "the stream: embedded, or kinesis:NAME"),
    key("queue", "FOREWARN_QUEUE", "the URLs of the SQS queues that EC2 events arrive in, comma-separated"),
    key(
        "eventbridge",
        "FOREWARN_EVENTBRIDGE",
        "the EventBridge bus that announcements go to beside the file: a name or an ARN",
    ),
    key(
        "stale_after",
        "FOREWARN_STALE_AFTER",
        "how old what is announced on EventBridge may be to count as news, such as 6h, which is the default: what is older says so",
    ),
    key(
        "budget",
        "FOREWARN_BUDGET",
        "metrics that may be asked of CloudWatch in a calendar month, for each account and region",
    ),
    key(
        "plans",
        "FOREWARN_PLANS",
        "gives each prediction at high its plan, looked at in AWS as `own` or as the role that acts, by its ARN",
    ),
    key(
        "plans_external_id",
        "FOREWARN_PLANS_EXTERNAL_ID",
        "the external id that the trust policy of that role asks for",
    ),
    key("shadow", "FOREWARN_SHADOW", "a second rule set that is scored silently on live data"),
    key(
        "recovery_log",
        "FOREWARN_RECOVERY_LOG",
        "where recoveries are written down: dynamodb:TABLE; by default the event log in the state",
    ),
    key(
        "policies",
        "FOREWARN_POLICIES",
        "where policies are: dynamodb:TABLE; by default the directory policies in the state",
    ),
    key(
        "metric_stream",
        "FOREWARN_METRIC_STREAM",
        "the s3:// prefixes that Metric Streams are delivered below, comma-separated; by default none are taken",
    ),
    key(
        "compact_files",
        "FOREWARN_COMPACT_FILES",
        "how many files a day and bucket of the history may have before they are merged; by default 16",
    ),
    key(
        "retain_history",
        "FOREWARN_RETAIN_HISTORY",
        "how long metrics and events of the history are kept: a span such as 400d, which is the default, or forever",
    ),
    key(
        "retain_predictions",
        "FOREWARN_RETAIN_PREDICTIONS",
        "how long predictions are kept in the history: a span such as 400d, which is the default, or forever",
    ),
    key(
        "retain_log",
        "FOREWARN_RETAIN_LOG",
        "how long entries of the event log are kept: a span such as 400d, which is the default, or forever",
    ),
    key(
        "retain_dead_letters",
        "FOREWARN_RETAIN_DEAD_LETTERS",
        "how long and how much of the dead letters is kept, the newest: by default 90d,64MiB; or forever",
    ),
    key(
        "retain_set_aside",
        "FOREWARN_RETAIN_SET_ASIDE",
        "how long and how much of the records that can't be read is kept, the newest: by default 400d,1GiB; or forever",
    ),
    key(
        "disk_low",
        "FOREWARN_DISK_LOW",
        "the share of the disk below which it is said to be nearly full: by default 10%",
    ),
    key("threads", "FOREWARN_THREADS", "how many threads work at a time; by default one for each core"),
    key(
        "metrics_listen",
        "FOREWARN_METRICS_LISTEN",
        "where Prometheus reads forewarn's own metrics, such as 127.0.0.1:9464",
    ),
    key("log", "FOREWARN_LOG", "how much is logged: error, warn, info, debug, or forewarn=debug,warn"),
    key("log_format", "FOREWARN_LOG_FORMAT", "the form of the logs: text or json"),
];

/// Values of one layer, raw: none where the layer says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer {
    /// See [`KEYS`].
    pub history: Option<String>,
    /// See [`KEYS`].
    pub state: Option<String>,
    /// See [`KEYS`].
    pub rules: Option<String>,
    /// See [`KEYS`].
    pub bus: Option<String>,
    /// See [`KEYS`].
    pub emit: Option<String>,
    /// See [`KEYS`].
    pub log: Option<String>,
    /// See [`KEYS`].
    pub log_format: Option<String>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "from", content = "name")]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The file and the line.
    File(String),
    /// The environment variable.
    Environment(&'static str),
    Flag(&'static str),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(place) => f.write_str(place),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{}", name.replace('_', "-")),
        }
    }
}

/// Settings that hold together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Where the history is.
    pub history: String,
    /// The directory of everything that is kept.
    pub state: String,
    /// The rule set to use; none for the one built in.
    pub rules: Option<String>,
    /// The file that announcements go to.
    pub bus: String,
    /// Whether analyze writes and announces.
    pub emit: bool,
    /// What is observed and where it goes, raw: each part reads its own.
    pub live: Live,
    /// How much is logged.
    pub log: String,
    /// The form of the logs.
    pub log_format: LogFormat,
    /// Where each value comes from, by key.
    pub origins: BTreeMap<&'static str, Origin>,
}

/// Settings of the live pipeline as given; none where nobody said anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Live {
    /// See [`KEYS`].
    pub select: Option<String>,
    /// See [`KEYS`].
    pub regions: Option<String>,
    /// See [`KEYS`].
    pub accounts: Option<String>,
    /// See [`KEYS`].
    pub stream: Option<String>,
    /// See [`KEYS`].
    pub queue: Option<String>,
    /// See [`KEYS`].
    pub eventbridge: Option<String>,
    /// See [`KEYS`].
    pub stale_after: Option<String>,
    /// See [`KEYS`].
    pub budget: Option<String>,
    /// See [`KEYS`].
    pub plans: Option<String>,
    /// See [`KEYS`].
    pub plans_external_id: Option<String>,
    /// See [`KEYS`].
    pub shadow: Option<String>,
    /// See [`KEYS`].
    pub recovery_log: Option<String>,
    /// See [`KEYS`].
    pub policies: Option<String>,
    /// See [`KEYS`].
    pub metric_stream: Option<String>,
    /// See [`KEYS`].
    pub compact_files: Option<String>,
    /// See [`KEYS`].
    pub retain_history: Option<String>,
    /// See [`KEYS`].
    pub retain_predictions: Option<String>,
    /// See [`KEYS`].
    pub retain_log: Option<String>,
    /// See [`KEYS`].
    pub retain_dead_letters: Option<String>,
    /// See [`KEYS`].
    pub retain_set_aside: Option<String>,
    /// See [`KEYS`].
    pub disk_low: Option<String>,
    /// See [`KEYS`].
    pub threads: Option<String>,
    /// See [`KEYS`].
    pub metrics_listen: Option<String>,
}

/// Explains what is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is not TOML.
    #[error("{file}:{line}: not TOML: {message}")]
    Syntax {
        file: String,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// The file has a key that means nothing.
    #[error("{file}:{line}: unknown key {key:?}; did you mean {nearest:?}?")]
    UnknownKey {
        file: String,
        /// The line, from 1.
        line: usize,
        key: String,
        /// The most similar one that means something.
        nearest: &'static str,
    },
    /// A value in the file is of the wrong kind.
    #[error("{file}:{line}: {key} is {found}, expected {expected}")]
    Kind {
        file: String,
        /// The line, from 1.
        line: usize,
        key: String,
        /// What it is.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A value is not one that the key takes.
    #[error("{origin}: {key} is {found:?}, expected {expected}")]
    Value {
        /// Where it comes from.
        origin: Origin,
        key: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The log level is not one.
    #[error("{origin}: log cannot be understood")]
    Log {
        /// Where it comes from.
        origin: Origin,
        #[source]
        source: TelemetryError,
    },
}

/// Settles the settings from a file's name and text (where there is one), the environment, and the flags.
///
/// An environment variable that is empty counts as not set.
///
/// # Errors
/// When the file is not TOML or has an unknown key, or a value is not one that its key takes.
pub fn resolve(
    file: Option<(&str, &str)>,
    env: impl Fn(&str) -> Option<String>,
    flags: &Layer,
) -> Result<Settings, SettingsError> {
    let mut values: BTreeMap<&'static str, (String, Origin)> = BTreeMap::new();
    if let Some((name, text)) = file {
        values.extend(file::parse(name, text)?);
    }
    for key in KEYS {
        if let Some(value) = env(key.env).filter(|v| !v.is_empty()) {
            values.insert(key.name, (value, Origin::Environment(key.env)));
        }
    }
    let given = [
        ("history", &flags.history),
        ("state", &flags.state),
        ("rules", &flags.rules),
        ("bus", &flags.bus),
        ("emit", &flags.emit),
        ("log", &flags.log),
        ("log_format", &flags.log_format),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            values.insert(name, (value.clone(), Origin::Flag(name)));
        }
    }
    build(values)
}

fn build(mut values: BTreeMap<&'static str, (String, Origin)>) -> Result<Settings, SettingsError> {
    let mut origins: BTreeMap<&'static str, Origin> = KEYS.iter().map(|k| (k.name, Origin::Default)).collect();
    let mut take = |key: &'static str| {
        let (value, origin) = values.remove(key)?;
        origins.insert(key, origin.clone());
        Some((value, origin))
    };
    let mut path = |key: &'static str| match take(key) {
        Some((value, origin)) if value.trim().is_empty() => {
            Err(SettingsError::Value { origin, key, found: value, expected: "a path" })
        }
        given => Ok(given.map(|(value, _)| value)),
    };
    let history = path("history")?.unwrap_or_else(|| "history".to_owned());
    let state = path("state")?.unwrap_or_else(|| "state".to_owned());
    let rules = path("rules")?;
    let bus = path("bus")?.unwrap_or_else(|| format!("{}/events.jsonl", state.trim_end_matches('/')));
    let mut text = |key: &'static str| match path(key) {
        Err(SettingsError::Value { origin, key, found, .. }) => {
            Err(SettingsError::Value { origin, key, found, expected: "something" })
        }
        given => given,
    };
    let live = Live {
        select: text("select")?,
        regions: text("regions")?,
        accounts: text("accounts")?,
        stream: text("stream")?,
        queue: text("queue")?,
        eventbridge: text("eventbridge")?,
        stale_after: text("stale_after")?,
        budget: text("budget")?,
        plans: text("plans")?,
        plans_external_id: text("plans_external_id")?,
        shadow: text("shadow")?,
        recovery_log: text("recovery_log")?,
        policies: text("policies")?,
        metric_stream: text("metric_stream")?,
        compact_files: text("compact_files")?,
        retain_history: text("retain_history")?,
        retain_predictions: text("retain_predictions")?,
        retain_log: text("retain_log")?,
        retain_dead_letters: text("retain_dead_letters")?,
        retain_set_aside: text("retain_set_aside")?,
        disk_low: text("disk_low")?,
        threads: text("threads")?,
        metrics_listen: text("metrics_listen")?,
    };
    let emit = match take("emit") {
        None => false,
        Some((value, origin)) => match value.as_str() {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => return Err(SettingsError::Value { origin, key: "emit", found: value, expected: "true or false" }),
        },
    };
    let log = match take("log") {
        None => "info".to_owned(),
        Some((value, origin)) => match telemetry::parse_level(&value) {
            Ok(_) => value,
            Err(source) => return Err(SettingsError::Log { origin, source }),
        },
    };
    let log_format = match take("log_format") {
        None => LogFormat::Text,
        Some((value, origin)) => value.parse().map_err(|_| SettingsError::Value {
            origin,
            key: "log_format",
            found: value,
            expected: "text or json",
        })?,
    };
    Ok(Settings { history, state, rules, bus, emit, live, log, log_format, origins })
}

#[cfg(test)]
mod tests;
