//! A proxy that stands before an AWS endpoint and spoils some of the calls by a script: throttles, errors, lost replies, batches that
//! only partly succeed. For tests and proofs; it checks no signature and passes everything else through.
//!
//! A script is JSON: `{"seed": 7, "rules": [{"operation": "PutRecords", "nth": 3, "action": "lose_reply"}]}`. The first rule that
//! strikes is carried out; every rule counts the calls that it is about, whichever strikes.

mod carry_out;
mod drip;
mod error;
mod faults;
mod log;
mod operation;
mod partial;
mod script;
mod serve;

pub use error::ProxyError;
pub use operation::{Operation, Protocol};
pub use script::{Action, Condition, Script, ScriptError, Strike};
pub use serve::FaultProxy;
