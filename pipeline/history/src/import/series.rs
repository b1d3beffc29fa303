//! Gives every series of an import a number, and fills in what the input does not say about it.

use super::options::ImportOptions;
use super::period::GapTable;
use crate::{SeriesKey, bucket_of};
use forewarn_domain::signal::source_of;
use std::collections::HashMap;

/// Stands for a period that is not known yet.
pub(super) const UNKNOWN_PERIOD: i32 = 0;

/// The longest id or name taken, in characters.
const LONGEST: usize = 256;

/// What a row says about its series; what it does not say is none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SeriesFields<'a> {
    pub(super) instance_id: Option<&'a str>,
    pub(super) metric: Option<&'a str>,
    pub(super) namespace: Option<&'a str>,
    pub(super) stat: Option<&'a str>,
    pub(super) device: Option<&'a str>,
    pub(super) account: Option<&'a str>,
    pub(super) region: Option<&'a str>,
    pub(super) period_s: Option<i64>,
}

/// The text fields of [`SeriesFields`], by their names as columns.
pub(super) const SERIES_COLUMNS: [&str; 7] =
    ["instance_id", "metric", "namespace", "stat", "device", "account", "region"];

/// Where the instance stands in [`SERIES_COLUMNS`].
pub(super) const INSTANCE: usize = 0;
/// Where the device does.
pub(super) const DEVICE: usize = 4;

/// What all rows of a file have in common, in the order of [`SERIES_COLUMNS`].
pub(super) type Constants = [Option<String>; SERIES_COLUMNS.len()];

impl<'a> SeriesFields<'a> {
    /// Takes the texts in the order of [`SERIES_COLUMNS`].
    pub(super) fn from_texts(texts: [Option<&'a str>; 7], period_s: Option<i64>) -> Self {
        let [instance_id, metric, namespace, stat, device, account, region] = texts;
        Self { instance_id, metric, namespace, stat, device, account, region, period_s }
    }
}

/// The series of an import, by number in order of appearance.
#[derive(Debug)]
pub(super) struct SeriesTable {
    defaults: ImportOptions,
    buckets: u16,
    numbers: HashMap<SeriesKey, u32>,
    keys: Vec<SeriesKey>,
    bucket: Vec<u16>,
    rows: Vec<u64>,
    gaps: GapTable,
}

impl SeriesTable {
    pub(super) fn new(options: &ImportOptions, buckets: u16) -> Self {
        Self {
            defaults: options.clone(),
            buckets,
            numbers: HashMap::new(),
            keys: Vec::new(),
            bucket: Vec::new(),
            rows: Vec::new(),
            gaps: GapTable::default(),
        }
    }

    /// Finds or gives the number of a series; fails with the fault.
    pub(super) fn number(&mut self, said: SeriesFields<'_>) -> Result<u32, String> {
        let key = self.key_of(said)?;
        if let Some(&number) = self.numbers.get(&key) {
            return Ok(number);
        }
        let number = u32::try_from(self.keys.len()).map_err(|_| "more than 2^32 series".to_owned())?;
        self.bucket.push(bucket_of(&key.instance_id, self.buckets));
        self.rows.push(0);
        self.gaps.add(key.period_s == UNKNOWN_PERIOD);
        self.keys.push(key.clone());
        self.numbers.insert(key, number);
        Ok(number)
    }

    fn key_of(&self, said: SeriesFields<'_>) -> Result<SeriesKey, String> {
        let given = &self.defaults;
        let pick = |said: Option<&str>, option: &Option<String>| -> Option<String> {
            said.filter(|s| !s.is_empty()).map(str::to_owned).or_else(|| option.clone())
        };
        let instance_id = checked("instance_id", pick(said.instance_id, &given.instance))?;
        let metric = checked("metric", pick(said.metric, &given.metric))?;
        let named = pick(said.namespace, &given.namespace);
        let source = source_of(named.as_deref(), &metric);
        let namespace = named.unwrap_or_else(|| source.map_or("custom", |s| s.namespace).to_owned());
        let stat = pick(said.stat, &given.stat).unwrap_or_else(|| source.map_or("Average", |s| s.stat).to_owned());
        let unknown = || "unknown".to_owned();
        let period = said.period_s.or_else(|| given.period_s.map(i64::from));
        let period_s = match period {
            None => UNKNOWN_PERIOD,
            Some(p) => i32::try_from(p)
                .ok()
                .filter(|p| (1..=86_400).contains(p))
                .ok_or_else(|| format!("the period {p} is not between 1 and 86400 seconds"))?,
        };
        Ok(SeriesKey {
            instance_id,
            metric,
            namespace: checked("namespace", Some(namespace))?,
            stat: checked("stat", Some(stat))?,
            device: pick(said.device, &given.device).map(|d| checked("device", Some(d))).transpose()?,
            account: checked("account", Some(pick(said.account, &given.account).unwrap_or_else(unknown)))?,
            region: checked("region", Some(pick(said.region, &given.region).unwrap_or_else(unknown)))?,
            period_s,
        })
    }

    /// Notes samples of a series.
    pub(super) fn count(&mut self, series: u32, ts: &[i64]) {
        self.rows[series as usize] += ts.len() as u64;
        self.gaps.count(series, ts);
    }

    pub(super) fn keys(&self) -> &[SeriesKey] {
        &self.keys
    }

    pub(super) fn rows(&self) -> &[u64] {
        &self.rows
    }

    pub(super) fn gaps(&self) -> &GapTable {
        &self.gaps
    }

    pub(super) fn bucket(&self, series: u32) -> u16 {
        self.bucket[series as usize]
    }

    /// Ranks the series known so far as files order them.
    pub(super) fn ranks(&self) -> Ranks {
        let mut order: Vec<u32> = (0..self.keys.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| self.keys[a as usize].cmp(&self.keys[b as usize]));
        let mut ranks = Ranks { rank: vec![0; order.len()], group: vec![0; order.len()] };
        let mut group = 0;
        for (i, &series) in order.iter().enumerate() {
            if i > 0 && self.keys[order[i - 1] as usize].sort_group() != self.keys[series as usize].sort_group() {
                group += 1;
            }
            ranks.rank[series as usize] = i as u32;
            ranks.group[series as usize] = group;
        }
        ranks
    }
}

/// The place of each series in the order of files.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    /// By the whole key.
    pub(super) rank: Vec<u32>,
    /// By the columns that files are sorted by before the time.
    pub(super) group: Vec<u32>,
}

fn checked(column: &str, text: Option<String>) -> Result<String, String> {
    let Some(text) = text.filter(|t| !t.trim().is_empty()) else { return Err(format!("{column} is empty")) };
    let length = text.chars().count();
    if length > LONGEST {
        return Err(format!("{column} is {length} characters long; at most {LONGEST} are taken"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{column} `{}` has control characters", text.escape_debug()));
    }
    Ok(text)
}
