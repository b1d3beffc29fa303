//! What is kept, and for how long: the settings of maintenance, built.

use forewarn_events::Bounds;
use forewarn_runtime::settings::Live;
use forewarn_runtime::text::parse_size;
use forewarn_runtime::time::{DAY_MS, parse_span};

/// What the settings say, or the defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Keep {
    /// How long metrics and events of the history are kept, milliseconds; none: for ever.
    pub history_ms: Option<i64>,
    /// How long predictions are kept in the history, milliseconds; none: for ever.
    pub predictions_ms: Option<i64>,
    /// How long entries of the event log are kept, milliseconds; none: for ever.
    pub log_ms: Option<i64>,
    pub dead_letters: Bounds,
    /// Bounds of the records that can't be read.
    pub set_aside: Bounds,
    /// Files that a day and bucket of the history may have before they are merged.
    pub compact_files: usize,
    /// The share of a disk below which it is nearly full.
    pub disk_low: f64,
}

impl Default for Keep {
    fn default() -> Self {
        let long = 400 * DAY_MS;
        Self {
            history_ms: Some(long),
            predictions_ms: Some(long),
            log_ms: Some(long),
            dead_letters: Bounds { age_ms: 90 * DAY_MS, bytes: 64 << 20 },
            set_aside: Bounds { age_ms: long, bytes: 1 << 30 },
            compact_files: 16,
            disk_low: 0.1,
        }
    }
}

const FOREVER: &str = "forever";

impl Keep {
    /// Reads the settings.
    ///
    /// # Errors
    /// A sentence that names the first one that can't be understood, and what it may be.
    pub fn of(live: &Live) -> Result<Self, String> {
        let usual = Self::default();
        Ok(Self {
            history_ms: span("retain_history", live.retain_history.as_deref(), usual.history_ms)?,
            predictions_ms: span("retain_predictions", live.retain_predictions.as_deref(), usual.predictions_ms)?,
            log_ms: span("retain_log", live.retain_log.as_deref(), usual.log_ms)?,
            dead_letters: bounds("retain_dead_letters", live.retain_dead_letters.as_deref(), usual.dead_letters)?,
            set_aside: bounds("retain_set_aside", live.retain_set_aside.as_deref(), usual.set_aside)?,
            compact_files: files(live.compact_files.as_deref(), usual.compact_files)?,
            disk_low: share(live.disk_low.as_deref(), usual.disk_low)?,
        })
    }
}

fn span(name: &str, text: Option<&str>, usual: Option<i64>) -> Result<Option<i64>, String> {
    match text.map(str::trim) {
        None => Ok(usual),
        Some(FOREVER) => Ok(None),
        Some(text) => {
            let ms = parse_span(text).filter(|ms| *ms >= DAY_MS);
            ms.map(Some).ok_or_else(|| {
                format!("{name} is {text:?}, expected a span of a day or longer such as 400d, or {FOREVER}")
            })
        }
    }
}

fn bounds(name: &str, text: Option<&str>, usual: Bounds) -> Result<Bounds, String> {
    let Some(text) = text.map(str::trim) else { return Ok(usual) };
    if text == FOREVER {
        return Ok(Bounds::NONE);
    }
    let bad = || format!("{name} is {text:?}, expected a span and a size such as 90d,64MiB, one of them, or {FOREVER}");
    let mut bounds = Bounds::NONE;
    for piece in text.split(',').map(str::trim) {
        match (parse_span(piece).filter(|ms| *ms > 0), parse_size(piece).filter(|bytes| *bytes > 0)) {
            (Some(age_ms), _) if bounds.age_ms == Bounds::NONE.age_ms => bounds.age_ms = age_ms,
            (None, Some(bytes)) if bounds.bytes == Bounds::NONE.bytes => bounds.bytes = bytes,
            _ => return Err(bad()),
        }
    }
    Ok(bounds)
}

fn files(text: Option<&str>, usual: usize) -> Result<usize, String> {
    let Some(text) = text.map(str::trim) else { return Ok(usual) };
    let files = text.parse().ok().filter(|n| (2..=10_000).contains(n));
    files.ok_or_else(|| format!("compact_files is {text:?}, expected a number from 2 to 10000"))
}

fn share(text: Option<&str>, usual: f64) -> Result<f64, String> {
    let Some(text) = text.map(str::trim) else { return Ok(usual) };
    let percent = text.strip_suffix('%').and_then(|n| n.trim().parse::<f64>().ok());
    let percent = percent.filter(|p| (0.0..=100.0).contains(p));
    percent.map(|p| p / 100.0).ok_or_else(|| format!("disk_low is {text:?}, expected a share such as 10%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_settings_say_is_kept_and_nonsense_is_named() {
        assert_eq!(Keep::of(&Live::default()).unwrap(), Keep::default());
        let some = |text: &str| Some(text.to_owned());
        let live = Live {
            retain_history: some("forever"),
            retain_predictions: some("30d"),
            retain_dead_letters: some("7d, 1MiB"),
            retain_set_aside: some("2GiB"),
            compact_files: some("40"),
            disk_low: some("2.5 %"),
            ..Live::default()
        };
        let keep = Keep::of(&live).unwrap();
        assert_eq!((keep.history_ms, keep.predictions_ms), (None, Some(30 * DAY_MS)));
        assert_eq!(keep.dead_letters, Bounds { age_ms: 7 * DAY_MS, bytes: 1 << 20 });
        assert_eq!(keep.set_aside, Bounds { age_ms: i64::MAX, bytes: 2 << 30 });
        assert_eq!(keep.compact_files, 40);
        assert!((keep.disk_low - 0.025).abs() < 1e-12);
        for live in [
            Live { retain_history: some("1h"), ..Live::default() },
            Live { retain_log: some("soon"), ..Live::default() },
            Live { retain_dead_letters: some("90d,much"), ..Live::default() },
            Live { compact_files: some("1"), ..Live::default() },
            Live { disk_low: some("0.1"), ..Live::default() },
        ] {
            assert!(Keep::of(&live).unwrap_err().contains("expected"), "{live:?}");
        }
    }
}
