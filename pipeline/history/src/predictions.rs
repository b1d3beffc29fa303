//! Reads what was predicted at the time: the rounds kept under `predictions/`, each a row for every instance.

use super::History;
use super::entry::Entry;
use super::error::{HistoryError, Result};
use super::key::day_of_dir;
use super::table_codec::{Table, for_each_batch_of};
use super::tables::PREDICTIONS;
use forewarn_domain::prediction::{FailureType, Level};
use forewarn_runtime::time::DAY_MS;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::ops::Range;

/// Digits of the rule set's SHA-256 in a file's name.
const SHA_DIGITS: usize = 16;

/// A round of predictions that a history keeps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PredictionFile {
    /// The time it speaks for, milliseconds.
    pub as_of: i64,
    /// The first 16 digits of the rule set's SHA-256.
    pub ruleset: String,
    /// The version of forewarn that made it.
    pub engine: String,
    /// The file.
    pub entry: Entry,
}

/// What was predicted of one instance.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionRow {
    pub instance_id: String,
    /// What it is a copy of, where that was known.
    pub workload: Option<String>,
    /// The probability within 24 hours; None where nothing could be assessed.
    pub p24: Option<f64>,
    pub level: Level,
    /// What is going to break; None without a level.
    pub failure_type: Option<FailureType>,
    /// The rule set: its name and version, and its SHA-256.
    pub ruleset: (String, String),
}

impl PredictionFile {
    /// Reads a file's name: `20260105T010000Z-SHA-ENGINE.parquet`; None for a file that forewarn did not name.
    fn of(entry: &Entry) -> Option<Self> {
        let name = entry.path.rsplit('/').next()?.strip_suffix(".parquet")?;
        let (at, rest) = name.split_once('-')?;
        let (ruleset, engine) = rest.split_once('-')?;
        let hex = ruleset.len() == SHA_DIGITS && ruleset.bytes().all(|b| b.is_ascii_hexdigit());
        let as_of = compact_time(at)?;
        (hex && !engine.is_empty()).then(|| Self {
            as_of,
            ruleset: ruleset.to_owned(),
            engine: engine.to_owned(),
            entry: entry.clone(),
        })
    }

    /// Says whether it was made with the rule set of this SHA-256.
    pub fn is_of(&self, sha256: &str) -> bool {
        sha256.starts_with(&self.ruleset)
    }
}

/// Names a round by its time, its rule set's SHA-256 and the version of forewarn that makes it.
pub fn round_name(as_of: i64, ruleset_sha256: &str, engine: &str) -> String {
    let at = forewarn_runtime::time::format_ms(as_of).replace(['-', ':'], "");
    let digits = ruleset_sha256.get(..SHA_DIGITS).unwrap_or(ruleset_sha256);
    format!("{at}-{digits}-{engine}")
}

/// Reads the time in a round's name.
pub(super) fn time_of_round(name: &str) -> Option<i64> {
    compact_time(name.split_once('-')?.0)
}

/// Reads `20260105T010000Z`, with or without a fraction.
fn compact_time(text: &str) -> Option<i64> {
    if !text.is_ascii() || text.len() < 16 {
        return None;
    }
    let (date, clock) = text.split_once('T')?;
    if date.len() != 8 || clock.len() < 7 {
        return None;
    }
    let spread =
        format!("{}-{}-{}T{}:{}:{}", &date[..4], &date[4..6], &date[6..], &clock[..2], &clock[2..4], &clock[4..]);
    forewarn_runtime::time::parse_instant(&spread, None).ok()
}

impl History {
    /// Lists the rounds kept, in order of time, rule set and engine.
    pub fn rounds(&self) -> Result<Vec<PredictionFile>> {
        self.rounds_in(i64::MIN..i64::MAX)
    }

    /// Lists the rounds of a range of time, in order of time, rule set and engine; only its days are listed.
    pub fn rounds_in(&self, range: Range<i64>) -> Result<Vec<PredictionFile>> {
        let days = range.start.div_euclid(DAY_MS)..=range.end.saturating_sub(1).div_euclid(DAY_MS);
        let mut found = Vec::new();
        for name in self.store().list_dirs(PREDICTIONS)? {
            if day_of_dir(&name).is_some_and(|day| days.contains(&day)) {
                found.extend(self.rounds_of(&name)?.into_iter().filter(|r| range.contains(&r.as_of)));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Gives the time of the first round kept.
    pub fn first_round(&self) -> Result<Option<i64>> {
        for name in self.store().list_dirs(PREDICTIONS)? {
            if let Some(first) = self.rounds_of(&name)?.into_iter().min() {
                return Ok(Some(first.as_of));
            }
        }
        Ok(None)
    }

    fn rounds_of(&self, day: &str) -> Result<Vec<PredictionFile>> {
        let listed = self.store().list(&format!("{PREDICTIONS}/{day}"))?;
        Ok(listed.iter().filter_map(PredictionFile::of).collect())
    }

    /// Reads a round, in the order of its file.
    pub fn said(&self, round: &PredictionFile) -> Result<Vec<PredictionRow>> {
        let mut rows = Vec::new();
        for_each_batch_of(self, &round.entry, |table| {
            for i in 0..table.rows() {
                rows.push(row(table, i, round, &self.store().describe(&round.entry.path))?);
            }
            Ok(())
        })?;
        Ok(rows)
    }
}

fn row(table: &Table<'_>, i: usize, round: &PredictionFile, file: &str) -> Result<PredictionRow> {
    let corrupt = |why: String| HistoryError::corrupt(file, format!("{why} in row {}", i + 1));
    let as_of = table.needed_time("as_of", i)?;
    if as_of != round.as_of {
        return Err(corrupt(format!(
            "`as_of` is {}, not the time of the file",
            forewarn_runtime::time::format_ms(as_of)
        )));
    }
    let sha256 = table.needed_text("ruleset_sha256", i)?;
    if !round.is_of(&sha256) {
        return Err(corrupt("`ruleset_sha256` is not the rule set of the file".to_owned()));
    }
    let level = table.needed_text("confidence", i)?;
    let p24 = table.number("p24", i)?;
    if let Some(p) = p24.filter(|p| !(0.0..=1.0).contains(p)) {
        return Err(corrupt(format!("`p24` is {p}, which is no probability")));
    }
    let failure = table.text("failure_type", i)?;
    Ok(PredictionRow {
        instance_id: table.needed_text("instance_id", i)?,
        workload: table.text("workload", i)?,
        p24,
        level: named(&level).ok_or_else(|| corrupt(format!("`confidence` is `{level}`, which is no level")))?,
        // A kind that a newer forewarn knows is still a prediction.
        failure_type: failure.as_deref().and_then(named),
        ruleset: (table.text("ruleset", i)?.unwrap_or_default(), sha256),
    })
}

/// Reads a name of a closed list.
fn named<T: DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(Value::String(name.to_owned())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_told_by_its_file() {
        let of =
            |name: &str| PredictionFile::of(&Entry { path: format!("predictions/date=2026-01-05/{name}"), size: 1 });
        let round = of("20260105T013000Z-0123456789abcdef-0.1.0-rc.1.parquet").unwrap();
        assert_eq!(forewarn_runtime::time::format_ms(round.as_of), "2026-01-05T01:30:00Z");
        assert_eq!((round.ruleset.as_str(), round.engine.as_str()), ("0123456789abcdef", "0.1.0-rc.1"));
        assert!(round.is_of(&format!("0123456789abcdef{}", "0".repeat(48))) && !round.is_of("0123456789abcdee"));
        let fraction = of("20260105T013000.25Z-0123456789abcdef-1.parquet").unwrap();
        assert_eq!(fraction.as_of - round.as_of, 250);
        let named = round_name(fraction.as_of, &"0123456789abcdef".repeat(4), "1");
        assert_eq!(of(&format!("{named}.parquet")), Some(fraction));
        for other in [
            "x.parquet",
            "20260105T013000Z-0123-1.parquet",
            "2026é105T013000Z-0123456789abcdef-1.parquet",
            "part-0.parquet",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
