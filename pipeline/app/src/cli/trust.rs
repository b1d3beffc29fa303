//! What a round that is emitted does beside predicting: episodes that are due are resolved, and a shadow rule set is kept.
//!
//! Neither may stop the predictions: what fails here is said and tried again in the next round.

use super::common::load_rules;
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::History;
use forewarn_log::SqliteLog;
use forewarn_predict::fleet::Fleet;
use forewarn_predict::{resolve, shadow};
use std::path::{Path, PathBuf};

/// Resolves what is due at `as_of`; before the round itself is written, so that what came of the last one is told with it.
pub(super) fn resolve_due(log: &SqliteLog, history: &History, as_of: i64) {
    match resolve::resolve(log, history, &[], as_of) {
        Ok(done) => tracing::info!(
            hit = done.hit,
            missed = done.missed,
            false_alarms = done.false_alarms,
            censored = done.censored,
            gone = done.gone,
            open = done.open,
            "resolved"
        ),
        Err(e) => tracing::error!("episodes are not resolved, the next round tries again: {e}"),
    }
}

/// Keeps what a shadow rule set says at `as_of`.
pub(super) fn keep_shadow(file: &Path, history: &History, map: &SignalMap, fleet: &Fleet, as_of: i64) {
    let storage = load_rules(file)
        .map_err(|e| e.to_string())
        .and_then(|(shadow, _)| shadow::keep(history, map, fleet, as_of, &shadow).map_err(|e| e.to_string()));
    match storage {
        Ok((path, new)) => tracing::info!(path, new, "the shadow's predictions are kept in the history"),
        Err(e) => tracing::error!("the shadow {} is not kept: {e}", file.display()),
    }
}

/// The shadow asked for: by flag, else by setting.
pub(super) fn shadow_file(flag: Option<&PathBuf>, setting: Option<&String>) -> Option<PathBuf> {
    flag.cloned().or_else(|| setting.map(PathBuf::from))
}
