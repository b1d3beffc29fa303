//! A lease in a cell.

use super::LeaseError;
use crate::cells::{Cell, CellError, Cells};
use crate::clock::{Clock, SystemClock};
use crate::interrupt::Interrupt;
use crate::time::format_ms;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// How long a lease holds by itself, milliseconds: so long others wait for a process that was killed.
pub const FOR_MS: i64 = 60_000;
/// How often it is made to last, milliseconds: twice it may fail.
const KEEP_MS: u64 = 20_000;

/// What the cell holds. The epoch stands first: a [`Guard`] knows the text by its beginning.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Text {
    /// Counts the takings.
    epoch: u64,
    /// Empty where it was given back.
    holder: String,
    until_ms: i64,
}

/// What tells a store that a lease is still the one that it was: the cell's text begins so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    pub cell: String,
    pub begins: String,
}

#[derive(Debug)]
pub(super) struct CellLease {
    shared: Arc<Shared>,
    end: Interrupt,
    keeper: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    cells: Arc<dyn Cells>,
    clock: Arc<dyn Clock>,
    name: String,
    text: Text,
    /// The cell as it was last put.
    seen: Mutex<Cell>,
    until_ms: AtomicI64,
    lost: AtomicBool,
}

fn encode(name: &str, text: &Text) -> Result<String, CellError> {
    serde_json::to_string(text).map_err(|e| unread(name, e))
}

fn unread(name: &str, e: serde_json::Error) -> CellError {
    CellError { place: name.to_owned(), doing: "read a lease", source: e.into() }
}

impl CellLease {
    pub(super) fn take(
        cells: &Arc<dyn Cells>,
        part: &str,
        holder: &str,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, LeaseError> {
        let name = format!("lease/{part}");
        let now = clock.now_ms();
        let seen = cells.get(&name)?;
        let before: Option<Text> =
            seen.as_ref().map(|c| serde_json::from_str(&c.text)).transpose().map_err(|e| unread(&name, e))?;
        if let Some(text) = before.as_ref().filter(|t| !t.holder.is_empty() && t.until_ms > now) {
            return Err(held(&name, text));
        }
        let epoch = before.map_or(0, |t| t.epoch) + 1;
        let text = Text { epoch, holder: holder.to_owned(), until_ms: now + FOR_MS };
        let encoded = encode(&name, &text)?;
        if !cells.put(&name, &encoded, seen.as_ref())? {
            return Err(held(&name, &Text { holder: "who came first".to_owned(), ..text }));
        }
        let cell = Cell { text: encoded, revision: seen.map_or(0, |c| c.revision) + 1 };
        let shared = Arc::new(Shared {
            cells: Arc::clone(cells),
            clock: Arc::clone(clock),
            name,
            until_ms: AtomicI64::new(text.until_ms),
            text,
            seen: Mutex::new(cell),
            lost: AtomicBool::new(false),
        });
        let end = Interrupt::default();
        let keeper = keep(&shared, &end);
        Ok(Self { shared, end, keeper })
    }

    pub(super) fn check(&self) -> Result<(), LeaseError> {
        let shared = &self.shared;
        let over = shared.clock.now_ms() >= shared.until_ms.load(Ordering::SeqCst);
        // What ran out may be had still, where nobody has come.
        if shared.lost.load(Ordering::SeqCst) || over && !shared.prolong()? {
            return Err(LeaseError::Lost { name: shared.name.clone() });
        }
        Ok(())
    }

    pub(super) fn guard(&self) -> Guard {
        Guard { cell: self.shared.name.clone(), begins: begins(&self.shared.text) }
    }
}

/// Gives what a lease's text begins with, as long as it is the same taking.
fn begins(text: &Text) -> String {
    format!("{{\"epoch\":{},", text.epoch)
}

fn held(name: &str, text: &Text) -> LeaseError {
    LeaseError::HeldElsewhere { name: name.to_owned(), holder: text.holder.clone(), until: format_ms(text.until_ms) }
}

/// Makes the lease last, from a thread of its own, until it is given back. Without one it holds as long as it holds.
fn keep(shared: &Arc<Shared>, end: &Interrupt) -> Option<JoinHandle<()>> {
    let (shared, end) = (Arc::clone(shared), end.clone());
    let keeper = move || {
        // By the system's time, whatever clock says when it runs out: waiting must not move a clock that somebody else holds.
        while SystemClock.pause(KEEP_MS, &end) && !shared.lost.load(Ordering::SeqCst) {
            if let Err(e) = shared.prolong() {
                tracing::warn!(lease = shared.name, error = %e, "could not make a lease last; it is tried again");
            }
        }
    };
    let spawned = std::thread::Builder::new().name("lease".to_owned()).spawn(keeper);
    spawned.inspect_err(|e| tracing::warn!(error = %e, "no thread makes a lease last")).ok()
}

impl Shared {
    /// Makes it last; says whether it is still ours.
    fn prolong(&self) -> Result<bool, CellError> {
        let until_ms = self.clock.now_ms() + FOR_MS;
        let ours = self.replace(&Text { until_ms, ..self.text.clone() })?;
        if ours {
            self.until_ms.store(until_ms, Ordering::SeqCst);
        } else {
            self.lost.store(true, Ordering::SeqCst);
        }
        Ok(ours)
    }

    fn replace(&self, text: &Text) -> Result<bool, CellError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let encoded = encode(&self.name, text)?;
        let mut done = self.cells.put(&self.name, &encoded, Some(&seen))?;
        if !done {
            // It may be one of ours that stands there, whose answer was lost.
            let ours = self.cells.get(&self.name)?.filter(|there| there.text.starts_with(&begins(&self.text)));
            let Some(ours) = ours else { return Ok(false) };
            done = self.cells.put(&self.name, &encoded, Some(&ours))?;
            *seen = ours;
        }
        if done {
            *seen = Cell { text: encoded, revision: seen.revision + 1 };
        }
        Ok(done)
    }
}

/// Gives it back: whoever comes next need not wait until it runs out.
impl Drop for CellLease {
    fn drop(&mut self) {
        self.end.raise();
        if let Some(keeper) = self.keeper.take()
            && keeper.join().is_err()
        {
            tracing::warn!(lease = self.shared.name, "what makes a lease last has panicked");
        }
        if !self.shared.lost.load(Ordering::SeqCst)
            && let Err(e) =
                self.shared.replace(&Text { holder: String::new(), until_ms: 0, ..self.shared.text.clone() })
        {
            tracing::warn!(lease = self.shared.name, error = %e, "could not give a lease back; it runs out by itself");
        }
    }
}
