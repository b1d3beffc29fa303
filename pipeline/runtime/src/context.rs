//! What every adapter of the stream is handed: where it counts, whose time it goes by, and when to give up waiting.

use crate::clock::{Clock, SystemClock};
use crate::interrupt::Interrupt;
use crate::metrics::Vitals;
use std::sync::Arc;

/// The world around a producer or a consumer; a clone shares it.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Where calls, retries and records are counted.
    pub vitals: Arc<Vitals>,
    /// The clock that arrival times are taken from and waits go by.
    pub clock: Arc<dyn Clock>,
    /// What ends a wait early.
    pub stop: Interrupt,
}

impl Surroundings {
    /// The system's time, counted where nobody looks, never interrupted.
    pub fn alone() -> Self {
        Self { vitals: crate::metrics::unwatched(), clock: Arc::new(SystemClock), stop: Interrupt::default() }
    }
}
