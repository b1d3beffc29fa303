//! Reads long Parquet, texts as dictionaries, so that a series is looked up once for each run of its rows.

use super::Intake;
use super::columns::{self, Columns};
use super::error::ImportError;
use super::identity::Input;
use super::options::{Phase, Progress};
use super::series::{Constants, DEVICE, INSTANCE, SERIES_COLUMNS, SeriesFields};
use super::times::{self, NO_TIME};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, RecordBatch, StringArray};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{DataType, Field, Schema};
use forewarn_domain::device::device;
use forewarn_runtime::time;
use jiff::tz::TimeZone;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// A number of half precision.
type Half = <Float16Type as ArrowPrimitiveType>::Native;

const BATCH: usize = 64 * 1024;

/// How long an account id is.
const ACCOUNT_DIGITS: usize = 12;

/// Reads a file, known to people as `path`.
pub(super) fn read(
    input: &Input,
    intake: &mut Intake<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), ImportError> {
    let path = input.path.as_path();
    let bad = |e: parquet::errors::ParquetError| {
        ImportError::file(path, format!("is not a readable Parquet file (truncated or damaged?): {e}"))
    };
    let file = File::open(&input.file).map_err(|e| ImportError::read(path, e))?;
    let plain = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(bad)?;
    let fields = plain.schema().fields().clone();
    let header: Vec<String> = fields.iter().map(|f| f.name().clone()).collect();
    let columns = columns::find(&header, intake.options, &input.constants, &intake.joined);
    let mut columns = columns.map_err(|fault| ImportError::file(path, fault))?;
    // What only happens to be called so, such as a structure, tells no devices apart.
    let names = |i: &usize| is_text(fields[*i].data_type()) || fields[*i].data_type().is_integer();
    columns.parts.retain(|(i, _)| names(i));
    intake.note_unknown(columns.unknown.iter().filter(|i| names(i)).map(|i| &header[*i]));
    check_types(&columns, plain.schema()).map_err(|fault| ImportError::file(path, fault))?;
    let zone = intake.options.tz.as_deref().map(time::zone).transpose()?;

    let coded: Vec<Field> = fields
        .iter()
        .enumerate()
        .map(|(i, f)| {
            let names = columns.said.contains(&Some(i)) || columns.parts.iter().any(|(at, _)| *at == i);
            if names && is_text(f.data_type()) {
                let kind = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
                Field::new(f.name(), kind, f.is_nullable())
            } else if columns.ts == i || columns.ingested_at == Some(i) {
                as_plain_text(f)
            } else {
                f.as_ref().clone()
            }
        })
        .collect();
    let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(coded)));
    let meta = ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options).map_err(bad)?;
    let wanted = columns.said.iter().flatten().copied().chain(columns.parts.iter().map(|(i, _)| *i));
    let wanted = wanted.chain([columns.ts, columns.value]).chain(columns.period_s).chain(columns.ingested_at);
    let mask = ProjectionMask::roots(meta.parquet_schema(), wanted);
    let total = plain.metadata().file_metadata().num_rows().max(0) as u64;
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, meta);
    let reader = reader.with_projection(mask).with_batch_size(BATCH).build().map_err(bad)?;

    let mut rows = Rows { path, zone, constants: &input.constants, first_row: 1, known: Known::default() };
    for batch in reader {
        let batch = batch.map_err(|e| bad(e.into()))?;
        let n = batch.num_rows() as u64;
        let taken = ColumnArrays::from_batch(&batch, &header, &columns, rows.zone.as_ref());
        rows.take(&taken.map_err(|fault| ImportError::file(path, fault))?, intake)?;
        intake.report.rows_read += n;
        rows.first_row += n;
        let (rows_read, done) = (intake.report.rows_read, rows.first_row - 1);
        progress(Progress { phase: Phase::Read, file: Some(path), rows: rows_read, done, total });
    }
    Ok(())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "no other type is text")]
fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

fn as_plain_text(field: &Field) -> Field {
    if is_text(field.data_type()) {
        Field::new(field.name(), DataType::Utf8, field.is_nullable())
    } else {
        field.clone()
    }
}

fn check_types(columns: &Columns, schema: &Schema) -> Result<(), String> {
    let wrong = |i: usize, should: &str| {
        let field = schema.field(i);
        Err(format!("the column `{}` is {}, but should be {should}", field.name(), field.data_type()))
    };
    for i in columns.said.into_iter().flatten() {
        let kind = schema.field(i).data_type();
        if !is_text(kind) && !kind.is_integer() {
            return wrong(i, "text");
        }
    }
    if !times::readable(schema.field(columns.ts).data_type()) {
        return wrong(columns.ts, "a timestamp, a date, text, or epoch seconds or milliseconds");
    }
    if let Some(i) = columns.ingested_at.filter(|&i| !times::readable(schema.field(i).data_type())) {
        return wrong(i, "a timestamp, a date, text, or epoch seconds or milliseconds");
    }
    if !is_number(schema.field(columns.value).data_type()) {
        return wrong(columns.value, "a number");
    }
    match columns.period_s {
        Some(i) if !schema.field(i).data_type().is_integer() => wrong(i, "a whole number of seconds"),
        Some(_) | None => Ok(()),
    }
}

fn is_number(kind: &DataType) -> bool {
    let is_decimal = matches!(
        kind,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..)
    );
    kind.is_integer() || kind.is_floating() || is_decimal || *kind == DataType::Boolean
}

/// A text column of a batch: a code for each row, -1 for null.
struct Coded {
    codes: ScalarBuffer<i32>,
    texts: StringArray,
}

impl Coded {
    /// Takes a column; numbers are written with so many digits at least.
    fn new(array: &ArrayRef, digits: usize) -> Self {
        if array.data_type().is_integer() {
            return Self::of_numbers(&whole_numbers(array.as_ref()), digits);
        }
        let dictionary = array.as_dictionary::<Int32Type>();
        let keys = dictionary.keys();
        let codes = match keys.nulls() {
            Some(nulls) if nulls.null_count() > 0 => {
                keys.values().iter().zip(nulls.iter()).map(|(&k, known)| if known { k } else { -1 }).collect()
            }
            Some(_) | None => keys.values().clone(),
        };
        Self { codes, texts: dictionary.values().as_string::<i32>().clone() }
    }

    /// An account id that an export took for a number has lost the zeros it began with.
    fn of_numbers(numbers: &[Option<i64>], digits: usize) -> Self {
        let (mut known, mut texts) = (HashMap::new(), Vec::new());
        let mut code = |n: i64| {
            *known.entry(n).or_insert_with(|| {
                texts.push(format!("{n:0digits$}"));
                texts.len() as i32 - 1
            })
        };
        let codes: Vec<i32> = numbers.iter().map(|n| n.map_or(-1, &mut code)).collect();
        Self { codes: codes.into(), texts: StringArray::from(texts) }
    }

    fn text(&self, row: usize) -> Option<&str> {
        let code = usize::try_from(self.codes[row]).ok()?;
        self.texts.is_valid(code).then(|| self.texts.value(code))
    }
}

/// The wanted columns of a batch.
struct ColumnArrays {
    said: [Option<Coded>; 7],
    parts: Vec<(String, Coded)>,
    period_s: Option<Vec<Option<i64>>>,
    times: ArrayRef,
    ts: Vec<i64>,
    value: Vec<f64>,
    ingested: Option<(ArrayRef, Vec<i64>)>,
}

impl ColumnArrays {
    fn from_batch(
        batch: &RecordBatch,
        header: &[String],
        columns: &Columns,
        zone: Option<&TimeZone>,
    ) -> Result<Self, String> {
        let column = |i: usize| {
            batch.column_by_name(&header[i]).ok_or_else(|| format!("the column `{}` could not be read", header[i]))
        };
        let mut said = [const { None }; 7];
        for ((slot, i), name) in said.iter_mut().zip(columns.said).zip(SERIES_COLUMNS) {
            let digits = if name == "account" { ACCOUNT_DIGITS } else { 1 };
            *slot = i.map(column).transpose()?.map(|array| Coded::new(array, digits));
        }
        let part = |(i, name): &(usize, String)| Ok::<_, String>((name.clone(), Coded::new(column(*i)?, 1)));
        let parts = columns.parts.iter().map(part).collect::<Result<_, _>>()?;
        let times = Arc::clone(column(columns.ts)?);
        let ingested = columns.ingested_at.map(column).transpose()?;
        Ok(Self {
            said,
            parts,
            period_s: columns.period_s.map(column).transpose()?.map(|a| whole_numbers(a.as_ref())),
            ts: times::read(times.as_ref(), zone),
            times,
            value: numbers(column(columns.value)?.as_ref()),
            ingested: ingested.map(|a| (Arc::clone(a), times::read(a.as_ref(), zone))),
        })
    }

    /// Gives the columns that name a series.
    fn naming(&self) -> impl Iterator<Item = &Coded> + Clone {
        self.said.iter().flatten().chain(self.parts.iter().map(|(_, coded)| coded))
    }

    /// Gives the end of the rows that share all that names a series.
    fn run_end(&self, start: usize) -> usize {
        let mut end = self.ts.len();
        for coded in self.naming() {
            let codes = &coded.codes[start..end];
            end = start + codes.iter().take_while(|&&c| c == codes[0]).count();
        }
        if let Some(periods) = &self.period_s {
            let periods = &periods[start..end];
            end = start + periods.iter().take_while(|&&p| p == periods[0]).count();
        }
        end
    }
}

struct Rows<'p> {
    path: &'p Path,
    constants: &'p Constants,
    zone: Option<TimeZone>,
    first_row: u64,
    known: Known,
}

impl Rows<'_> {
    fn take(&mut self, batch: &ColumnArrays, intake: &mut Intake<'_>) -> Result<(), ImportError> {
        self.known.check(batch);
        let clean = batch.ts.iter().all(|&t| t <= intake.latest && t >= super::EARLIEST_MS)
            && !batch.value.iter().any(|v| v.is_infinite())
            && batch
                .ingested
                .as_ref()
                .is_none_or(|(a, t)| a.null_count() == t.iter().filter(|&&t| t == NO_TIME).count());
        let mut start = 0;
        while start < batch.ts.len() {
            let end = batch.run_end(start);
            match (self.known.number(batch, start, self.constants, intake), clean) {
                (Ok(series), true) => {
                    let ingested = batch.ingested.as_ref().map_or(&[][..], |(_, t)| &t[start..end]);
                    intake.take(series, &batch.ts[start..end], &batch.value[start..end], ingested)?;
                }
                (Ok(series), false) => self.take_each(batch, start..end, series, intake)?,
                (Err(fault), _) => {
                    for row in start..end {
                        intake.faults.row(|| self.place(row), &fault)?;
                    }
                }
            }
            start = end;
        }
        Ok(())
    }

    fn take_each(
        &self,
        batch: &ColumnArrays,
        rows: std::ops::Range<usize>,
        series: u32,
        intake: &mut Intake<'_>,
    ) -> Result<(), ImportError> {
        for row in rows {
            let fault = if batch.ts[row] == NO_TIME {
                Some(times::fault(batch.times.as_ref(), row, self.zone.as_ref()))
            } else {
                intake.fault_of(batch.ts[row], batch.value[row])
            };
            let late = batch.ingested.as_ref().filter(|(a, t)| t[row] == NO_TIME && a.is_valid(row));
            let fault = fault.or_else(|| {
                late.map(|(a, _)| format!("ingested_at: {}", times::fault(a.as_ref(), row, self.zone.as_ref())))
            });
            if let Some(fault) = fault {
                intake.faults.row(|| self.place(row), &fault)?;
                continue;
            }
            let ingested = batch.ingested.as_ref().map_or(&[][..], |(_, t)| &t[row..=row]);
            intake.take(series, &batch.ts[row..=row], &batch.value[row..=row], ingested)?;
        }
        Ok(())
    }

    fn place(&self, row: usize) -> String {
        format!("{}: row {}", self.path.display(), self.first_row + row as u64)
    }
}

/// Remembers series by the codes of their texts for as long as the dictionaries stay the same.
#[derive(Default)]
struct Known {
    texts: Vec<StringArray>,
    numbers: HashMap<u128, u32>,
}

impl Known {
    /// Forgets all when a dictionary has changed. The old ones are held, so that an address means the same array.
    fn check(&mut self, batch: &ColumnArrays) {
        let now = batch.naming().map(|c| &c.texts);
        let same = now.clone().count() == self.texts.len()
            && now.clone().zip(&self.texts).all(|(a, b)| {
                a.len() == b.len()
                    && std::ptr::eq(a.value_offsets(), b.value_offsets())
                    && a.values().ptr_eq(b.values())
            });
        if !same {
            self.texts = now.cloned().collect();
            self.numbers.clear();
        }
    }

    fn number(
        &mut self,
        batch: &ColumnArrays,
        row: usize,
        constants: &Constants,
        intake: &mut Intake<'_>,
    ) -> Result<u32, String> {
        let code = code(batch, row);
        if let Some(&number) = code.and_then(|c| self.numbers.get(&c)) {
            return Ok(number);
        }
        let said = |i: usize| batch.said[i].as_ref().and_then(|c| c.text(row));
        let mut texts: [Option<&str>; 7] = std::array::from_fn(|i| said(i).or(constants[i].as_deref()));
        let parts = batch.parts.iter().filter_map(|(name, coded)| Some((name.as_str(), coded.text(row)?)));
        let device = device(texts[INSTANCE], texts[DEVICE], parts);
        texts[DEVICE] = device.as_deref();
        let period_s = batch.period_s.as_ref().and_then(|p| p[row]);
        let number = intake.table.number(SeriesFields::from_texts(texts, period_s))?;
        if let Some(code) = code {
            self.numbers.insert(code, number);
        }
        Ok(number)
    }
}

/// Folds the codes of a row and its period into one number; none where they do not fit.
fn code(batch: &ColumnArrays, row: usize) -> Option<u128> {
    let mut code = 0_u128;
    for coded in batch.naming() {
        code = code.checked_mul(coded.texts.len() as u128 + 1)?.checked_add((coded.codes[row] + 1) as u128)?;
    }
    match batch.period_s.as_ref().map(|p| p[row]) {
        None => Some(code),
        Some(None) => code.checked_mul(1 << 32),
        Some(Some(p)) => code.checked_mul(1 << 32)?.checked_add(u128::from(u32::try_from(p).ok()?.checked_add(1)?)),
    }
}

/// Reads a column of numbers; null is NaN.
#[expect(clippy::wildcard_enum_match_arm, reason = "the types were checked before; what is left is Boolean")]
fn numbers(array: &dyn Array) -> Vec<f64> {
    match array.data_type() {
        DataType::Float64 => each::<Float64Type, _>(array, |v| v, f64::NAN),
        DataType::Float32 => each::<Float32Type, _>(array, f64::from, f64::NAN),
        DataType::Float16 => each::<Float16Type, _>(array, Half::to_f64, f64::NAN),
        DataType::Decimal32(_, scale) => each::<Decimal32Type, _>(array, |v| decimal(f64::from(v), *scale), f64::NAN),
        DataType::Decimal64(_, scale) => each::<Decimal64Type, _>(array, |v| decimal(v as f64, *scale), f64::NAN),
        DataType::Decimal128(_, scale) => each::<Decimal128Type, _>(array, |v| decimal(v as f64, *scale), f64::NAN),
        DataType::Decimal256(_, scale) => {
            each::<Decimal256Type, _>(array, |v| decimal(v.to_string().parse().unwrap_or(f64::NAN), *scale), f64::NAN)
        }
        DataType::Int8 => each::<Int8Type, _>(array, f64::from, f64::NAN),
        DataType::Int16 => each::<Int16Type, _>(array, f64::from, f64::NAN),
        DataType::Int32 => each::<Int32Type, _>(array, f64::from, f64::NAN),
        DataType::Int64 => each::<Int64Type, _>(array, |v| v as f64, f64::NAN),
        DataType::UInt8 => each::<UInt8Type, _>(array, f64::from, f64::NAN),
        DataType::UInt16 => each::<UInt16Type, _>(array, f64::from, f64::NAN),
        DataType::UInt32 => each::<UInt32Type, _>(array, f64::from, f64::NAN),
        DataType::UInt64 => each::<UInt64Type, _>(array, |v| v as f64, f64::NAN),
        _ => {
            let booleans: &BooleanArray = array.as_boolean();
            booleans.iter().map(|b| b.map_or(f64::NAN, |b| f64::from(u8::from(b)))).collect()
        }
    }
}

/// Gives a decimal number from its digits.
fn decimal(digits: f64, scale: i8) -> f64 {
    digits / 10_f64.powi(i32::from(scale))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the types were checked before; what is left is Int64")]
fn whole_numbers(array: &dyn Array) -> Vec<Option<i64>> {
    match array.data_type() {
        DataType::Int8 => each::<Int8Type, _>(array, |v| Some(i64::from(v)), None),
        DataType::Int16 => each::<Int16Type, _>(array, |v| Some(i64::from(v)), None),
        DataType::Int32 => each::<Int32Type, _>(array, |v| Some(i64::from(v)), None),
        DataType::UInt8 => each::<UInt8Type, _>(array, |v| Some(i64::from(v)), None),
        DataType::UInt16 => each::<UInt16Type, _>(array, |v| Some(i64::from(v)), None),
        DataType::UInt32 => each::<UInt32Type, _>(array, |v| Some(i64::from(v)), None),
        DataType::UInt64 => each::<UInt64Type, _>(array, |v| Some(i64::try_from(v).unwrap_or(i64::MAX)), None),
        _ => each::<Int64Type, _>(array, Some, None),
    }
}

fn each<T: ArrowPrimitiveType, O: Clone>(array: &dyn Array, read: impl Fn(T::Native) -> O, null: O) -> Vec<O> {
    let array = array.as_primitive::<T>();
    let mut out: Vec<O> = array.values().iter().map(|v| read(*v)).collect();
    if let Some(nulls) = array.nulls() {
        for (slot, known) in out.iter_mut().zip(nulls.iter()) {
            if !known {
                *slot = null.clone();
            }
        }
    }
    out
}
