//! Integration tests of the pipeline.

mod simulate;
