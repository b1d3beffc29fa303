//! Tells inputs apart: what format a file has, and what import this is.

use super::error::ImportError;
use super::options::ImportOptions;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The formats read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Parquet,
}

/// An input file that can be read.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) path: PathBuf,
    pub(super) format: Format,
}

const PARQUET_MAGIC: &[u8] = b"PAR1";

impl Input {
    /// Looks at a file's kind, length and first bytes.
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let meta = std::fs::metadata(path).map_err(|e| ImportError::read(path, e))?;
        if meta.is_dir() {
            return Err(ImportError::file(path, "is a directory; give the files in it"));
        }
        if meta.is_file() && meta.len() == 0 {
            return Err(ImportError::file(path, "the file is empty (0 bytes)"));
        }
        let mut magic = Vec::new();
        let file = File::open(path).map_err(|e| ImportError::read(path, e))?;
        file.take(4).read_to_end(&mut magic).map_err(|e| ImportError::read(path, e))?;
        let named = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet") || e.eq_ignore_ascii_case("pq"));
        let format = if named || magic == PARQUET_MAGIC { Format::Parquet } else { Format::Csv };
        Ok(Self { path: path.to_owned(), format })
    }
}

/// Raised when the same input would make different files than before.
const RECIPE: &str = "forewarn import 1";

/// Hashes the bytes of the inputs and the options that shape rows.
pub(super) fn import_id(inputs: &[Input], options: &ImportOptions, buckets: u16) -> Result<String, ImportError> {
    let o = options;
    let texts = [&o.instance, &o.metric, &o.namespace, &o.account, &o.region, &o.stat, &o.device, &o.tz];
    let shape = format!("{RECIPE}|{buckets}|{texts:?}|{:?}|{:?}|{:?}", o.period_s, o.columns, o.on_error);
    let mut hash = Sha256::new();
    hash.update(shape.as_bytes());
    let mut buf = vec![0; 256 * 1024];
    for input in inputs {
        let mut file = File::open(&input.path).map_err(|e| ImportError::read(&input.path, e))?;
        let mut length = 0_u64;
        loop {
            let n = file.read(&mut buf).map_err(|e| ImportError::read(&input.path, e))?;
            if n == 0 {
                break;
            }
            hash.update(&buf[..n]);
            length += n as u64;
        }
        hash.update(length.to_le_bytes());
    }
    let digest = hash.finalize();
    let head = digest.iter().take(8).fold(0_u64, |head, b| (head << 8) | u64::from(*b));
    let tail = digest.iter().skip(8).take(4).fold(0_u32, |tail, b| (tail << 8) | u32::from(*b));
    Ok(format!("{head:016x}{tail:08x}"))
}
