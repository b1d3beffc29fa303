//! Gathers evidence: the features of each instance at one time, in which no other instance has a part. Threads and shards gather parts of
//! a fleet, which join into the whole in whatever order they come.

use crate::error::AnalyzeError;
use crate::fleet::Fleet;
use crate::gather::SeriesCollector;
use crate::shard::Shard;
use forewarn_domain::signal_map::SignalMap;
use forewarn_history::{History, ScanOptions};
use forewarn_rules::grid::reach;
use forewarn_rules::instance::{InstanceRow, RowBuilder};
use forewarn_rules::predict::Identity;
use forewarn_rules::prior::PriorFrom;
use forewarn_rules::ruleset::RuleSet;
use forewarn_runtime::threads::Threads;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often a history that is pruned while it is read is read from the beginning.
const READ_AGAIN: usize = 5;

/// What is looked at, and when.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub history: &'a History,
    /// Its levels decide what features count.
    pub ruleset: &'a RuleSet,
    /// Which metrics feed which signals.
    pub map: &'a SignalMap,
    /// What is known of instances beside their metrics.
    pub fleet: &'a Fleet,
    /// The time, milliseconds.
    pub as_of: i64,
    /// How often the fleet fails, or where that is to be seen.
    pub prior: &'a PriorFrom,
    /// How many buckets are read at a time.
    pub threads: Threads,
}

/// Whose evidence is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    Everybody,
    Instance(&'a str),
    Shard(Shard),
}

/// What the metrics of some instances say at one time.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Each instance's features and to whom it belongs, by its id.
    pub rows: BTreeMap<String, (InstanceRow, Identity)>,
    pub samples: SampleCounts,
}

/// Samples that were looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleCounts {
    /// Those that a signal reads.
    pub read: u64,
    /// Those of metrics that no signal reads, by name.
    pub unused: BTreeMap<String, u64>,
    /// Those that their signal can't have, by the name of the metric.
    pub outside: BTreeMap<String, u64>,
}

impl Evidence {
    /// Adds what another part of the fleet says.
    pub fn join(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.samples.read += other.samples.read;
        let SampleCounts { unused, outside, .. } = other.samples;
        for (sum, part) in [(&mut self.samples.unused, unused), (&mut self.samples.outside, outside)] {
            for (name, n) in part {
                *sum.entry(name).or_default() += n;
            }
        }
    }
}

impl Look<'_> {
    /// Gathers evidence as of one moment: where days were pruned or a file went away meanwhile, all of it is read again. `progress` is
    /// told how many buckets of how many are done.
    ///
    /// # Errors
    /// When the history does not read.
    pub fn gather(&self, whose: Whose<'_>, mut progress: impl FnMut(u64, u64)) -> Result<Evidence, AnalyzeError> {
        for _ in 0..READ_AGAIN {
            let kept_from = self.history.kept_from()?;
            match self.gather_once(whose, &mut progress) {
                Err(AnalyzeError::History(e)) if e.is_gone() => {}
                done if self.history.kept_from()? == kept_from => return done,
                Ok(_) | Err(_) => {}
            }
        }
        self.gather_once(whose, &mut progress)
    }

    fn gather_once(&self, whose: Whose<'_>, progress: &mut impl FnMut(u64, u64)) -> Result<Evidence, AnalyzeError> {
        let (buckets, only) = match whose {
            Whose::Everybody => ((0..self.history.buckets()).collect(), None),
            Whose::Instance(id) => (vec![self.history.bucket_of(id)], Some(id)),
            Whose::Shard(shard) => ((0..self.history.buckets()).filter(|b| shard.has(*b)).collect(), None),
        };
        let mut evidence = Evidence::default();
        let of_bucket = |at: usize| self.of_bucket(buckets[at], only);
        self.threads.in_order(buckets.len(), of_bucket, |at, part| {
            evidence.join(part);
            progress(at as u64 + 1, buckets.len() as u64);
            Ok(())
        })?;
        Ok(evidence)
    }

    fn of_bucket(&self, bucket: u16, only: Option<&str>) -> Result<Evidence, AnalyzeError> {
        let Self { history, ruleset, map, fleet, as_of, .. } = *self;
        let mut builder = RowBuilder::new(ruleset.feature_settings(), history.delay_ms()).with_sparks();
        let mut rows = BTreeMap::new();
        let mut gather = SeriesCollector::new(map, history.delay_ms(), |g| {
            let attributes = fleet.attributes(g.instance_id);
            let row = builder.row(&builder.prepare(g.tracks, attributes, as_of, as_of), attributes, as_of);
            let identity = fleet.identity(g.instance_id, g.account, g.region);
            rows.insert(g.instance_id.to_owned(), (row, identity));
            Ok(())
        })
        .known_at(as_of);
        let options =
            ScanOptions { from_ms: Some(reach(as_of)), to_ms: Some(as_of), instance: only.map(str::to_owned) };
        history.scan_with(bucket, &options, &mut gather)?;
        let SeriesCollector { samples: read, unused, outside, .. } = gather;
        Ok(Evidence { rows, samples: SampleCounts { read, unused, outside } })
    }
}
