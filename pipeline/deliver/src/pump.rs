//! Moves announcements from the log to one bus, and its cursor after them.

use crate::announcement::Announcement;
use crate::bus::{Bus, BusError, Published};
use crate::freshness::{Backlog, Fate, mark};
use forewarn_log::{Cursors, EventLog, Filter, LogError};
use forewarn_runtime::failpoint;
use serde::Serialize;
use std::collections::BTreeSet;

/// Entries read, and at most announced, between two moves of the cursor.
pub const PAGE: usize = 256;

/// Says what a pump did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PumpReport {
    /// Entries read.
    pub read: u64,
    /// Announcements published.
    pub sent: u64,
    /// Announcements that the bus had already.
    pub skipped: u64,
    /// Announcements that the bus refused for good and that were set aside.
    pub parked: u64,
    /// Announcements that were published with their age, being no longer news.
    pub stale: u64,
    /// Announcements that were left out: no longer news, and of an episode that is over.
    pub superseded: u64,
    /// Where the cursor stands now.
    pub position: u64,
}

/// Explains why a pump stopped; what it did so far holds, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum PumpError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// From when on what is announced is no longer news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    pub now_ms: i64,
    /// How old news may be, milliseconds.
    pub stale_after_ms: i64,
}

impl Horizon {
    /// Gives the age of an announcement that is no longer news, seconds.
    pub fn age_s(&self, announcement: &Announcement) -> Option<i64> {
        match Backlog::new(self.now_ms, self.stale_after_ms).fate(0, announcement) {
            Fate::Stale(age_s) => Some(age_s),
            Fate::Announce | Fate::Superseded => None,
        }
    }
}

/// Publishes everything after the cursor that `filter` chooses and that has a detail-type, in its order, then moves the cursor.
///
/// # Errors
/// When the log or the bus fails, or an entry was written by a newer forewarn: the cursor stays before it.
pub fn pump<L: EventLog + Cursors + ?Sized>(
    log: &L,
    cursor: &str,
    bus: &mut dyn Bus,
    filter: &Filter,
) -> Result<PumpReport, PumpError> {
    pump_fresh(log, cursor, bus, filter, None)
}

/// Does as [`pump`]; where a horizon is given, what is news goes first, what is older says so, and what is older and over is left out.
///
/// The bus must remember what it took until it has [caught up](Bus::caught_up): what goes first lies behind the cursor's place.
///
/// # Errors
/// As [`pump`].
pub fn pump_fresh<L: EventLog + Cursors + ?Sized>(
    log: &L,
    cursor: &str,
    bus: &mut dyn Bus,
    filter: &Filter,
    horizon: Option<Horizon>,
) -> Result<PumpReport, PumpError> {
    let mut pump = Pump { log, filter, backlog: None, ahead: BTreeSet::new(), report: PumpReport::default() };
    pump.report.position = log.cursor(cursor)?;
    if let Some(horizon) = horizon {
        pump.look_ahead(bus, horizon)?;
    }
    loop {
        let (last, due) = pump.page(pump.report.position)?;
        let Some((last, read)) = last else { break };
        failpoint::point("emit.read");
        pump.send(bus, due)?;
        failpoint::point("emit.published");
        log.advance(cursor, last)?;
        failpoint::point("emit.cursor_moved");
        pump.report.read += read;
        pump.report.position = last;
    }
    bus.caught_up()?;
    Ok(pump.report)
}

/// An announcement with the position of its entry.
type Due = (u64, Announcement);
/// The position of the last entry of a page, and how many it has; none where there is nothing more.
type Read = Option<(u64, u64)>;

struct Pump<'a, L: ?Sized> {
    log: &'a L,
    filter: &'a Filter,
    /// What is known of the backlog, where some of it is old.
    backlog: Option<Backlog>,
    /// The positions of what went ahead.
    ahead: BTreeSet<u64>,
    report: PumpReport,
}

impl<L: EventLog + ?Sized> Pump<'_, L> {
    /// Reads the next page after a position.
    fn page(&self, after: u64) -> Result<(Read, Vec<Due>), PumpError> {
        // The head is one small read, wherever the log is; entries are read only where there are any.
        if self.log.head()? <= after {
            return Ok((None, Vec::new()));
        }
        let page = self.log.read_all(after, PAGE)?;
        let mut due = Vec::new();
        for entry in page.iter().filter(|e| self.filter.matches(e)) {
            let position = entry.position;
            let announcement = Announcement::of(entry).map_err(|source| LogError::Decode { position, source })?;
            due.extend(announcement.map(|a| (position, a)));
        }
        Ok((page.last().map(|e| (e.position, page.len() as u64)), due))
    }

    /// Walks through everything that is due without moving the cursor.
    fn walk(&mut self, mut each: impl FnMut(&mut Self, Vec<Due>) -> Result<(), PumpError>) -> Result<(), PumpError> {
        let mut after = self.report.position;
        while let (Some((last, _)), due) = self.page(after)? {
            each(self, due)?;
            after = last;
        }
        Ok(())
    }

    /// Looks through all that is due, and where it begins with what is old publishes first what is news in it. What is appended
    /// meanwhile comes in its own order.
    fn look_ahead(&mut self, bus: &mut dyn Bus, horizon: Horizon) -> Result<(), PumpError> {
        let mut backlog = Backlog::new(horizon.now_ms, horizon.stale_after_ms);
        let mut noted = 0;
        self.walk(|_, due| {
            for (position, announcement) in &due {
                backlog.note(*position, announcement);
                noted = *position;
            }
            Ok(())
        })?;
        if !backlog.is_stale() {
            return Ok(());
        }
        let two_ages = backlog.has_two_ages();
        self.backlog = Some(backlog);
        if two_ages {
            self.walk(|pump, mut due| {
                due.retain(|(at, a)| *at <= noted && pump.backlog.as_ref().is_some_and(|b| b.goes_ahead(a)));
                let positions: Vec<u64> = due.iter().map(|d| d.0).collect();
                pump.send(bus, due)?;
                pump.ahead.extend(positions);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Publishes what is due of a page, but for what went ahead.
    fn send(&mut self, bus: &mut dyn Bus, due: Vec<Due>) -> Result<(), PumpError> {
        let mut batch = Vec::new();
        for (position, announcement) in due.into_iter().filter(|(position, _)| !self.ahead.contains(position)) {
            let fate = self.backlog.as_ref().map_or(Fate::Announce, |b| b.fate(position, &announcement));
            match fate {
                Fate::Announce => batch.push(announcement),
                Fate::Stale(age_s) => {
                    self.report.stale += 1;
                    batch.push(mark(announcement, age_s));
                }
                Fate::Superseded => self.report.superseded += 1,
            }
        }
        let published = if batch.is_empty() { Published::default() } else { bus.publish(&batch)? };
        self.report.sent += published.sent;
        self.report.skipped += published.skipped;
        self.report.parked += published.parked;
        Ok(())
    }
}
