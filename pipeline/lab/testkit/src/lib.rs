//! What tests of several rooms need: a server that answers as AWS, the recovery test world, a log that dies, one event of every type, and an
//! object store that counts.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that cannot go on fails")]

pub mod counting_store;
pub mod event_bridge;
pub mod exposition;
pub mod mortal;
pub mod moto;
pub mod samples;
pub mod schemas;
pub mod world;

use std::path::{Path, PathBuf};

/// Gives the workspace's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).expect("the member lies in the workspace").to_owned()
}

/// Gives every file below a folder with its bytes, in order.
pub fn snapshot(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push((path.strip_prefix(root).unwrap().to_path_buf(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
