//! Writes what was learned into a rule set's text, keeping everything else, its comments included.

use super::Learned;
use crate::hazard::{HORIZON_NAMES, PerHazard};
use crate::ruleset::Evidence;
use forewarn_domain::signal::SIGNALS;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value, value};

/// Why a rule set's text could not be rewritten.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The text is no TOML.
    #[error("the rule set's text does not read as TOML")]
    Toml(#[from] toml_edit::TomlError),
    /// The text is not that of the rule set that was fitted.
    #[error("the rule set's text has {found} rules where {expected} were fitted")]
    Rules {
        /// Rules in the text.
        found: usize,
        /// Rules fitted.
        expected: usize,
    },
}

/// Puts learned evidence, first-passage weights and calibration into `text`, the rate of the fleets that they were learned from, and
/// `provenance` beside them. Locked rules stay as they are.
///
/// # Errors
/// When `text` is not the rule set's own.
pub fn write(text: &str, learned: &Learned, provenance: &[(&str, String)]) -> Result<String, WriteError> {
    let mut doc: DocumentMut = text.parse()?;
    let rules = doc.get_mut("rule").and_then(Item::as_array_of_tables_mut);
    let found = rules.as_ref().map_or(0, |r| r.len());
    let (Some(rules), true) = (rules, found == learned.evidence.len()) else {
        return Err(WriteError::Rules { found, expected: learned.evidence.len() });
    };
    for (table, evidence) in rules.iter_mut().zip(&learned.evidence) {
        if !table.get("locked").and_then(Item::as_bool).unwrap_or(false) {
            put(table, evidence);
        }
    }
    doc["prior"]["incidents_per_instance_month"] = value(round(learned.incidents_per_instance_month));
    let mut weights = Table::new();
    for spec in &SIGNALS {
        weights.insert(spec.name, each(&learned.passage[spec.signal as usize]));
    }
    doc["passage"]["weights"] = Item::Table(weights);
    let mut calibration = ArrayOfTables::new();
    for (name, knots) in HORIZON_NAMES.iter().zip(&learned.calibration) {
        let mut table = Table::new();
        table.insert("horizon", value(*name));
        let knots: Array = knots.iter().map(|&(x, y)| Array::from_iter([round(x), round(y)])).collect();
        table.insert("knots", value(knots));
        calibration.push(table);
    }
    doc["calibration"] = Item::ArrayOfTables(calibration);
    let mut table = Table::new();
    for (key, text) in provenance {
        table.insert(key, value(text.as_str()));
    }
    doc["provenance"] = Item::Table(table);
    Ok(doc.to_string())
}

fn put(table: &mut Table, evidence: &Evidence) {
    match evidence {
        Evidence::Constant(e) => {
            table["evidence"] = each(e);
            table.remove("horizons");
        }
        Evidence::Binned { bins, .. } => {
            let bins: Array =
                bins.iter().map(|(edge, e)| [*edge].into_iter().chain(e.map(round)).collect::<Array>()).collect();
            table.remove("horizons");
            if let Some(inline) = table.get_mut("evidence").and_then(Item::as_inline_table_mut) {
                set(inline, "bins", bins);
            }
        }
    }
}

/// One number for each hazard.
fn each(weights: &PerHazard) -> Item {
    value(weights.iter().copied().map(round).collect::<Array>())
}

fn set(inline: &mut InlineTable, key: &str, bins: Array) {
    inline.insert(key, Value::Array(bins));
}

/// Four decimals are more than any history can tell; fewer digits keep the file readable.
fn round(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}
