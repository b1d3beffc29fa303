//! The stream between what pulls and what archives: records, the ports, and their adapters.
//!
//! A producer puts records, partitioned by instance, so that the order of one instance is kept; a consumer reads each shard in
//! order, from its checkpoint. Delivery is at least once; what comes twice is found by its key further on.

pub mod port;
pub mod record;

pub mod entry;
pub mod order;

pub mod checkpoints;
pub mod conformance;
pub mod kinesis;
pub mod lambda;
pub mod memory;
pub mod open;
pub mod sqlite;

pub use checkpoints::SqliteCheckpoints;
pub use memory::MemoryStream;
pub use open::StreamSpec;

pub use port::{Checkpoints, Consumer, Intent, Lag, Limit, Producer, PutReport, ShardBatch, Stored, StreamError};
pub use record::{InstanceSeen, Record, RecordError, SampleBatch, SeriesBlock};
