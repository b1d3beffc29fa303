//! Holds one decoded batch of a metric file and finds where its runs end.

use super::constant::{constant_period, constant_text, constant_time};
use super::key::NOT_INGESTED;
use super::schema::{IMPORTED, INGESTED, TEXT_COLUMNS};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMillisecondType};
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_buffer::ScalarBuffer;
use parquet::file::metadata::RowGroupMetaData;
use std::ops::{BitOr, BitXor};

/// The texts of one column of a batch.
#[derive(Debug)]
pub(crate) enum TextValues {
    /// The same in every row.
    Constant(Option<String>),
    /// A code for each row, -1 for null, and the texts that the codes stand for.
    Coded(ScalarBuffer<i32>, StringArray),
}

impl TextValues {
    /// Gives the text of a row.
    pub(crate) fn text(&self, row: usize) -> Option<&str> {
        match self {
            Self::Constant(text) => text.as_deref(),
            Self::Coded(codes, texts) => usize::try_from(codes[row]).ok().map(|code| texts.value(code)),
        }
    }
}

/// The periods of a batch.
#[derive(Debug)]
pub(crate) enum Periods {
    /// The same in every row.
    Constant(i32),
    /// One for each row.
    Each(ScalarBuffer<i32>),
}

impl Periods {
    /// Gives the period of a row.
    pub(crate) fn at(&self, row: usize) -> i32 {
        match self {
            Self::Constant(p) => *p,
            Self::Each(p) => p[row],
        }
    }
}

/// When the rows of a batch were imported; [`NOT_IMPORTED`] marks one that was not.
#[derive(Debug)]
pub(crate) enum Imports {
    /// The same in every row.
    Constant(i64),
    /// One for each row.
    Each(ScalarBuffer<i64>),
}

/// Marks a row that no import brought.
pub(crate) const NOT_IMPORTED: i64 = i64::MIN;

impl Imports {
    /// Gives the time of a row, where it has one.
    pub(crate) fn at(&self, row: usize) -> Option<i64> {
        let at = match self {
            Self::Constant(at) => *at,
            Self::Each(each) => each[row],
        };
        (at != NOT_IMPORTED).then_some(at)
    }
}

/// One decoded batch.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) rows: usize,
    pub(crate) texts: [TextValues; 7],
    pub(crate) period: Periods,
    pub(crate) ts: ScalarBuffer<i64>,
    pub(crate) value: ScalarBuffer<f64>,
    /// Empty where no row has one; [`NOT_INGESTED`] marks a row without.
    pub(crate) ingested: ScalarBuffer<i64>,
    pub(crate) imports: Imports,
    ends: RunEnds,
}

/// Up to which row each column of the key is known to say the same, so that those that rarely change are looked at once.
#[derive(Debug, Default)]
struct RunEnds {
    texts: [usize; TEXT_COLUMNS.len()],
    period: usize,
    imports: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            rows: 0,
            texts: std::array::from_fn(|_| TextValues::Constant(None)),
            period: Periods::Constant(0),
            ts: Vec::new().into(),
            value: Vec::new().into(),
            ingested: Vec::new().into(),
            imports: Imports::Constant(NOT_IMPORTED),
            ends: RunEnds::default(),
        }
    }
}

impl Batch {
    /// Takes over a record batch; columns that it lacks are constant in its row group. Fails with the fault.
    pub(crate) fn take(batch: &RecordBatch, group: &RowGroupMetaData, keys_only: bool) -> Result<Self, String> {
        let mut texts = std::array::from_fn(|_| TextValues::Constant(None));
        for (i, name) in TEXT_COLUMNS.iter().enumerate() {
            texts[i] = match batch.column_by_name(name) {
                Some(array) => coded(array.as_ref(), name)?,
                None => TextValues::Constant(constant_text(group, i)?),
            };
        }
        let period = match batch.column_by_name("period_s") {
            Some(array) => {
                Periods::Each(full(array.as_ref(), "period_s")?.as_primitive::<Int32Type>().values().clone())
            }
            None => Periods::Constant(constant_period(group)?),
        };
        let rows = batch.num_rows();
        if keys_only {
            return Ok(Self { rows, texts, period, ..Self::default() });
        }
        let ts = batch.column_by_name("ts").ok_or("column `ts` is missing")?;
        let ts = full(ts.as_ref(), "ts")?.as_primitive::<TimestampMillisecondType>().values().clone();
        let value = batch.column_by_name("value").ok_or("column `value` is missing")?;
        let value = full(value.as_ref(), "value")?.as_primitive::<Float64Type>().values().clone();
        let ingested = match batch.column_by_name("ingested_at") {
            Some(array) => times(array.as_ref()),
            None => constant_time(group, INGESTED).map_or_else(Vec::new, |t| vec![t; ts.len()]).into(),
        };
        let imports = match batch.column_by_name("imported_at").map(|array| times(array.as_ref())) {
            Some(each) if !each.is_empty() => Imports::Each(each),
            Some(_) => Imports::Constant(NOT_IMPORTED),
            None => Imports::Constant(constant_time(group, IMPORTED).unwrap_or(NOT_IMPORTED)),
        };
        Ok(Self { rows, texts, period, ts, value, ingested, imports, ends: RunEnds::default() })
    }

    /// Gives the end of the run that starts at a row: the first later row that differs in any column of the key, or came with
    /// another import. Runs are asked for in order.
    pub(crate) fn run_end(&mut self, start: usize) -> usize {
        let mut end = self.rows;
        for (column, known) in self.texts.iter().zip(&mut self.ends.texts) {
            if let TextValues::Coded(codes, _) = column {
                end = end.min(end_of_run(codes, start, known));
            }
        }
        if let Periods::Each(periods) = &self.period {
            end = end.min(end_of_run(periods, start, &mut self.ends.period));
        }
        if let Imports::Each(imports) = &self.imports {
            end = end.min(end_of_run(imports, start, &mut self.ends.imports));
        }
        end
    }
}

/// Gives up to where the codes are what they are at `start`; `known` is what was found of the run before.
fn end_of_run<T: Copy + Default + PartialEq + BitOr<Output = T> + BitXor<Output = T>>(
    codes: &[T],
    start: usize,
    known: &mut usize,
) -> usize {
    if *known <= start {
        *known = start + same(&codes[start..]);
    }
    *known
}

/// Counts the leading elements that equal the first, comparing in blocks so that the compiler can vectorise.
fn same<T: Copy + Default + PartialEq + BitOr<Output = T> + BitXor<Output = T>>(codes: &[T]) -> usize {
    const BLOCK: usize = 64;
    let Some(&first) = codes.first() else { return 0 };
    let mut n = 0;
    for block in codes.chunks_exact(BLOCK) {
        if block.iter().fold(T::default(), |diff, &c| diff | (c ^ first)) != T::default() {
            break;
        }
        n += BLOCK;
    }
    n + codes[n..].iter().take_while(|&&c| c == first).count()
}

fn full<'a>(array: &'a dyn Array, name: &str) -> Result<&'a dyn Array, String> {
    if array.null_count() > 0 { Err(format!("column `{name}` has nulls")) } else { Ok(array) }
}

fn coded(array: &dyn Array, name: &str) -> Result<TextValues, String> {
    let dictionary = array.as_dictionary::<Int32Type>();
    let texts = dictionary.values().as_string::<i32>().clone();
    let keys = dictionary.keys();
    match keys.nulls() {
        Some(nulls) if nulls.null_count() > 0 => {
            if name != "device" {
                return Err(format!("column `{name}` has nulls"));
            }
            let codes = keys.values().iter().zip(nulls.iter()).map(|(&k, known)| if known { k } else { -1 });
            Ok(TextValues::Coded(codes.collect(), texts))
        }
        Some(_) | None => Ok(TextValues::Coded(keys.values().clone(), texts)),
    }
}

/// Gives times, [`NOT_INGESTED`] for null; empty where all are.
fn times(array: &dyn Array) -> ScalarBuffer<i64> {
    let array = array.as_primitive::<TimestampMillisecondType>();
    match array.nulls() {
        Some(nulls) if nulls.null_count() == array.len() => Vec::new().into(),
        Some(nulls) if nulls.null_count() > 0 => {
            array.values().iter().zip(nulls.iter()).map(|(&t, known)| if known { t } else { NOT_INGESTED }).collect()
        }
        Some(_) | None => array.values().clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_run_ends_where_a_plain_loop_ends_it(n in 0_usize..300, tail in proptest::collection::vec(0_i32..2, 0..80)) {
            let mut codes = vec![1; n];
            codes.extend(tail);
            let plain = codes.iter().take_while(|&&c| Some(&c) == codes.first()).count();
            prop_assert_eq!(same(&codes), plain);
        }

        /// Row by row, of columns that change on their own.
        #[test]
        fn runs_end_wherever_any_column_of_the_key_changes(
            steps in proptest::collection::vec((1_usize..90, 0_usize..4), 1..30),
            cut in 0_usize..90,
        ) {
            let (mut columns, mut row) = ([const { Vec::new() }; 4], [0_i32; 4]);
            for (rows, changes) in steps {
                row[changes] += 1;
                columns.iter_mut().zip(row).for_each(|(column, v)| column.resize(column.len() + rows, v));
            }
            let rows = columns[0].len();
            let row = |i: usize| columns.each_ref().map(|c| c[i]);
            let [a, b, period, import] = columns.clone();
            let coded = |codes: Vec<i32>| TextValues::Coded(codes.into(), StringArray::from_iter_values([""]));
            let mut batch = Batch { rows, period: Periods::Each(period.into()), ..Batch::default() };
            (batch.texts[1], batch.texts[4]) = (coded(a), coded(b));
            batch.imports = Imports::Each(import.into_iter().map(i64::from).collect());
            let mut start = 0;
            while start < rows {
                let plain = (start..rows).take_while(|i| row(*i) == row(start)).count();
                prop_assert_eq!(batch.run_end(start), start + plain);
                // What is cut off behind shares the key.
                start += plain.saturating_sub(cut).max(1);
            }
        }
    }
}
