//! Brings metrics and EC2 events in: sources, the stream between them and the archive, and the archive itself.

pub mod intake;
pub mod poll;

pub mod metric_streams;
pub mod source;

pub mod stream;

pub mod archive;
mod device;
pub mod event_log;
mod unpack;
