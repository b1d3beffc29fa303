//! Decides about recoveries: what may be done, in which order, when, and what follows from what came of it. Pure: facts and times are
//! handed in, events and reasons come out; the executor appends the events and makes the calls.
#![warn(missing_docs)]

pub mod trigger;

pub mod facts;
pub mod policy;
pub mod targets;

pub mod gate;
pub mod refusal;

pub mod pace;
pub mod plan;
pub mod stop;

pub mod event;
pub mod state;

pub mod decide;
pub mod next;

pub mod admission;

pub mod preview;
