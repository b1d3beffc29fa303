//! What every adapter of the stream is handed: where it counts, whose time it goes by, and when to give up waiting.

use crate::clock::{Clock, SystemClock};
use crate::interrupt::Interrupt;
use crate::metrics::Metrics;
use std::sync::Arc;

/// The world around a producer or a consumer; a clone shares it.
#[derive(Debug, Clone)]
pub struct RuntimeContext {
    /// Where calls, retries and records are counted.
    pub metrics: Arc<Metrics>,
    /// The clock that arrival times are taken from and waits go by.
    pub clock: Arc<dyn Clock>,
    /// What ends a wait early.
    pub stop: Interrupt,
}

impl RuntimeContext {
    /// The system's time, counted where nobody looks, never interrupted.
    pub fn standalone() -> Self {
        Self { metrics: crate::metrics::unregistered(), clock: Arc::new(SystemClock), stop: Interrupt::default() }
    }
}
