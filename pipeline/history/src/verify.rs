//! Checks every metric file: readable, columns, order, day and bucket, statistics, finite values.

use super::History;
use super::constant::time_range;
use super::error::{HistoryError, Result};
use super::files::MetricFile;
use super::key::{METRICS, Partition, SeriesKey, bucket_of};
use super::read::{RunReader, Want, open_metadata};
use super::rows::{EventRow, IncidentRow, InstanceRow, TableRow};
use super::schema::{INSTANCE, TS};
use super::table_files::EVER;
use forewarn_runtime::time::{format_day, format_ms};
use serde::Serialize;

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file, from the root.
    pub file: String,
    /// What is wrong.
    pub fault: String,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Files checked.
    pub files: u64,
    /// Rows in the files that could be read.
    pub rows: u64,
    /// The first fault of each bad file.
    pub faults: Vec<Fault>,
}

impl History {
    /// Checks every metric file and table. Faults are findings; an error means that the check itself failed.
    pub fn verify(&self) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        for entry in self.store().list(METRICS)? {
            if entry.path.ends_with(".parquet") && Partition::from_path(&entry.path).is_none() {
                let fault = "the path is not metrics/date=YYYY-MM-DD/bucket=BB/NAME.parquet".to_owned();
                report.faults.push(Fault { file: entry.path, fault });
            }
        }
        for file in self.metric_files(None, i64::MIN, i64::MAX)? {
            report.files += 1;
            match self.check(&file) {
                Ok(rows) => report.rows += rows,
                Err(e) => report.faults.push(Fault { file: file.entry.path, fault: words(e)? }),
            }
        }
        self.verify_table::<InstanceRow>(&mut report)?;
        self.verify_table::<EventRow>(&mut report)?;
        self.verify_table::<IncidentRow>(&mut report)?;
        Ok(report)
    }

    fn verify_table<R: TableRow>(&self, report: &mut VerifyReport) -> Result<()> {
        for file in self.table_files(R::TABLE, &EVER)? {
            let read = self.each_row(std::slice::from_ref(&file), |table, i| {
                let row = R::decode(table, i)?;
                // What is known of instances is gathered in a file of a later day.
                if file.day.is_none_or(|day| if R::GATHERED { row.day() <= day } else { row.day() == day }) {
                    return Ok(());
                }
                let fault = format!("a row of {} stands in the wrong day", format_day(row.day()));
                Err(HistoryError::corrupt(&file.entry.path, fault))
            });
            if let Err(e) = read {
                report.faults.push(Fault { file: file.entry.path.clone(), fault: words(e)? });
            }
        }
        Ok(())
    }

    fn check(&self, file: &MetricFile) -> Result<u64> {
        let path = &file.entry.path;
        let bad = |fault: String| HistoryError::corrupt(path, fault);
        if file.partition.bucket >= self.buckets() {
            return Err(bad(format!("bucket {} of {}", file.partition.bucket, self.buckets())));
        }
        let open = self.store().open_file(&file.entry)?;
        let meta = open_metadata(path, &open)?;
        for (i, group) in meta.metadata().row_groups().iter().enumerate() {
            if time_range(group).is_none() {
                return Err(bad(format!("row group {i} has no statistics of ts (column {TS})")));
            }
            if group.column(INSTANCE).statistics().is_none_or(|s| s.min_bytes_opt().is_none()) {
                return Err(bad(format!("row group {i} has no statistics of instance_id (column {INSTANCE})")));
            }
        }
        let want = Want { all_columns: true, ..Want::default() };
        let Some(mut reader) = RunReader::open(path.clone(), open, want)? else {
            return Err(bad("it has no rows".to_owned()));
        };
        let mut last: Option<(SeriesKey, i64)> = None;
        let mut rows = 0_u64;
        loop {
            let (ts, value, _) = reader.samples();
            let key = reader.key();
            check_run(key, ts, value, last.as_ref()).map_err(bad)?;
            check_place(self, file.partition, key, ts).map_err(bad)?;
            if !reader.statistics_hold() {
                return Err(bad(format!(
                    "the statistics contradict the rows of `{}` `{}`",
                    key.instance_id, key.metric
                )));
            }
            rows += ts.len() as u64;
            let newest = ts.last().copied().unwrap_or_default();
            match &mut last {
                Some((held, at)) => {
                    if held != key {
                        held.clone_from(key);
                    }
                    *at = newest;
                }
                None => last = Some((key.clone(), newest)),
            }
            if !reader.advance()? {
                return Ok(rows);
            }
        }
    }
}

fn check_run(key: &SeriesKey, ts: &[i64], value: &[f64], last: Option<&(SeriesKey, i64)>) -> Result<(), String> {
    let name = || format!("`{}` `{}`", key.instance_id, key.metric);
    if let Some((held, at)) = last {
        let order = held.sort_group().cmp(&key.sort_group()).then_with(|| at.cmp(&ts[0]));
        if order.is_gt() {
            return Err(format!("not sorted: {} at {} stands too late", name(), format_ms(ts[0])));
        }
    }
    if let Some(i) = ts.windows(2).position(|w| w[0] > w[1]) {
        return Err(format!("not sorted: {} at {} stands too late", name(), format_ms(ts[i + 1])));
    }
    if let Some(i) = value.iter().position(|v| !v.is_finite()) {
        return Err(format!("the value of {} at {} is {}", name(), format_ms(ts[i]), value[i]));
    }
    if key.period_s < 1 {
        return Err(format!("the period of {} is {} s", name(), key.period_s));
    }
    Ok(())
}

fn check_place(history: &History, partition: Partition, key: &SeriesKey, ts: &[i64]) -> Result<(), String> {
    let bucket = bucket_of(&key.instance_id, history.buckets());
    if bucket != partition.bucket {
        return Err(format!("instance `{}` belongs in bucket {bucket:02}", key.instance_id));
    }
    match ts.iter().find(|&&t| Partition::of(bucket, t).day != partition.day) {
        Some(&t) => Err(format!("a sample of {} stands in the wrong day", format_ms(t))),
        None => Ok(()),
    }
}

/// Gives the fault in words; an error that is no fault of a file stays one.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other error is about one file's content")]
fn words(e: HistoryError) -> Result<String> {
    match e {
        HistoryError::Corrupt { fault, .. } => Ok(fault),
        HistoryError::Parquet { source, .. } => Ok(format!("not readable as Parquet: {source}")),
        other => Err(other),
    }
}
