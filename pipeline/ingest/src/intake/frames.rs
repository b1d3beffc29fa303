//! Tells apart the messages of a file, however they are framed: one a line, run together, spread over lines, or as the elements of a list.
//!
//! A message begins with `{` and ends with the brace that closes it. What stands between messages (white space, commas, the brackets of a
//! list, RFC 7464's record separators) belongs to none. A damaged message costs itself alone: it ends where a line ends within a string,
//! or where the next line begins like a message, and what begins otherwise goes to the end of its line.

use std::io::{self, BufRead};

/// How RFC 7464 begins each text of a sequence.
const RECORD_SEPARATOR: u8 = 0x1e;
/// How UTF-8 may be marked at the beginning of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The messages of a reader, in order; of one that is longer than `most` bytes its beginning.
#[derive(Debug)]
pub(super) struct Frames<R> {
    reader: R,
    most: usize,
    begun: bool,
}

/// How far within a message the reading has come.
#[derive(Debug, Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
    at_line_start: bool,
}

/// What a byte means to the message it may belong to.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Within,
    /// The message ends with it.
    Last,
    /// It is no longer part of it.
    After,
}

impl Scan {
    fn step(&mut self, byte: u8) -> Step {
        let begins_line = std::mem::replace(&mut self.at_line_start, byte == b'\n');
        match byte {
            b'\n' if self.in_string => return Step::After,
            b'{' if begins_line && self.depth > 0 && !self.in_string => return Step::After,
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            b'{' | b'[' if !self.in_string => self.depth += 1,
            b'}' | b']' if !self.in_string => {
                self.depth -= 1;
                if self.depth == 0 {
                    return Step::Last;
                }
            }
            _ => {}
        }
        Step::Within
    }
}

impl<R: BufRead> Frames<R> {
    pub(super) const fn new(reader: R, most: usize) -> Self {
        Self { reader, most, begun: false }
    }

    /// Gives the next message; none at the end.
    ///
    /// # Errors
    /// When the reader fails.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        if !std::mem::replace(&mut self.begun, true) && self.reader.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
            self.reader.consume(BYTE_ORDER_MARK.len());
        }
        let Some(first) = self.skip()? else { return Ok(None) };
        if first == b'{' { self.message().map(Some) } else { self.line().map(Some) }
    }

    /// Passes over what belongs to no message; gives the byte that follows.
    fn skip(&mut self) -> io::Result<Option<u8>> {
        loop {
            let ahead = self.reader.fill_buf()?;
            let between = |b: &u8| b.is_ascii_whitespace() || matches!(*b, b',' | b'[' | b']' | RECORD_SEPARATOR);
            match ahead.iter().position(|b| !between(b)) {
                Some(at) => {
                    let first = ahead[at];
                    self.reader.consume(at);
                    return Ok(Some(first));
                }
                None if ahead.is_empty() => return Ok(None),
                None => {
                    let all = ahead.len();
                    self.reader.consume(all);
                }
            }
        }
    }

    /// Reads a message that begins with a brace.
    fn message(&mut self) -> io::Result<Vec<u8>> {
        let (mut scan, mut kept) = (Scan::default(), Vec::new());
        loop {
            let ahead = self.reader.fill_buf()?;
            if ahead.is_empty() {
                return Ok(kept);
            }
            let (mut used, mut ended) = (0, false);
            for byte in ahead {
                let step = scan.step(*byte);
                used += usize::from(step != Step::After);
                ended = step != Step::Within;
                if ended {
                    break;
                }
            }
            keep(&mut kept, &ahead[..used], self.most);
            self.reader.consume(used);
            if ended {
                return Ok(kept);
            }
        }
    }

    /// Reads to the end of a line.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut kept = Vec::new();
        loop {
            let ahead = self.reader.fill_buf()?;
            let end = ahead.iter().position(|b| *b == b'\n');
            let used = end.unwrap_or(ahead.len());
            let is_over = end.is_some() || ahead.is_empty();
            keep(&mut kept, &ahead[..used], self.most);
            self.reader.consume(used);
            if is_over {
                return Ok(kept);
            }
        }
    }
}

/// Keeps of a message what has room.
fn keep(kept: &mut Vec<u8>, more: &[u8], most: usize) {
    let room = most.saturating_sub(kept.len()).min(more.len());
    kept.extend_from_slice(&more[..room]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn framed(text: &str) -> Vec<String> {
        // A buffer of a few bytes, so that every boundary is crossed.
        let mut frames = Frames::new(BufReader::with_capacity(3, text.as_bytes()), 40);
        let mut found = Vec::new();
        while let Some(one) = frames.next().unwrap() {
            found.push(String::from_utf8(one).unwrap());
        }
        found
    }

    #[test]
    fn every_framing_gives_the_same_messages() {
        let (a, b) = (r#"{"a":"}\"{"}"#, r#"{"b":[1,{"c":2}]}"#);
        for text in [
            format!("{a}\n{b}\n"),
            format!("{a}{b}"),
            format!("[{a},{b}]"),
            format!("[\n  {a},\n  {b}\n]\n"),
            format!("\u{1e}{a}\n\u{1e}{b}\n"),
            format!("\u{feff}{a}\r\n\r\n{b}"),
        ] {
            assert_eq!(framed(&text), [a, b], "{text:?}");
        }
        assert_eq!(framed("{\n  \"a\": {\n    \"b\": 1\n  }\n}\n{}"), ["{\n  \"a\": {\n    \"b\": 1\n  }\n}", "{}"]);
        assert_eq!(framed(" [ ] \n"), Vec::<String>::new());
    }

    #[test]
    fn a_damaged_message_costs_itself_alone() {
        assert_eq!(framed("{\"a\": \n{\"b\": 1}\n"), ["{\"a\": \n", "{\"b\": 1}"]);
        assert_eq!(framed("{\"a\": \"x\n{\"b\": 1}\n"), ["{\"a\": \"x", "{\"b\": 1}"]);
        assert_eq!(framed("not json\n{\"b\": 1}\n"), ["not json", "{\"b\": 1}"]);
        assert_eq!(framed("}\n{\"b\": 1}"), ["}", "{\"b\": 1}"]);
        assert_eq!(framed("{\"a\": 1"), ["{\"a\": 1"]);
    }

    #[test]
    fn of_what_is_too_long_the_beginning_is_held_and_the_rest_passed_over() {
        let long = "x".repeat(1000);
        let found = framed(&format!("{{\"a\":\"{long}\"}}{{\"b\":1}}\n{long}\n{{}}"));
        assert_eq!(found.iter().map(String::len).collect::<Vec<_>>(), [40, 7, 40, 2]);
    }
}
