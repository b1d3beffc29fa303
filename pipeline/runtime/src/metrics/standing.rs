//! How it stands with each of several remote things of a kind (accounts, queues, buses): when it last did its work, through what time
//! its work is done, and whether it fails now.

use super::Level;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What may be a label here.
pub trait Label: EncodeLabelSet + Clone + std::fmt::Debug + Ord + Hash + Send + Sync + 'static {}

impl<L: EncodeLabelSet + Clone + std::fmt::Debug + Ord + Hash + Send + Sync + 'static> Label for L {}

/// Times by label whose ages are computed when somebody reads them: what nobody moves on grows old, even where its thread is stuck.
#[derive(Debug, Clone)]
pub struct Ages<L>(Arc<Mutex<BTreeMap<L, i64>>>);

impl<L> Default for Ages<L> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<L: Label> Ages<L> {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<L, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves a time on, or back.
    pub fn set(&self, label: L, at_ms: i64) {
        self.lock().insert(label, at_ms);
    }

    /// Lets an age begin where there is none yet.
    pub fn begin(&self, label: L, at_ms: i64) {
        self.lock().entry(label).or_insert(at_ms);
    }

    /// Forgets a label.
    pub fn remove(&self, label: &L) {
        self.lock().remove(label);
    }

    /// Gives the time that is kept for a label.
    pub fn get(&self, label: &L) -> Option<i64> {
        self.lock().get(label).copied()
    }

    /// Gives the oldest time of all labels.
    pub fn oldest(&self) -> Option<i64> {
        self.lock().values().min().copied()
    }

    /// Gives the ages at a time, in seconds; what lies ahead has none.
    pub fn at(&self, now_ms: i64) -> Family<L, Level> {
        let family = Family::<L, Level>::default();
        for (label, at) in self.lock().iter() {
            family.get_or_create(label).set((now_ms - at).max(0) as f64 / 1000.0);
        }
        family
    }
}

/// How it stands with each of several things of a kind.
#[derive(Debug, Clone)]
pub struct Standings<L: Label> {
    /// Through what time all of its work is done.
    pub through: Ages<L>,
    last_success: Family<L, Level>,
    failed: Family<L, Gauge>,
}

impl<L: Label> Default for Standings<L> {
    fn default() -> Self {
        Self { through: Ages::default(), last_success: Family::default(), failed: Family::default() }
    }
}

impl<L: Label> Standings<L> {
    /// Notes that work was done.
    pub fn succeeded(&self, label: &L, now_ms: i64) {
        self.last_success.get_or_create(label).set(now_ms as f64 / 1000.0);
        self.failed.get_or_create(label).set(0);
    }

    /// Notes that it does not fail, though there was nothing to do.
    pub fn rests(&self, label: &L) {
        self.failed.get_or_create(label).set(0);
    }

    /// Notes that it fails, until it succeeds or rests.
    pub fn failed(&self, label: &L) {
        self.failed.get_or_create(label).set(1);
    }

    /// Says whether it fails.
    pub fn is_failed(&self, label: &L) -> bool {
        self.failed.get(label).is_some_and(|g| g.get() > 0)
    }

    /// Forgets a label, such as one that turns out to be another.
    pub fn forget(&self, label: &L) {
        self.through.remove(label);
        self.last_success.remove(label);
        self.failed.remove(label);
    }

    /// Registers what is told of things of this kind; `age` is the name of the age of what is not done.
    pub(super) fn register(&self, registry: &mut Registry, kind: &str, age: (&str, &str), now_ms: i64) {
        registry.register(format!("{kind}_failed"), format!("Whether the {kind} fails now"), self.failed.clone());
        let help = format!("When the {kind} last did its work, seconds since 1970");
        registry.register(format!("{kind}_last_success_seconds"), help, self.last_success.clone());
        registry.register(age.0, age.1, self.through.at(now_ms));
    }
}
