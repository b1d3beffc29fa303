//! Tells the world what the log says: a durable cursor over the log feeds a bus.
//!
//! The outbox is not a second write: [`pump()`] reads entries after its cursor, publishes the chosen ones, and moves the
//! cursor once they are durable on the bus. Delivery is at least once with stable ids; the JSON Lines bus makes it
//! once by skipping ids that it finds at its end, and `EventBridge` by the ids that it took, which are kept until the cursor has passed
//! them. [`deliver`] feeds several buses, each with a cursor of its own.

pub mod announcement;
pub mod backlog;
pub mod bus;
pub mod eventbridge;
pub mod fault;
pub mod freshness;
pub mod jsonl;
pub mod memory;
pub mod outbox;
pub mod pump;
pub mod stdout;
pub mod trim;

pub use announcement::{Announcement, detail_type_of};
pub use bus::{Bus, BusError, MemoryBus, Published};
pub use eventbridge::EventBridgeBus;
pub use jsonl::JsonLinesBus;
pub use memory::{BusMemory, Parked};
pub use outbox::{Deliveries, Delivery, Sink, SinkConfig, deliver};
pub use stdout::LinesBus;

pub use pump::{PAGE, PumpError, PumpReport, pump};
