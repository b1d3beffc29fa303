//! What people allow, for an instance and at a time.

use super::pace::{CALL_MS, Pace, RETRY_MS, STEP_ATTEMPTS, STEP_TIMEOUT_MS};
use super::targets::Targets;
use super::trigger::Cause;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::time::{DAY_MS, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How much forewarn may do by itself.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Write down what it would do.
    #[default]
    Observe,
    /// Tell people as well.
    Notify,
    /// Do it once a person has approved.
    Approve,
    /// Do it.
    Act,
}

/// Hours in which disturbing actions may run, every day, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DailyWindow {
    /// Minutes after midnight at which it opens.
    pub from_minute: u16,
    /// Minutes after midnight at which it closes; before `from_minute` where it spans midnight.
    pub to_minute: u16,
}

/// Keys that older tables have and nothing reads.
const UNREAD: [&str; 2] = ["monitoring_enabled", "notification_channels"];

const MINUTE_MS: i64 = 60_000;

impl DailyWindow {
    /// Says whether a time lies within it.
    pub fn is_open(self, now: UnixMs) -> bool {
        let minute = now.minute_of_day();
        let (from, to) = (i64::from(self.from_minute), i64::from(self.to_minute));
        if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to }
    }

    /// Gives the next time at which it opens, at or after a time.
    pub fn opens_at(self, now: UnixMs) -> UnixMs {
        let today = now.start_of_day().saturating_add(i64::from(self.from_minute) * MINUTE_MS);
        if today >= now { today } else { today.saturating_add(DAY_MS) }
    }
}

/// A change of the policy for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The mode meanwhile.
    pub mode: Mode,
    /// When it ends, milliseconds since 1970.
    pub until_ms: UnixMs,
    /// Why.
    pub reason: String,
}

/// What is allowed for one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, by the name that its table has")]
pub struct Policy {
    /// Whether anything may be done at all.
    pub recovery_enabled: bool,
    /// Whether it is watched.
    pub monitoring_enabled: bool,
    /// The mode, where nothing more special is said.
    pub mode: Mode,
    /// The mode of single actions.
    pub action_modes: BTreeMap<RecoveryAction, Mode>,
    /// Whether it may be restarted.
    pub auto_restart: bool,
    /// Whether it may be moved to another host.
    pub host_migration: bool,
    /// Whether it may be replaced, in its zone or another.
    pub cross_az_failover: bool,
    /// Whether its volumes may be repaired.
    pub ebs_repair: bool,
    /// Whether units on it may be restarted through SSM.
    pub app_level_recovery: bool,
    /// Whether it may be quarantined.
    pub quarantine_mode: bool,
    /// Units that may be restarted.
    pub units: Vec<String>,
    /// What answers when the application is well.
    pub health_endpoint: Option<String>,
    /// Where notices go.
    pub notification_channels: Vec<String>,
    /// Whether stopping may cost what is on instance store.
    pub may_lose_instance_store: bool,
    /// Whether stopping may cost the address that AWS assigned.
    pub may_lose_public_ip: bool,
    /// Whether an instance that hangs even when its stop is forced may be cut off without its shutdown: what it has not written is lost.
    pub may_skip_os_shutdown: bool,
    /// How old the snapshots may be that an instance is replaced from when it can't be stopped, milliseconds.
    pub recovery_point_ms: i64,
    /// When disturbing actions on a mere prediction may run; without one, at any time.
    pub maintenance_window: Option<DailyWindow>,
    /// How long people may object before something is done, milliseconds.
    pub objection_ms: i64,
    /// How long what was recovered has to stay well, milliseconds.
    pub hold_ms: i64,
    /// How long after a recovery the next may begin, milliseconds.
    pub cooldown_ms: i64,
    /// Recoveries of one lineage within a day.
    pub daily_budget: u32,
    /// How long a step may take, milliseconds; snapshots have an hour at least.
    pub step_timeout_ms: i64,
    /// How often a step is tried.
    pub step_attempts: u32,
    /// How long after a failure a step is tried again, milliseconds.
    pub retry_ms: i64,
    /// Named pauses, by name, each until a time in milliseconds.
    pub pauses: BTreeMap<String, UnixMs>,
    /// Another mode for a while.
    pub overrides: Vec<Override>,
    /// What actions need that no call of AWS tells.
    pub targets: Targets,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            recovery_enabled: true,
            monitoring_enabled: true,
            mode: Mode::Observe,
            action_modes: BTreeMap::new(),
            auto_restart: true,
            host_migration: true,
            cross_az_failover: false,
            ebs_repair: false,
            app_level_recovery: false,
            quarantine_mode: false,
            units: Vec::new(),
            health_endpoint: None,
            notification_channels: Vec::new(),
            may_lose_instance_store: false,
            may_lose_public_ip: false,
            may_skip_os_shutdown: false,
            recovery_point_ms: DAY_MS,
            maintenance_window: None,
            objection_ms: 5 * MINUTE_MS,
            hold_ms: 30 * MINUTE_MS,
            cooldown_ms: 30 * MINUTE_MS,
            daily_budget: 3,
            step_timeout_ms: STEP_TIMEOUT_MS,
            step_attempts: STEP_ATTEMPTS,
            retry_ms: RETRY_MS,
            pauses: BTreeMap::new(),
            overrides: Vec::new(),
            targets: Targets::default(),
        }
    }
}

/// Explains why a policy can't be used; nothing is done then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It is no policy.
    #[error("policy: {0}")]
    Unreadable(String),
    /// A value is out of its bounds.
    #[error("policy: {field} is {value}, expected {expected}")]
    Bounds {
        /// The field.
        field: &'static str,
        /// What it is.
        value: i64,
        /// What it may be.
        expected: &'static str,
    },
}

impl Policy {
    /// Reads a policy from JSON, a row of the table or one that a person wrote.
    ///
    /// # Errors
    /// When a key is unknown, a type is wrong, or a value is out of bounds.
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        let unreadable = |e: serde_json::Error| PolicyError::Unreadable(e.to_string());
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).map_err(unreadable)?;
        let policy: Self = serde_json::from_value(fields.into()).map_err(unreadable)?;
        policy.check()?;
        Ok(policy)
    }

    /// Says whether a key is accepted for the sake of older tables, and nothing reads it.
    pub fn is_unread(key: &str) -> bool {
        UNREAD.contains(&key)
    }

    /// Names the keys that say something else than their default though nothing reads them.
    pub fn unread(&self) -> Vec<&'static str> {
        let default = Self::default();
        let differs = [
            self.monitoring_enabled != default.monitoring_enabled,
            self.notification_channels != default.notification_channels,
        ];
        UNREAD.into_iter().zip(differs).filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }

    fn check(&self) -> Result<(), PolicyError> {
        let bound = |field, value: i64, fits: bool, expected| {
            if fits { Ok(()) } else { Err(PolicyError::Bounds { field, value, expected }) }
        };
        let spans = [("objection_ms", self.objection_ms), ("hold_ms", self.hold_ms), ("cooldown_ms", self.cooldown_ms)];
        for (field, value) in spans {
            bound(field, value, (0..=7 * DAY_MS).contains(&value), "0 to a week in milliseconds")?;
        }
        let point = self.recovery_point_ms;
        bound("recovery_point_ms", point, (1..=30 * DAY_MS).contains(&point), "1 to 30 days in milliseconds")?;
        let timeout = self.step_timeout_ms;
        bound("step_timeout_ms", timeout, (CALL_MS..=DAY_MS).contains(&timeout), "a minute to a day in milliseconds")?;
        let attempts = self.step_attempts;
        bound("step_attempts", attempts.into(), (1..=20).contains(&attempts), "1 to 20")?;
        let retry = self.retry_ms;
        bound("retry_ms", retry, (1000..=60 * MINUTE_MS).contains(&retry), "a second to an hour in milliseconds")?;
        if let Some(window) = &self.maintenance_window {
            for minute in [window.from_minute, window.to_minute] {
                bound("maintenance_window", minute.into(), minute < 1440, "minutes after midnight, 0 to 1439")?;
            }
        }
        Ok(())
    }

    /// Gives how patient steps are.
    pub const fn pace(&self) -> Pace {
        Pace { timeout_ms: self.step_timeout_ms, attempts: self.step_attempts, retry_ms: self.retry_ms }
    }

    /// Gives the same policy with nothing done by itself, whatever it says of single actions or for a while.
    #[must_use]
    pub fn observing(mut self) -> Self {
        self.mode = Mode::Observe;
        self.action_modes.clear();
        self.overrides.clear();
        self
    }

    /// Gives the mode for an action at a time: an override that has not expired, else what is said of the action, else of the instance.
    pub fn mode_at(&self, action: RecoveryAction, now: UnixMs) -> Mode {
        let special = self.action_modes.get(&action).copied().unwrap_or(self.mode);
        // Several at once: the most careful of them.
        self.overrides.iter().filter(|o| now < o.until_ms).map(|o| o.mode).min().unwrap_or(special)
    }

    /// Gives how long people may object to an action, milliseconds: who asked for it has had the time, and what AWS takes away leaves none.
    pub const fn objection_to(&self, action: RecoveryAction, cause: Cause) -> i64 {
        let at_once = matches!(cause, Cause::Operator { .. } | Cause::SpotWarned { .. });
        if at_once || !action.mutates() { 0 } else { self.objection_ms }
    }

    /// Gives how long what an action has left behind has to stay well, milliseconds.
    pub const fn hold_after(&self, action: RecoveryAction) -> i64 {
        if action.needs_stability_hold() { self.hold_ms } else { 0 }
    }

    /// Says whether this kind of action is allowed at all.
    pub fn allows(&self, action: RecoveryAction) -> bool {
        match action {
            RecoveryAction::NotifyOnly => true,
            RecoveryAction::RestartApplication => self.app_level_recovery,
            RecoveryAction::SafeRestart => self.auto_restart,
            RecoveryAction::MigrateHost => self.host_migration,
            RecoveryAction::RepairVolume | RecoveryAction::ReplaceRootVolume => self.ebs_repair,
            RecoveryAction::Quarantine | RecoveryAction::Release => self.quarantine_mode,
            RecoveryAction::DrainSpot => self.recovery_enabled,
            RecoveryAction::Replace
            | RecoveryAction::ReplaceStateful
            | RecoveryAction::ReplaceUnfenced
            | RecoveryAction::FailOverZone
            | RecoveryAction::ReplaceInGroup
            | RecoveryAction::FailOverRegion
            | RecoveryAction::FailOverUnreachable
            | RecoveryAction::TerminateReplaced => self.cross_az_failover,
        }
    }
}
