//! Tells inputs apart: what format a file has, and what import this is.

use super::error::ImportError;
use super::hive;
use super::options::ImportOptions;
use super::series::Constants;
use super::spool::{self, Spool};
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

/// An input that can be read, several times.
#[derive(Debug)]
pub(super) struct Input {
    /// The input as people know it.
    pub(super) path: PathBuf,
    /// The file to read.
    pub(super) file: PathBuf,
    pub(super) format: Format,
    /// What its path says of all of its rows.
    pub(super) constants: Constants,
    _spools: [Option<Spool>; 2],
}

/// What stands for standard input.
const STDIN: &str = "-";

const PARQUET_MAGIC: &[u8] = b"PAR1";

impl Input {
    /// Looks at a file's kind, length and first bytes; what is no file, such as a pipe, and `-` for standard input, is copied
    /// to the directory of temporary files first, because it is read more than once; and so is what is packed or laid out otherwise.
    pub(super) fn open(path: &Path, options: &ImportOptions) -> Result<Self, ImportError> {
        let spool = if path == Path::new(STDIN) {
            Some(Spool::of(path, &mut std::io::stdin().lock())?)
        } else {
            let meta = std::fs::metadata(path).map_err(|e| ImportError::read(path, e))?;
            let open = || File::open(path).map_err(|e| ImportError::read(path, e));
            if meta.is_file() { None } else { Some(Spool::of(path, &mut open()?)?) }
        };
        let mut at = spool.as_ref().map_or_else(|| path.to_owned(), |s| s.0.clone());
        if std::fs::metadata(&at).map_err(|e| ImportError::read(path, e))?.len() == 0 {
            return Err(ImportError::file(path, "the file is empty (0 bytes)"));
        }
        let copy = spool::readable(path, &at, options)?;
        if let Some(copy) = &copy {
            at.clone_from(&copy.0);
            if std::fs::metadata(&at).map_err(|e| ImportError::read(path, e))?.len() == 0 {
                return Err(ImportError::file(path, "there is nothing in it once it is unpacked"));
            }
        }
        let mut magic = Vec::new();
        let file = File::open(&at).map_err(|e| ImportError::read(path, e))?;
        file.take(4).read_to_end(&mut magic).map_err(|e| ImportError::read(path, e))?;
        let named = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet") || e.eq_ignore_ascii_case("pq"));
        let format = if named || magic == PARQUET_MAGIC { Format::Parquet } else { Format::Csv };
        let constants = hive::constants(path).map_err(|fault| ImportError::file(path, fault))?;
        Ok(Self { path: path.to_owned(), file: at, format, constants, _spools: [spool, copy] })
    }
}

/// Raised when the same input would make different files than before.
const RECIPE: &str = "forewarn import 3";

/// Hashes the bytes of the inputs and the options that shape rows.
pub(super) fn import_id(inputs: &[Input], options: &ImportOptions, buckets: u16) -> Result<String, ImportError> {
    let o = options;
    let texts = [&o.instance, &o.metric, &o.namespace, &o.account, &o.region, &o.stat, &o.device, &o.tz];
    let shape = format!("{RECIPE}|{buckets}|{texts:?}|{:?}|{:?}|{:?}", o.period_s, o.columns, o.on_error);
    let mut hash = Sha256::new();
    hash.update(shape.as_bytes());
    let mut buf = vec![0; 256 * 1024];
    for input in inputs {
        let mut file = File::open(&input.file).map_err(|e| ImportError::read(&input.path, e))?;
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
        if input.constants != Constants::default() {
            hash.update(format!("|{:?}", input.constants).as_bytes());
        }
    }
    let digest = hash.finalize();
    let head = digest.iter().take(8).fold(0_u64, |head, b| (head << 8) | u64::from(*b));
    let tail = digest.iter().skip(8).take(4).fold(0_u32, |tail, b| (tail << 8) | u32::from(*b));
    Ok(format!("{head:016x}{tail:08x}"))
}
