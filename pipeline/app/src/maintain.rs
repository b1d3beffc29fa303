//! Maintenance: merges what has become many small files, lets go what is older than what is kept, and looks whether disks have room. It
//! is a part of `run`, a handler on Lambda and a command; each calls the same.

pub mod keep;

use crate::run::supervise::Failure;
use crate::state::State;
use forewarn_history::{CompactOptions, CompactReport, History, PruneReport};
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::disk;
use forewarn_runtime::metrics::{Disk, Kind};
use forewarn_runtime::telemetry::causes;
use forewarn_runtime::time::{DAY_MS, format_ms};
use keep::Keep;
use serde::Serialize;
use std::path::Path;

/// Days and buckets that are merged at a time: others may write to the history in between.
pub const STEP: u64 = 8;
/// How far back new files make many of a day, milliseconds; older days are looked at once a day.
const RECENT_MS: i64 = 3 * DAY_MS;

/// How long what is on its way to an object store may take, milliseconds.
const LEFT_MS: i64 = 2 * DAY_MS;

/// Which days are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Days {
    /// Those that new files come for.
    Recent,
    All,
}

/// What is maintained, and how.
#[derive(Debug, Clone, Copy)]
pub struct Maintenance<'a> {
    /// Where the history is.
    pub history: &'a str,
    /// Everything that is kept beside it.
    pub state: &'a State,
    pub keep: Keep,
    pub ctx: &'a RuntimeContext,
    /// Only says what would be done.
    pub dry_run: bool,
}

/// Pieces that went, or would go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Gone {
    pub pieces: u64,
    pub bytes: u64,
}

/// What retention let go; null where it was not looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Pruned {
    pub history: Option<PruneReport>,
    pub predictions: Option<PruneReport>,
    /// Entries of the log; null where there is no log here, or nothing is known without pruning.
    pub log: Option<u64>,
    /// The time before which entries of the log go.
    pub log_before: Option<String>,
    pub dead_letters: Option<Gone>,
    pub set_aside: Option<Gone>,
    /// Directories that killed processes left of files on their way to an object store.
    pub leftovers: u64,
    /// What failed, in words; the rest was done.
    pub failed: Vec<String>,
}

impl Pruned {
    /// How much went: files, entries, letters, records.
    pub fn pieces(&self) -> u64 {
        let files = [&self.history, &self.predictions].into_iter().flatten().map(|r| r.files);
        let others = [self.dead_letters, self.set_aside].into_iter().flatten().map(|g| g.pieces);
        files.chain(others).sum::<u64>() + self.log.unwrap_or(0) + self.leftovers
    }
}

/// The room of a directory's file system.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Room {
    pub path: String,
    pub free_bytes: u64,
    pub free_share: f64,
    /// Whether it is nearly full.
    pub low: bool,
}

impl Maintenance<'_> {
    /// Looks at the disks of state and history, and tells metrics.
    pub fn look_at_disks(&self) -> Vec<Room> {
        let local = (!self.history.contains("://")).then(|| Path::new(self.history));
        let mut rooms = Vec::new();
        for (of, dir) in [("state", self.state.local()), ("history", local)] {
            let Some((dir, Ok(space))) = dir.map(|dir| (dir, disk::space(dir))) else { continue };
            let path = dir.display().to_string();
            let low = space.share() < self.keep.disk_low;
            let (metrics, bytes) = (&self.ctx.metrics, |n: u64| i64::try_from(n).unwrap_or(i64::MAX));
            metrics.disk_free_bytes.get_or_create(&Disk { of }).set(bytes(space.free));
            metrics.disk_size_bytes.get_or_create(&Disk { of }).set(bytes(space.total));
            let low_bytes = (space.total as f64 * self.keep.disk_low) as i64;
            metrics.disk_low_bytes.get_or_create(&Disk { of }).set(low_bytes);
            rooms.push(Room { path, free_bytes: space.free, free_share: space.share(), low });
        }
        rooms
    }

    /// Merges files of at most [`STEP`] days and buckets that have too many; says what was done, nothing where there is no history.
    pub fn compact(&self, days: Days) -> Result<CompactReport, Failure> {
        let now_ms = self.ctx.clock.now_ms();
        let mut history = History::open_or_create(self.history)?;
        if history.is_fresh() {
            return Ok(CompactReport::default());
        }
        let from_ms = (days == Days::Recent).then_some(now_ms - RECENT_MS);
        let (many, most) = (Some(self.keep.compact_files), Some(STEP));
        let options = CompactOptions { now_ms, from_ms, many, most, ..CompactOptions::default() };
        if self.dry_run {
            return Ok(history.compactable(&options)?);
        }
        Ok(history.writer()?.compact(&options)?)
    }

    /// Lets go what is older or more than what is kept. Where one thing fails the others are done all the same.
    pub fn prune(&self) -> Pruned {
        let mut pruned = Pruned::default();
        let mut failed = Vec::new();
        let mut note = |what: &str, result: Result<(), Failure>| {
            if let Err(e) = result {
                failed.push(format!("{what}: {}", causes(e.as_ref())));
            }
        };
        note("history", self.prune_history(&mut pruned));
        note("predictions", self.prune_predictions(&mut pruned));
        note("log", self.prune_log(&mut pruned));
        note("dead letters", self.prune_dead_letters(&mut pruned));
        note("set aside", self.prune_set_aside(&mut pruned));
        note("leftovers", self.sweep(&mut pruned));
        pruned.failed = failed;
        pruned
    }

    fn prune_history(&self, pruned: &mut Pruned) -> Result<(), Failure> {
        let mut history = History::open_or_create(self.history)?;
        if history.is_fresh() {
            return Ok(());
        }
        let now_ms = self.ctx.clock.now_ms();
        if let Some(before) = self.keep.history_ms.map(|ms| now_ms - ms) {
            let report =
                if self.dry_run { history.prunable(before)? } else { history.writer()?.prune(before, now_ms)? };
            self.count("history_files", report.files);
            pruned.history = Some(report);
        }
        Ok(())
    }

    fn prune_predictions(&self, pruned: &mut Pruned) -> Result<(), Failure> {
        let mut history = History::open_or_create(self.history)?;
        if history.is_fresh() {
            return Ok(());
        }
        let now_ms = self.ctx.clock.now_ms();
        if let Some(before) = self.keep.predictions_ms.map(|ms| now_ms - ms) {
            let report = if self.dry_run {
                history.prunable_predictions(before)?
            } else {
                history.writer()?.prune_predictions(before)?
            };
            self.count("prediction_files", report.files);
            pruned.predictions = Some(report);
        }
        Ok(())
    }

    fn prune_log(&self, pruned: &mut Pruned) -> Result<(), Failure> {
        let now_ms = self.ctx.clock.now_ms();
        let Some(before) = self.keep.log_ms.map(|ms| now_ms - ms).filter(|_| self.state.has_log()) else {
            return Ok(());
        };
        pruned.log_before = Some(format_ms(before));
        if !self.dry_run {
            let at = jiff::Timestamp::from_millisecond;
            let log = self.state.spec().log().open(self.ctx)?;
            log.expire_texts(at(now_ms)?)?;
            let report = log.prune(at(before)?, at(now_ms)?)?;
            if let Some(reader) = &report.waits_for {
                tracing::warn!(reader, "old entries of the log stay until this reader has read them");
            }
            self.count("log_entries", report.entries);
            pruned.log = Some(report.entries);
        }
        Ok(())
    }

    fn prune_dead_letters(&self, pruned: &mut Pruned) -> Result<(), Failure> {
        let now_ms = self.ctx.clock.now_ms();
        let gone = self.state.dead(self.history)?.prune(self.keep.dead_letters, now_ms, self.dry_run)?;
        self.count("dead_letters", gone.len() as u64);
        pruned.dead_letters = Some(Gone {
            pieces: gone.len() as u64,
            bytes: gone.iter().map(|l| l.kept.raw().map_or(0, |raw| raw.len() as u64)).sum(),
        });
        Ok(())
    }

    fn prune_set_aside(&self, pruned: &mut Pruned) -> Result<(), Failure> {
        let now_ms = self.ctx.clock.now_ms();
        let gone = self.state.aside(self.history)?.prune(self.keep.set_aside, now_ms, self.dry_run)?;
        self.count("set_aside", gone.len() as u64);
        pruned.set_aside = Some(Gone { pieces: gone.len() as u64, bytes: gone.iter().map(|r| r.bytes).sum() });
        Ok(())
    }

    fn sweep(&self, pruned: &mut Pruned) -> Result<(), Failure> {
        if !self.dry_run {
            let before = self.ctx.clock.now_ms() - LEFT_MS;
            pruned.leftovers = forewarn_history::sweep(&std::env::temp_dir(), before)?;
        }
        Ok(())
    }

    /// Counts what went and says so.
    fn count(&self, kind: &'static str, pieces: u64) {
        if pieces > 0 && !self.dry_run {
            self.ctx.metrics.pruned.get_or_create(&Kind { kind }).inc_by(pieces);
            tracing::info!(kind, pieces, "older than what is kept, and gone");
        }
    }
}
