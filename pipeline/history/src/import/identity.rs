//! Tells inputs apart: what format a file has, and what import this is.

use super::error::ImportError;
use super::options::ImportOptions;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

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
    _spool: Option<Spool>,
}

/// A copy of what can be read once only, such as a pipe; it goes when it is dropped.
#[derive(Debug)]
struct Spool(PathBuf);

impl Spool {
    fn of(path: &Path, from: &mut dyn Read) -> Result<Self, ImportError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "forewarn-import-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
        );
        let spool = Self(std::env::temp_dir().join(name));
        let mut to = File::create(&spool.0).map_err(|e| ImportError::spill("create", &spool.0, e))?;
        std::io::copy(from, &mut to).map_err(|e| ImportError::read(path, e))?;
        Ok(spool)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_file(&self.0) {
            tracing::warn!(error = %e, path = %self.0.display(), "could not remove the copy of an input");
        }
    }
}

/// What stands for standard input.
const STDIN: &str = "-";

const PARQUET_MAGIC: &[u8] = b"PAR1";

impl Input {
    /// Looks at a file's kind, length and first bytes; what is no file, such as a pipe, and `-` for standard input, is copied
    /// to the directory of temporary files first, because it is read more than once.
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let spool = if path == Path::new(STDIN) {
            Some(Spool::of(path, &mut std::io::stdin().lock())?)
        } else {
            let meta = std::fs::metadata(path).map_err(|e| ImportError::read(path, e))?;
            if meta.is_dir() {
                return Err(ImportError::file(path, "is a directory; give the files in it"));
            }
            let open = || File::open(path).map_err(|e| ImportError::read(path, e));
            if meta.is_file() { None } else { Some(Spool::of(path, &mut open()?)?) }
        };
        let at = spool.as_ref().map_or_else(|| path.to_owned(), |s| s.0.clone());
        if std::fs::metadata(&at).map_err(|e| ImportError::read(path, e))?.len() == 0 {
            return Err(ImportError::file(path, "the file is empty (0 bytes)"));
        }
        let mut magic = Vec::new();
        let file = File::open(&at).map_err(|e| ImportError::read(path, e))?;
        file.take(4).read_to_end(&mut magic).map_err(|e| ImportError::read(path, e))?;
        let named = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet") || e.eq_ignore_ascii_case("pq"));
        let format = if named || magic == PARQUET_MAGIC { Format::Parquet } else { Format::Csv };
        Ok(Self { path: path.to_owned(), file: at, format, _spool: spool })
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
    }
    let digest = hash.finalize();
    let head = digest.iter().take(8).fold(0_u64, |head, b| (head << 8) | u64::from(*b));
    let tail = digest.iter().skip(8).take(4).fold(0_u32, |tail, b| (tail << 8) | u32::from(*b));
    Ok(format!("{head:016x}{tail:08x}"))
}
