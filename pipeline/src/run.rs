//! Everything at once: ingest, events, archive, analyze and emit as supervised parts of one process.

pub mod supervise;
