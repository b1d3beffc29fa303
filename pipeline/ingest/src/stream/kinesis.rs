//! A Kinesis stream: a producer that keeps each key's order whatever fails, and a consumer for one node.
//!
//! What is decided is pure and stands in files of its own: `rounds` (which entries go into the next call), `lineage` (which shards may
//! be read), `backoff` (how long to wait). The rest carries it out over the network.

pub mod lineage;
pub mod rounds;

#[cfg(feature = "aws")]
mod api;
#[cfg(feature = "aws")]
mod call_error;
#[cfg(feature = "aws")]
mod consumer;
#[cfg(feature = "aws")]
mod page;
#[cfg(feature = "aws")]
mod producer;

#[cfg(feature = "aws")]
pub use consumer::KinesisConsumer;
#[cfg(feature = "aws")]
pub use producer::KinesisProducer;
