//! Unpacks a file or an object as it is read, and tells apart one that is broken from one that could not be fetched.

use flate2::read::MultiGzDecoder;
use std::cell::RefCell;
use std::io::{self, Chain, Cursor, Read};

/// How every gzip file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Keeps the error of what it reads from, which a decoder would give out as its own.
pub(super) struct Watched<'a, R> {
    inner: R,
    failure: &'a RefCell<Option<io::Error>>,
}

impl<'a, R> Watched<'a, R> {
    pub(super) const fn new(inner: R, failure: &'a RefCell<Option<io::Error>>) -> Self {
        Self { inner, failure }
    }
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buf) {
            Err(e) if e.kind() != io::ErrorKind::Interrupted => {
                let kind = e.kind();
                self.failure.replace(Some(e));
                Err(kind.into())
            }
            read => read,
        }
    }
}

/// An object without its compression, of which no more is given than may be.
pub(super) enum Unpacked<R: Read> {
    Plain(Bounded<Chain<Cursor<Vec<u8>>, R>>),
    Gzip(Bounded<MultiGzDecoder<Chain<Cursor<Vec<u8>>, R>>>),
}

/// Looks at how an object begins and unpacks it where it is packed; what is more than `most` bytes then is an error.
pub(super) fn unpacked<R: Read>(mut raw: R, most: u64) -> io::Result<Unpacked<R>> {
    let mut head = Vec::new();
    raw.by_ref().take(GZIP.len() as u64).read_to_end(&mut head)?;
    let is_packed = head == GZIP;
    let whole = Cursor::new(head).chain(raw);
    Ok(if is_packed {
        Unpacked::Gzip(Bounded { inner: MultiGzDecoder::new(whole), left: most, most })
    } else {
        Unpacked::Plain(Bounded { inner: whole, left: most, most })
    })
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(r) => r.read(buf),
            Self::Gzip(r) => r.read(buf),
        }
    }
}

/// Fails where more follows than may.
pub(super) struct Bounded<R> {
    inner: R,
    left: u64,
    most: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("more than {most} bytes once unpacked")]
struct TooLong {
    most: u64,
}

/// Says whether reading ended because the object is too long.
pub(super) fn is_too_long(e: &io::Error) -> bool {
    let Some(e) = e.get_ref() else { return false };
    e.is::<TooLong>()
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let mut one = [0];
            return if self.inner.read(&mut one)? == 0 {
                Ok(0)
            } else {
                Err(io::Error::other(TooLong { most: self.most }))
            };
        }
        let most = buf.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let n = self.inner.read(&mut buf[..most])?;
        self.left -= n as u64;
        Ok(n)
    }
}
