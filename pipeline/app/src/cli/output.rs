//! Where commands write: data to stdout, complaints and progress to stderr.

use super::error::CliError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Standard output, buffered; whatever is written counts only once [`Out::finish`] has succeeded.
pub(super) struct Out(io::BufWriter<io::Stdout>);

impl Out {
    pub(super) fn stdout() -> Self {
        Self(io::BufWriter::new(io::stdout()))
    }

    /// Writes one line.
    pub(super) fn line(&mut self, text: impl std::fmt::Display) -> Result<(), CliError> {
        Ok(writeln!(self.0, "{text}")?)
    }

    /// Writes a value as one JSON document.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        serde_json::to_writer_pretty(&mut self.0, value)?;
        Ok(writeln!(self.0)?)
    }

    pub(super) fn finish(&mut self) -> Result<(), CliError> {
        Ok(self.0.flush()?)
    }

    /// Writes an error to stderr; there is nobody to tell if that fails.
    pub(super) fn complain(e: &CliError) {
        writeln!(io::stderr(), "forewarn: {e}").ok();
    }
}

impl Write for Out {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A progress bar on a terminal's stderr, and nothing anywhere else.
pub(super) fn progress(what: &'static str) -> ProgressBar {
    let target = if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(1), target).with_message(what);
    match ProgressStyle::with_template("{msg:12} {bar:40} {percent:>3} %  {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
