//! Integration tests of the pipeline and of the workspace as a whole.

mod checklist;
mod history;
mod house;
mod import;
mod simulate;
