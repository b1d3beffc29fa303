//! What `aws cloudwatch get-metric-statistics` and `get-metric-data` print, laid out as CSV.

use super::options::ImportOptions;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Either document.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    label: Option<String>,
    datapoints: Option<Vec<Datapoint>>,
    metric_data_results: Option<Vec<DataResult>>,
}

/// A point of `get-metric-statistics`: each statistic that was asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Datapoint {
    timestamp: Value,
    average: Option<f64>,
    sum: Option<f64>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    sample_count: Option<f64>,
    #[serde(default)]
    extended_statistics: BTreeMap<String, f64>,
}

/// A series of `get-metric-data`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataResult {
    id: String,
    label: Option<String>,
    timestamps: Vec<Value>,
    values: Vec<f64>,
}

/// A row of the table.
struct Row<'a> {
    metric: &'a str,
    stat: &'a str,
    ts: &'a Value,
    value: f64,
}

/// Lays a document out; fails with the fault.
pub(super) fn as_csv(text: &[u8], options: &ImportOptions) -> Result<Vec<u8>, String> {
    let printed: Printed = serde_json::from_slice(text).map_err(|e| format!("is no JSON that can be read: {e}"))?;
    match (printed.datapoints, printed.metric_data_results) {
        (Some(points), None) => {
            let label = printed.label.unwrap_or_default();
            let rows = points.iter().flat_map(|p| p.statistics().map(move |(stat, value)| (p, stat, value)));
            table(options, rows.map(|(p, stat, value)| Row { metric: &label, stat, ts: &p.timestamp, value }))
        }
        (None, Some(results)) => {
            if options.metric.is_some() && results.len() > 1 {
                let n = results.len();
                return Err(format!("has {n} results; leave --metric out, and each is a metric by its label"));
            }
            for one in &results {
                if one.timestamps.len() != one.values.len() {
                    let (times, values) = (one.timestamps.len(), one.values.len());
                    return Err(format!("the result {} has {times} times and {values} values", one.id));
                }
            }
            let rows = results.iter().flat_map(|one| {
                let metric = one.label.as_deref().unwrap_or(&one.id);
                let points = one.timestamps.iter().zip(&one.values);
                points.map(move |(ts, &value)| Row { metric, stat: "", ts, value })
            });
            table(options, rows)
        }
        (Some(_), Some(_)) | (None, None) => {
            Err("is JSON, but not what `aws cloudwatch get-metric-statistics` or `get-metric-data` print; tables are read as CSV \
                 or Parquet"
                .to_owned())
        }
    }
}

impl Datapoint {
    fn statistics(&self) -> impl Iterator<Item = (&str, f64)> {
        let named = [
            ("Average", self.average),
            ("Sum", self.sum),
            ("Minimum", self.minimum),
            ("Maximum", self.maximum),
            ("SampleCount", self.sample_count),
        ];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
        named.chain(self.extended_statistics.iter().map(|(name, value)| (name.as_str(), *value)))
    }
}

fn table<'a>(options: &ImportOptions, rows: impl Iterator<Item = Row<'a>>) -> Result<Vec<u8>, String> {
    let said = options.metric.is_none();
    let mut out = csv::Writer::from_writer(Vec::new());
    let header: &[&str] = if said { &["ts", "value", "stat", "metric"] } else { &["ts", "value", "stat"] };
    out.write_record(header).map_err(|e| e.to_string())?;
    for row in rows {
        let (ts, value) = (time(row.ts), row.value.to_string());
        let fields = [ts.as_str(), value.as_str(), row.stat, row.metric];
        out.write_record(fields.iter().take(header.len())).map_err(|e| e.to_string())?;
    }
    out.into_inner().map_err(|e| e.to_string())
}

/// Writes a time as it stands: a text, or seconds since 1970.
fn time(ts: &Value) -> String {
    match ts {
        Value::String(text) => text.clone(),
        Value::Number(n) => {
            n.as_f64().filter(|s| s.fract() == 0.0).map_or_else(|| n.to_string(), |s| format!("{s:.0}"))
        }
        other @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(text: &str, metric: Option<&str>) -> Result<String, String> {
        let options = ImportOptions { metric: metric.map(str::to_owned), ..ImportOptions::at(0) };
        as_csv(text.as_bytes(), &options).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn both_documents_become_tables() {
        let statistics = r#"{"Label": "CPUUtilization", "Datapoints": [
            {"Timestamp": "2026-01-01T00:00:00+00:00", "Average": 1.5, "Maximum": 2, "Unit": "Percent"},
            {"Timestamp": 1767225900.0, "ExtendedStatistics": {"p99": 3.0}}]}"#;
        let rows = "2026-01-01T00:00:00+00:00,1.5,Average,CPUUtilization\n2026-01-01T00:00:00+00:00,2,Maximum,CPUUtilization\n\
                    1767225900,3,p99,CPUUtilization\n";
        assert_eq!(laid_out(statistics, None).unwrap(), format!("ts,value,stat,metric\n{rows}"));
        let data = r#"{"MetricDataResults": [{"Id": "m1", "Label": "a", "Timestamps": ["2026-01-01T00:00:00Z"], "Values": [1]},
            {"Id": "m2", "Timestamps": [], "Values": []}], "Messages": []}"#;
        assert_eq!(laid_out(data, None).unwrap(), "ts,value,stat,metric\n2026-01-01T00:00:00Z,1,,a\n");
        assert!(laid_out(data, Some("x")).unwrap_err().contains("leave --metric out"));
    }

    #[test]
    fn what_is_neither_is_refused_in_words() {
        assert!(laid_out("{\"a\": 1}", None).unwrap_err().contains("get-metric-data"));
        assert!(laid_out("{\"a\": ", None).unwrap_err().contains("no JSON"));
        assert!(laid_out(&format!("{{\"a\": {}", "[".repeat(10_000)), None).unwrap_err().contains("no JSON"));
        let uneven = r#"{"MetricDataResults": [{"Id": "m1", "Timestamps": [], "Values": [1]}]}"#;
        assert!(laid_out(uneven, None).unwrap_err().contains("0 times and 1 values"));
    }
}
