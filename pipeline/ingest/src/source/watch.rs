//! Tells whoever waits how a round goes in each account and region, while it goes.

/// Which account in which region, as the state knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlaceKey {
    /// A role, or `own`.
    pub label: String,
    pub region: String,
}

/// What became of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceEvent {
    /// Everything that was due has been put into the stream.
    Pulled,
    /// This round will bring nothing more from there.
    Failed,
    /// Nothing has answered there since it was last asked; it may yet.
    Silent,
    /// Something was answered there after a silence: what is due is late, and comes.
    Answers,
}

/// Hears of places, from several threads.
pub trait PlaceWatch: Send + Sync + std::fmt::Debug {
    /// Hears what became of a place, and when, milliseconds.
    fn heard(&self, place: &PlaceKey, event: PlaceEvent, now: i64);
}
