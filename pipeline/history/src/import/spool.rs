//! Copies of inputs that can't be read as they are: what comes through a pipe, is packed, in another encoding, or laid out as JSON. Each goes
//! when it is dropped.

use super::cli_json;
use super::error::ImportError;
use super::options::ImportOptions;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How every gzip file begins.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// How UTF-16 begins, the low byte first and the high byte first.
const UTF_16: [&[u8]; 2] = [&[0xff, 0xfe], &[0xfe, 0xff]];
/// How many times its own size a packed file may be once unpacked, beyond [`UNPACKED`]: text of metrics stays far below.
const RATIO: u64 = 250;
/// What any packed file may be once unpacked, bytes.
const UNPACKED: u64 = 64 << 20;
/// Longest JSON document that is taken, bytes: it is held in memory.
const LONGEST_JSON: u64 = 64 << 20;
/// Wrappings that are taken off at most, such as UTF-16 in gzip.
const LAYERS: usize = 3;

/// A copy, in the directory of temporary files.
#[derive(Debug)]
pub(super) struct Spool(pub(super) PathBuf);

impl Spool {
    /// Copies what can be read once only.
    pub(super) fn of(path: &Path, from: &mut dyn Read) -> Result<Self, ImportError> {
        Self::filled(path, |to| io::copy(from, to).map(drop))
    }

    fn filled(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Self, ImportError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("forewarn-import-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let spool = Self(std::env::temp_dir().join(name));
        let mut to = BufWriter::new(File::create(&spool.0).map_err(|e| ImportError::spill("create", &spool.0, e))?);
        fill(&mut to).and_then(|()| to.flush()).map_err(|e| ImportError::read(path, e))?;
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

/// Copies a file, known to people as `path`, into what can be read, as often as it takes; none where it can be read as it is.
pub(super) fn readable(path: &Path, file: &Path, options: &ImportOptions) -> Result<Option<Spool>, ImportError> {
    let mut spool: Option<Spool> = None;
    for _ in 0..LAYERS {
        let at = spool.as_ref().map_or(file, |s| &s.0);
        match next(path, at, options)? {
            Some(fresh) => spool = Some(fresh),
            None => return Ok(spool),
        }
    }
    Err(ImportError::file(path, format!("is packed more than {LAYERS} times")))
}

fn next(path: &Path, file: &Path, options: &ImportOptions) -> Result<Option<Spool>, ImportError> {
    let read = |e| ImportError::read(path, e);
    let open = || File::open(file).map_err(read);
    let size = std::fs::metadata(file).map_err(read)?.len();
    let mut head = Vec::new();
    open()?.take(512).read_to_end(&mut head).map_err(read)?;
    if head.starts_with(GZIP) {
        let most = UNPACKED.saturating_add(size.saturating_mul(RATIO));
        let mut plain = MultiGzDecoder::new(BufReader::new(open()?)).take(most + 1);
        let spool = Spool::of(path, &mut plain)?;
        if plain.limit() == 0 {
            let why = format!("its {size} bytes unpack to more than {most}, which no file of metrics does");
            return Err(ImportError::file(path, why));
        }
        return Ok(Some(spool));
    }
    if let Some(order) = UTF_16.iter().position(|mark| head.starts_with(mark)) {
        let mut from = BufReader::new(open()?);
        return Spool::filled(path, |to| from_utf_16(&mut from, order == 1, to)).map(Some);
    }
    if head.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
        if size > LONGEST_JSON {
            return Err(ImportError::file(
                path,
                format!("is JSON of more than {LONGEST_JSON} bytes; ask for less at a time"),
            ));
        }
        let text = std::fs::read(file).map_err(read)?;
        let table = cli_json::as_csv(&text, options).map_err(|fault| ImportError::file(path, fault))?;
        return Spool::of(path, &mut table.as_slice()).map(Some);
    }
    Ok(None)
}

/// Writes UTF-16 as UTF-8, without the mark at its beginning.
fn from_utf_16(from: &mut dyn Read, high_first: bool, to: &mut dyn Write) -> io::Result<()> {
    let mut failure = None;
    let units = std::iter::from_fn(|| {
        let mut unit = [0; 2];
        match from.read_exact(&mut unit) {
            Ok(()) => Some(if high_first { u16::from_be_bytes(unit) } else { u16::from_le_bytes(unit) }),
            Err(e) => {
                failure = (e.kind() != io::ErrorKind::UnexpectedEof).then_some(e);
                None
            }
        }
    });
    for (n, c) in char::decode_utf16(units).enumerate() {
        let c = c.map_err(|e| {
            let why = format!("half of a character (U+{:04X}) in UTF-16", e.unpaired_surrogate());
            io::Error::new(io::ErrorKind::InvalidData, why)
        })?;
        if n > 0 || c != '\u{feff}' {
            to.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
        }
    }
    failure.map_or(Ok(()), Err)
}
