//! Checks that the log is whole and unaltered: every entry in the order of all, and what the table says of it elsewhere.

use super::super::checkpoint::Checkpoint;
use super::super::event::Event;
use super::super::event::pruned::LogPruned;
use super::super::port::{LogError, Recorded};
use super::super::report::{Fault, VerifyReport};
use super::super::walk::Walk;
use super::api::Api;
use super::item::{self, Item, Key};
use super::pruned::Pruned;
use super::signs::{Place, Tail};
use super::{cursors, read, snapshot};
use std::collections::BTreeMap;

/// Entries checked at a time: each has two further items, and `BatchGetItem` takes a hundred.
const PAGE: usize = 50;

/// Checks the log as it is now, from the first entry on, until something is wrong; what is appended meanwhile is left for the next time.
/// What is pruned meanwhile makes the check begin again, at the new checkpoint.
pub(super) fn verify(api: &Api) -> Result<VerifyReport, LogError> {
    Pruned::steady(api, |pruned| from(api, pruned))
}

fn from(api: &Api, pruned: Option<&Pruned>) -> Result<VerifyReport, LogError> {
    let head = read::head(api)?;
    let mut fault = None;
    let checkpoint = match pruned.map(|p| snapshot::checkpoint(api, p)).transpose() {
        Ok(checkpoint) => checkpoint,
        Err(damage) => {
            fault = Some(fault_of(damage)?);
            None
        }
    };
    let mut check = Check::new(head.position, checkpoint.as_ref());
    let start = check.walk.position;
    while fault.is_none() && check.walk.position < head.position {
        let left = usize::try_from(head.position - check.walk.position).unwrap_or(PAGE);
        let run = read::all(api, check.walk.position + 1, left.min(PAGE))?;
        fault = check.page(api, &run.entries)?;
        if fault.is_none() {
            fault = run.damage.map(fault_of).transpose()?;
        }
    }
    if fault.is_none() && check.walk.hash != head.hash {
        let what = format!("its hash is {}, but the head of the log says {}", check.walk.hash, head.hash);
        fault = Some(Fault { position: head.position, what });
    }
    if fault.is_none() {
        fault = check.tails(api)?;
    }
    if fault.is_none() {
        let what = Checkpoint::fault(check.pruned.as_ref(), checkpoint.as_ref());
        fault = what.map(|what| Fault { position: start, what });
    }
    if fault.is_none() {
        fault = check.cursors(api)?;
    }
    Ok(VerifyReport {
        entries: check.walk.position - start,
        checkpoint,
        streams: check.walk.versions.len() as u64,
        hash: check.walk.hash,
        unknown: check.unknown,
        fault,
    })
}

/// Damage is what was looked for; anything else ends the check.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever else went wrong, nothing was found out")]
fn fault_of(damage: LogError) -> Result<Fault, LogError> {
    match damage {
        LogError::Corrupt { position, what } => Ok(Fault { position, what }),
        other => Err(other),
    }
}

/// How far a check has come.
struct Check {
    walk: Walk,
    /// The head when it began.
    until: u64,
    /// The position of each stream's last entry.
    last: BTreeMap<String, u64>,
    unknown: BTreeMap<String, u64>,
    /// What the last entry about a pruning says.
    pruned: Option<LogPruned>,
}

impl Check {
    fn new(until: u64, checkpoint: Option<&Checkpoint>) -> Self {
        Self {
            walk: Checkpoint::walk(checkpoint),
            until,
            last: BTreeMap::new(),
            unknown: BTreeMap::new(),
            pruned: None,
        }
    }

    /// Goes past entries as long as they are good.
    fn page(&mut self, api: &Api, entries: &[Recorded]) -> Result<Option<Fault>, LogError> {
        let elsewhere = |e: &Recorded| [Key::in_stream(&e.stream, e.version), Key::of_id(&e.envelope.id)];
        let found = api.get_many(&entries.iter().flat_map(elsewhere).collect::<Vec<_>>(), "check entries")?;
        for entry in entries {
            let position = entry.position;
            let event = match self.walk.check(entry) {
                Ok(event) => event,
                Err(what) => return Ok(Some(Fault { position, what })),
            };
            let [in_stream, of_id] = elsewhere(entry).map(|key| found.get(&key));
            if let Some(what) = copy_fault(entry, in_stream).or_else(|| id_fault(entry, of_id)) {
                return Ok(Some(Fault { position, what }));
            }
            if let Event::Unknown { type_, .. } = event {
                *self.unknown.entry(type_).or_default() += 1;
            } else if let Event::LogPruned(pruned) = event {
                self.pruned = Some(pruned);
            }
            self.walk.pass(entry);
            self.last.insert(entry.stream.clone(), position);
        }
        Ok(None)
    }

    /// A reader cannot be ahead of the log, unless the log has lost its end.
    fn cursors(&self, api: &Api) -> Result<Option<Fault>, LogError> {
        for (name, position) in cursors::each(api)? {
            let head = self.walk.position;
            if position > head && position > read::head(api)?.position {
                let what = format!(
                    "cursor {name:?} stands at {position}, past the head {head}: the end of the log is missing"
                );
                return Ok(Some(Fault { position: head + 1, what }));
            }
        }
        Ok(None)
    }

    /// Every stream must end where its last entry is, or later if it was appended to meanwhile.
    fn tails(&self, api: &Api) -> Result<Option<Fault>, LogError> {
        let streams: Vec<(&String, &u64)> = self.last.iter().collect();
        for part in streams.chunks(2 * PAGE) {
            let keys: Vec<Key> = part.iter().map(|(stream, _)| Key::in_stream(stream, 0)).collect();
            let found = api.get_many(&keys, "check streams")?;
            for ((stream, last), key) in part.iter().zip(&keys) {
                let version = self.walk.versions.get(*stream).copied().unwrap_or(0);
                let tail = match Tail::read(found.get(key)) {
                    Ok(tail) => tail,
                    Err(damage) => return fault_of(damage).map(Some),
                };
                if tail.position <= self.until && tail != (Tail { version, position: **last }) {
                    let what = format!(
                        "its stream {stream:?} ends with it as version {version}, but is said to end with entry {} as version {}",
                        tail.position, tail.version
                    );
                    return Ok(Some(Fault { position: **last, what }));
                }
            }
        }
        Ok(None)
    }
}

/// Says what is wrong with the entry as it stands in its stream.
fn copy_fault(entry: &Recorded, item: Option<&Item>) -> Option<String> {
    let Some(item) = item else { return Some(format!("it is missing in its stream {:?}", entry.stream)) };
    match item::recorded(item) {
        Ok(copy) if copy == *entry => None,
        Ok(_) => Some(format!("it stands otherwise in its stream {:?}", entry.stream)),
        Err(LogError::Corrupt { what, .. }) => Some(format!("in its stream {:?}: {what}", entry.stream)),
        Err(e) => Some(format!("in its stream {:?}: {e}", entry.stream)),
    }
}

/// Says what is wrong with the item of its id.
fn id_fault(entry: &Recorded, item: Option<&Item>) -> Option<String> {
    let Some(item) = item else {
        return Some("its id is missing, so that its event could be written again".to_owned());
    };
    match Place::read(item) {
        Ok(p) if (&p.stream, p.version, p.position) == (&entry.stream, entry.version, entry.position) => None,
        Ok(p) => Some(format!("its id leads to entry {}", p.position)),
        Err(_) => Some("its id leads nowhere".to_owned()),
    }
}
