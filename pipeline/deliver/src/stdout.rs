//! Publishes to a stream, such as standard output, one JSON object a line.

use super::announcement::Announcement;
use super::bus::{Bus, BusError, Published};
use std::io::Write;

/// A bus that writes lines and forgets; what a rerun repeats has the same id.
#[derive(Debug)]
pub struct LinesBus<W> {
    name: &'static str,
    out: W,
}

impl LinesBus<std::io::Stdout> {
    /// Writes to standard output.
    pub fn stdout() -> Self {
        Self { name: "stdout", out: std::io::stdout() }
    }
}

impl<W: Write> LinesBus<W> {
    /// Writes to anything; `name` is for messages.
    pub fn new(name: &'static str, out: W) -> Self {
        Self { name, out }
    }
}

impl<W: Write> Bus for LinesBus<W> {
    fn publish(&mut self, batch: &[Announcement]) -> Result<Published, BusError> {
        let mut text = Vec::new();
        for announcement in batch {
            let json = |source| BusError::Json { bus: self.name.to_owned(), id: announcement.id.clone(), source };
            serde_json::to_writer(&mut text, announcement).map_err(json)?;
            text.push(b'\n');
        }
        let failed = |source| BusError::Unavailable { bus: self.name.to_owned(), doing: "write", source };
        self.out.write_all(&text).and_then(|()| self.out.flush()).map_err(failed)?;
        Ok(Published { sent: batch.len() as u64, ..Published::default() })
    }
}
