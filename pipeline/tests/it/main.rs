<<<<<<< HEAD
//! The integration tests of the pipeline.

mod history;
mod import;
=======
//! Integration tests of the pipeline.

mod simulate;
>>>>>>> sim
