//! Answers small questions without reading samples: the range of time, the instances, the metrics.

use super::History;
use super::constant::time_range;
use super::error::Result;
use super::read::{RunReader, Want, open_metadata};
use std::collections::{BTreeMap, BTreeSet};

impl History {
    /// Gives the first and last time, from the statistics of the first and last day; none when there is no sample.
    pub fn time_range(&self) -> Result<Option<(i64, i64)>> {
        let files = self.metric_files(None, i64::MIN, i64::MAX)?;
        let (Some(first), Some(last)) = (files.first(), files.last()) else { return Ok(None) };
        let ends = [first.partition.day, last.partition.day];
        let mut range: Option<(i64, i64)> = None;
        for file in files.iter().filter(|f| ends.contains(&f.partition.day)) {
            let open = self.store().open_file(&file.entry)?;
            let meta = open_metadata(&self.store().describe(&file.entry.path), &open)?;
            for (from, to) in meta.metadata().row_groups().iter().filter_map(time_range) {
                range = Some(range.map_or((from, to), |(a, b)| (a.min(from), b.max(to))));
            }
        }
        Ok(range)
    }

    /// Lists the instances with samples in `[from_ms, to_ms)`, as far as whole row groups tell: one whose samples
    /// lie outside, though near, may be among them.
    pub fn instances_in(&self, from_ms: i64, to_ms: i64) -> Result<BTreeSet<String>> {
        Ok(self.instances_by_day(from_ms, to_ms)?.into_values().flatten().collect())
    }

    /// Lists the instances with samples in `[from_ms, to_ms)`, as far as whole row groups tell, by the day since the epoch.
    pub fn instances_by_day(&self, from_ms: i64, to_ms: i64) -> Result<BTreeMap<i64, BTreeSet<String>>> {
        let mut found: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
        self.for_each_key(from_ms, to_ms, |day, reader| {
            let instances = found.entry(day).or_default();
            if !instances.contains(&reader.key().instance_id) {
                instances.insert(reader.key().instance_id.clone());
            }
        })?;
        Ok(found)
    }

    /// Counts the rows of every metric, by namespace and name, without reading times and values.
    pub fn series(&self) -> Result<BTreeMap<(String, String), u64>> {
        let mut found: BTreeMap<(String, String), u64> = BTreeMap::new();
        self.for_each_key(i64::MIN, i64::MAX, |_, reader| {
            let key = reader.key();
            let rows = reader.run_len() as u64;
            *found.entry((key.namespace.clone(), key.metric.clone())).or_default() += rows;
        })?;
        Ok(found)
    }

    fn for_each_key(&self, from_ms: i64, to_ms: i64, mut take: impl FnMut(i64, &RunReader)) -> Result<()> {
        let want = Want { time: Some(from_ms..to_ms), keys_only: true, ..Want::default() };
        for file in self.metric_files(None, from_ms, to_ms)? {
            let open = self.store().open_file(&file.entry)?;
            let reader = RunReader::open(self.store().describe(&file.entry.path), open, want.clone())?;
            if let Some(mut reader) = reader {
                loop {
                    take(file.partition.day, &reader);
                    if !reader.advance()? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}
