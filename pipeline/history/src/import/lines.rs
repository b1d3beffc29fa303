//! The lines of a CSV file before they are parsed: how their fields are parted, and that none is without an end.

use std::io::{self, BufRead, Read};

/// Longest line that is taken, bytes.
const LONGEST: u64 = 1 << 20;
/// What parts the fields of a line, the usual first.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// Says how fields are parted, by the first line: by whatever stands in it most often outside quotes.
pub(super) fn delimiter(from: impl BufRead) -> io::Result<u8> {
    let mut first = Vec::new();
    from.take(LONGEST).read_until(b'\n', &mut first)?;
    let (mut count, mut quoted) = ([0_usize; DELIMITERS.len()], false);
    for byte in first {
        quoted ^= byte == b'"';
        if let Some(at) = DELIMITERS.iter().position(|d| *d == byte && !quoted) {
            count[at] += 1;
        }
    }
    let most = count.iter().enumerate().max_by_key(|(at, n)| (**n, std::cmp::Reverse(*at)));
    Ok(most.map_or(b',', |(at, _)| DELIMITERS[at]))
}

/// Fails where a line is longer than is taken: a parser would hold all of it.
#[derive(Debug)]
pub(super) struct Lines<R> {
    inner: R,
    /// Bytes since the last end of a line.
    since: u64,
    line: u64,
}

impl<R> Lines<R> {
    pub(super) const fn new(inner: R) -> Self {
        Self { inner, since: 0, line: 1 }
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = buf.len().min(LONGEST as usize);
        let n = self.inner.read(&mut buf[..most])?;
        let read = &buf[..n];
        let is_end = |b: &u8| *b == b'\n';
        // Within what is read at once no line is too long.
        self.since += read.iter().position(is_end).unwrap_or(n) as u64;
        if self.since > LONGEST {
            let why = format!("line {} has more than {LONGEST} bytes", self.line);
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        if let Some(last) = read.iter().rposition(is_end) {
            self.since = (n - last - 1) as u64;
            self.line += read.iter().filter(|b| is_end(b)).count() as u64;
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_most_often_in_the_first_line_parts_fields() {
        for (text, parted) in [
            ("a,b,c;d\n1;2;3;4;5", b','),
            ("a;b;c,d\n", b';'),
            ("a\tb\n", b'\t'),
            ("\"a;b;c\",d\n", b','),
            ("a\n", b','),
            ("", b','),
        ] {
            assert_eq!(delimiter(text.as_bytes()).unwrap(), parted, "{text:?}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused_where_it_is() {
        let text = format!("a,b\n{}", "x".repeat(LONGEST as usize + 1));
        let failed = io::copy(&mut Lines::new(text.as_bytes()), &mut io::sink()).unwrap_err();
        assert_eq!(failed.to_string(), "line 2 has more than 1048576 bytes");
        let text = format!("{}\n", "x".repeat(LONGEST as usize)).repeat(3);
        assert!(io::copy(&mut Lines::new(text.as_bytes()), &mut io::sink()).is_ok());
    }
}
