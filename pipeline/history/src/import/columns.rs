//! Finds the columns of an input by their names, given or usual.

use super::options::ImportOptions;
use super::series::{Constants, SERIES_COLUMNS};
use forewarn_domain::device;
use std::collections::HashSet;

/// Where the columns of an input are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    /// The text columns that name the series, in the order of [`SERIES_COLUMNS`].
    pub(super) said: [Option<usize>; 7],
    /// The text columns that say what of the instance is measured, and as what.
    pub(super) parts: Vec<(usize, String)>,
    /// The columns that nobody knows.
    pub(super) unknown: Vec<usize>,
    pub(super) period_s: Option<usize>,
    pub(super) ts: usize,
    pub(super) value: usize,
    pub(super) ingested_at: Option<usize>,
}

/// Names that a column goes by where the options name none.
fn usual(column: &str) -> &'static [&'static str] {
    match column {
        "ts" => &["ts", "timestamp", "time", "Timestamp"],
        "value" => &["value", "Value"],
        "instance_id" => &["instance_id", "InstanceId"],
        "metric" => &["metric", "metric_name", "MetricName"],
        "namespace" => &["namespace", "Namespace"],
        "stat" => &["stat", "statistic", "Stat"],
        "device" => &["device"],
        "account" => &["account", "account_id", "AccountId"],
        "region" => &["region", "Region"],
        "period_s" => &["period_s"],
        "ingested_at" => &["ingested_at"],
        _ => &[],
    }
}

/// Says whether a column of that name is this one.
pub(super) fn usual_name(column: &str, name: &str) -> bool {
    usual(column).contains(&name)
}

const OTHERS: [&str; 4] = ["period_s", "ts", "value", "ingested_at"];

/// The most columns that a file may have.
const MOST_COLUMNS: usize = 10_000;

/// Finds the columns by the header, but for those that the path of the file gives; fails with the fault. Columns of the names `joined` join the
/// device.
pub(super) fn find(
    header: &[String],
    options: &ImportOptions,
    constants: &Constants,
    joined: &[String],
) -> Result<Columns, String> {
    if header.len() > MOST_COLUMNS {
        return Err(format!("the file has {} columns; at most {MOST_COLUMNS} are read", header.len()));
    }
    for column in options.columns.keys() {
        if !SERIES_COLUMNS.contains(&column.as_str()) && !OTHERS.contains(&column.as_str()) {
            let known: Vec<&str> = SERIES_COLUMNS.into_iter().chain(OTHERS).collect();
            return Err(format!("`{column}` is no column that can be mapped; these are: {}", known.join(", ")));
        }
    }
    let mut names = HashSet::new();
    if let Some(name) = header.iter().find(|name| !names.insert(name.as_str())) {
        return Err(format!("the column `{name}` stands twice"));
    }
    let position = |name: &str| header.iter().position(|h| h == name);
    let find = |column: &str| match options.columns.get(column) {
        Some(name) => position(name).map(Some).ok_or_else(|| missing(header, name, column)),
        None => Ok(usual(column).iter().find_map(|name| position(name))),
    };
    let needed = |column: &str| find(column)?.ok_or_else(|| missing(header, column, column));
    let mut said = [None; 7];
    for (slot, column) in said.iter_mut().zip(SERIES_COLUMNS) {
        *slot = find(column)?;
    }
    for (i, (column, given)) in
        [("instance_id", &options.instance), ("metric", &options.metric)].into_iter().enumerate()
    {
        match (said[i], given) {
            (None, None) if constants[i].is_none() => {
                let option = if i == 0 { "--instance" } else { "--metric" };
                return Err(format!("{}, or give {option} for a file of one series", missing(header, column, column)));
            }
            (Some(at), Some(given)) => {
                return Err(format!(
                    "the file has a column `{}`, so `{given}` cannot be given for all rows",
                    header[at]
                ));
            }
            (None, Some(_) | None) | (Some(_), None) => {}
        }
    }
    let taken = |at: usize| said.contains(&Some(at)) || options.columns.values().any(|name| *name == header[at]);
    let (period_s, ts, value, ingested_at) = (find("period_s")?, needed("ts")?, needed("value")?, find("ingested_at")?);
    let others = [Some(ts), Some(value), period_s, ingested_at];
    let (mut parts, mut unknown) = (Vec::new(), Vec::new());
    for (at, name) in header.iter().enumerate().filter(|(at, _)| !taken(*at) && !others.contains(&Some(*at))) {
        match device::part(name) {
            Some(part) => parts.push((at, part.to_owned())),
            None if joined.contains(name) => parts.push((at, name.clone())),
            None if name.is_empty() || name == "imported_at" => {}
            None => unknown.push(at),
        }
    }
    Ok(Columns { said, parts, unknown, period_s, ts, value, ingested_at })
}

fn missing(header: &[String], name: &str, column: &str) -> String {
    let mut text = format!("the column `{name}` is missing; the file has {}", listed(header));
    let wanted = name.to_lowercase();
    let nearest = header.iter().map(|h| (distance(&h.to_lowercase(), &wanted), h)).min();
    if let Some((d, nearest)) = nearest.filter(|(d, _)| *d <= 2.max(wanted.len() / 3)) {
        let note = if d == 0 { " (case matters)" } else { "" };
        text = format!("{text}; the nearest is `{nearest}`{note}");
    }
    format!("{text}; map it with {column}=NAME")
}

fn listed(header: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut names: Vec<String> = header.iter().take(SHOWN).map(|h| format!("`{h}`")).collect();
    if header.len() > SHOWN {
        names.push(format!("{} more", header.len() - SHOWN));
    }
    names.join(", ")
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{Columns, Constants, ImportOptions};

    fn find(header: &[String], options: &ImportOptions, constants: &Constants) -> Result<Columns, String> {
        super::find(header, options, constants, &[])
    }

    fn header(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn usual_and_mapped_names_are_found() {
        let mut options = ImportOptions::at(0);
        let found =
            find(&header(&["timestamp", "value", "metric", "instance_id"]), &options, &Constants::default()).unwrap();
        assert_eq!((found.ts, found.value, found.said[0], found.said[1]), (0, 1, Some(3), Some(2)));
        options.columns.insert("ts".into(), "When".into());
        let found =
            find(&header(&["ts", "value", "metric", "instance_id", "When"]), &options, &Constants::default()).unwrap();
        assert_eq!(found.ts, 4);
    }

    #[test]
    fn a_missing_column_is_named_with_what_there_is_and_the_nearest() {
        let fault = find(&header(&["instance", "metric", "ts", "value"]), &ImportOptions::at(0), &Constants::default())
            .unwrap_err();
        assert_eq!(
            fault,
            "the column `instance_id` is missing; the file has `instance`, `metric`, `ts`, `value`; the nearest is \
             `instance`; map it with instance_id=NAME, or give --instance for a file of one series"
        );
        let fault =
            find(&header(&["instance_id", "metric", "when", "value"]), &ImportOptions::at(0), &Constants::default())
                .unwrap_err();
        assert!(fault.starts_with("the column `ts` is missing; the file has `instance_id`"), "{fault}");
    }

    #[test]
    fn columns_that_say_what_is_measured_are_parts_of_the_device() {
        let names = ["instance_id", "metric", "ts", "value", "VolumeId", "note", "mountpoint", "instance"];
        let found = find(&header(&names), &ImportOptions::at(0), &Constants::default()).unwrap();
        assert_eq!(found.parts, [(4, "volume"), (6, "path"), (7, "instance")].map(|(at, part)| (at, part.to_owned())));
        let mut options = ImportOptions::at(0);
        options.columns.insert("instance_id".into(), "instance".into());
        let found = find(&header(&["instance", "metric", "ts", "value"]), &options, &Constants::default()).unwrap();
        assert_eq!((found.said[0], found.parts.len()), (Some(0), 0));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let mut options = ImportOptions::at(0);
        assert!(
            find(&header(&["instance_id", "metric", "ts", "value", "ts"]), &options, &Constants::default())
                .unwrap_err()
                .contains("twice")
        );
        options.instance = Some("i-1".into());
        assert!(
            find(&header(&["instance_id", "metric", "ts", "value"]), &options, &Constants::default())
                .unwrap_err()
                .contains("cannot be given")
        );
        options.instance = None;
        options.columns.insert("tss".into(), "x".into());
        assert!(
            find(&header(&["instance_id", "metric", "ts", "value"]), &options, &Constants::default())
                .unwrap_err()
                .contains("no column that can be mapped")
        );
    }
}
