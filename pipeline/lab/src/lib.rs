//! Stands in for the world: simulated fleets, an emulator of AWS's metrics and instances, and faults on the wire.

pub mod emulate;
pub mod fault_proxy;
pub mod simulate;
