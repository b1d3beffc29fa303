<<<<<<< HEAD
<<<<<<< HEAD
//! The integration tests of the pipeline.

mod history;
mod import;
=======
//! Integration tests of the pipeline.

mod simulate;
>>>>>>> sim
=======
//! Integration tests of the pipeline and of the workspace as a whole.

mod checklist;
mod house;
>>>>>>> house
