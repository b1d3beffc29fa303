//! Reads CSV: long, or one series with the instance and metric given.

use super::Intake;
use super::columns::{self, Columns};
use super::error::ImportError;
use super::identity::Input;
use super::lines::{self, Lines};
use super::options::{Phase, Progress};
use super::series::{Constants, DEVICE, INSTANCE, SeriesFields};
use crate::NOT_INGESTED;
use csv::StringRecord;
use forewarn_domain::device::device;
use forewarn_runtime::time::{self, parse_instant};
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Rows between two reports of progress.
const REPORT_EVERY: u64 = 1 << 16;

/// Rows of one series handed over at once.
const RUN: usize = 4096;

/// Reads a file, known to people as `path`.
pub(super) fn read(
    input: &Input,
    intake: &mut Intake<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), ImportError> {
    let path = input.path.as_path();
    let open = || File::open(&input.file).map_err(|e| ImportError::read(path, e));
    let delimiter = lines::delimiter(BufReader::new(open()?)).map_err(|e| ImportError::read(path, e))?;
    let file = open()?;
    let total = file.metadata().map_or(0, |m| m.len());
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.flexible(true).delimiter(delimiter).buffer_capacity(256 * 1024);
    let mut reader = reader.from_reader(Lines::new(file));
    let header = reader.headers().map_err(|e| unreadable(path, &e))?;
    let header: Vec<String> = header.iter().map(|h| h.trim().trim_start_matches('\u{feff}').to_owned()).collect();
    let columns = columns::find(&header, intake.options, &input.constants, &intake.joined);
    let columns = columns.map_err(|fault| ImportError::file(path, fault))?;
    intake.note_unknown(columns.unknown.iter().map(|i| &header[*i]));
    let zone = intake.options.tz.as_deref().map(time::zone).transpose()?;
    let mut rows = Rows {
        path,
        columns,
        constants: &input.constants,
        decimal_comma: delimiter != b',',
        width: header.len(),
        zone,
        known: HashMap::new(),
        name: Vec::new(),
        run: Run::default(),
    };
    let mut record = StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {
                intake.report.rows_read += 1;
                rows.take(&record, intake)?;
            }
            Ok(false) => break,
            Err(e) => match (e.kind(), e.position().map(csv::Position::line)) {
                (csv::ErrorKind::Utf8 { .. }, Some(line)) => {
                    intake.report.rows_read += 1;
                    intake.faults.row(|| place(path, line), "the line is not UTF-8")?;
                }
                _ => return Err(unreadable(path, &e)),
            },
        }
        if intake.report.rows_read.is_multiple_of(REPORT_EVERY) {
            let done = reader.position().byte();
            progress(Progress { phase: Phase::Read, file: Some(path), rows: intake.report.rows_read, done, total });
        }
    }
    rows.hand_over(intake)
}

fn unreadable(path: &Path, e: &csv::Error) -> ImportError {
    ImportError::file(path, format!("cannot be read as CSV: {e}"))
}

fn place(path: &Path, line: u64) -> String {
    format!("{}:{line}", path.display())
}

/// Samples of one series in sequence.
#[derive(Default)]
struct Run {
    series: u32,
    ts: Vec<i64>,
    value: Vec<f64>,
    ingested: Vec<i64>,
}

struct Rows<'p> {
    path: &'p Path,
    columns: Columns,
    constants: &'p Constants,
    /// Whether a comma may stand before the decimals.
    decimal_comma: bool,
    width: usize,
    zone: Option<TimeZone>,
    /// Series by the text of the fields that name them.
    known: HashMap<Vec<u8>, u32>,
    name: Vec<u8>,
    run: Run,
}

/// What a good line says.
struct Sample {
    series: u32,
    ts: i64,
    value: f64,
    ingested: i64,
}

impl Rows<'_> {
    fn take(&mut self, record: &StringRecord, intake: &mut Intake<'_>) -> Result<(), ImportError> {
        let line = record.position().map_or(0, csv::Position::line);
        let sample = match self.sample(record, intake) {
            Ok(sample) => sample,
            Err(fault) => return intake.faults.row(|| place(self.path, line), &fault),
        };
        if sample.series != self.run.series || self.run.ts.len() >= RUN {
            self.hand_over(intake)?;
            self.run.series = sample.series;
        }
        self.run.ts.push(sample.ts);
        self.run.value.push(sample.value);
        self.run.ingested.push(sample.ingested);
        Ok(())
    }

    fn hand_over(&mut self, intake: &mut Intake<'_>) -> Result<(), ImportError> {
        let Run { series, ts, value, ingested } = &mut self.run;
        if ingested.iter().all(|&t| t == NOT_INGESTED) {
            ingested.clear();
        }
        if !ts.is_empty() {
            intake.take(*series, ts, value, ingested)?;
        }
        ts.clear();
        value.clear();
        ingested.clear();
        Ok(())
    }

    fn sample(&mut self, record: &StringRecord, intake: &mut Intake<'_>) -> Result<Sample, String> {
        if record.len() != self.width {
            return Err(format!("the line has {} fields, the header {}", record.len(), self.width));
        }
        let ts = parse_instant(&record[self.columns.ts], self.zone.as_ref()).map_err(|e| e.to_string())?;
        let value = number(&record[self.columns.value], self.decimal_comma)?;
        if let Some(fault) = intake.fault_of(ts, value) {
            return Err(fault);
        }
        let ingested = match self.columns.ingested_at.map(|i| record[i].trim()) {
            None | Some("") => NOT_INGESTED,
            Some(text) => parse_instant(text, self.zone.as_ref()).map_err(|e| format!("ingested_at: {e}"))?,
        };
        Ok(Sample { series: self.series(record, intake)?, ts, value, ingested })
    }

    fn series(&mut self, record: &StringRecord, intake: &mut Intake<'_>) -> Result<u32, String> {
        const SEPARATOR: u8 = 0;
        let columns = &self.columns;
        self.name.clear();
        let parts = columns.parts.iter().map(|(i, _)| i);
        for &i in columns.said.iter().chain([&columns.period_s]).flatten().chain(parts) {
            self.name.extend_from_slice(record[i].as_bytes());
            self.name.push(SEPARATOR);
        }
        if let Some(&series) = self.known.get(&self.name) {
            return Ok(series);
        }
        let mut texts: [Option<&str>; 7] =
            std::array::from_fn(|at| columns.said[at].map(|i| record[i].trim()).or(self.constants[at].as_deref()));
        let parts = columns.parts.iter().map(|(i, name)| (name.as_str(), record[*i].trim()));
        let device = device(texts[INSTANCE], texts[DEVICE], parts);
        texts[DEVICE] = device.as_deref();
        let period_s = match columns.period_s.map(|i| record[i].trim()) {
            None | Some("") => None,
            Some(text) => Some(text.parse::<i64>().map_err(|_| format!("period_s `{text}` is not a whole number"))?),
        };
        let series = intake.table.number(SeriesFields::from_texts(texts, period_s))?;
        self.known.insert(self.name.clone(), series);
        Ok(series)
    }
}

/// Reads a value; empty, `NaN` and `null` are missing. Where a comma may stand before the decimals, a point may too, but not both.
fn number(text: &str, decimal_comma: bool) -> Result<f64, String> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("null") {
        return Ok(f64::NAN);
    }
    let wrong = || format!("the value `{text}` is not a number");
    if decimal_comma && text.contains(',') && !text.contains('.') {
        return text.replacen(',', ".", 1).parse().map_err(|_| wrong());
    }
    text.parse().map_err(|_| wrong())
}
