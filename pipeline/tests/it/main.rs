//! The integration tests of the pipeline.

mod history;
mod import;
