//! The program `forewarn`: its command line, everything at once as one process or as Lambda functions, and what people are shown.

pub mod cli;
pub mod doctor;
#[cfg(feature = "aws")]
pub mod lambda;
pub mod listen;
pub mod maintain;
pub mod render;
pub mod run;
pub mod schema;
pub mod state;
