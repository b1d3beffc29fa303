//! Holds the feature table: one row for each (instance, `as_of`), one column for each feature.

use crate::feature::{WIDTH, columns};
use crate::remark::Remark;
use forewarn_domain::prior::Prior;
use polars::prelude::{Column, DataFrame, IntoColumn, NamedFrom, PolarsResult, Series};

/// Features of many (instance, `as_of`) rows, column by column; NaN stands for "not known" until [`FeatureTable::to_frame`] makes it null.
#[derive(Debug, Clone, Default)]
pub struct FeatureTable {
    /// The instance id of each row.
    pub instance_ids: Vec<String>,
    /// The time of each row, milliseconds since the epoch, UTC.
    pub as_of: Vec<i64>,
    /// [`WIDTH`] columns of equal length, in the order of [`columns`].
    pub values: Vec<Vec<f64>>,
    /// For each signal that has devices, the device the features speak of, row by row.
    pub devices: Vec<Vec<Option<String>>>,
    /// What is to be said of each row beside its features.
    pub remarks: Vec<Vec<Remark>>,
    /// The rate of incidents that each row is held against, in an instance's month; NaN where the rule set's own is.
    pub rates: Vec<f64>,
    /// The base rate that all rows are held against, where it was told.
    pub prior: Option<Prior>,
}

impl FeatureTable {
    /// Makes an empty table with all columns in place.
    pub fn new() -> Self {
        Self {
            values: vec![Vec::new(); WIDTH],
            devices: vec![Vec::new(); forewarn_domain::signal::SIGNALS.len()],
            ..Self::default()
        }
    }

    /// Adds one row: `features` has [`WIDTH`] values, `devices` one entry for each signal.
    pub fn push(&mut self, instance_id: &str, as_of: i64, features: &[f64], devices: &[Option<String>]) {
        debug_assert_eq!(features.len(), WIDTH);
        self.instance_ids.push(instance_id.to_owned());
        self.as_of.push(as_of);
        for (column, value) in self.values.iter_mut().zip(features) {
            column.push(*value);
        }
        for (column, device) in self.devices.iter_mut().zip(devices) {
            column.push(device.clone());
        }
        self.remarks.push(Vec::new());
        self.rates.push(f64::NAN);
    }

    /// Holds the row that was added last against a rate, incidents in an instance's month.
    pub fn set_rate(&mut self, incidents_per_instance_month: f64) {
        if let Some(last) = self.rates.last_mut() {
            *last = incidents_per_instance_month;
        }
    }

    /// Holds every row against one base rate.
    pub fn set_prior(&mut self, prior: Prior) {
        self.rates.fill(prior.incidents_per_instance_month);
        self.prior = Some(prior);
    }

    /// Says what is to be said of the row that was added last.
    pub fn remark(&mut self, remarks: &[Remark]) {
        if let Some(last) = self.remarks.last_mut() {
            last.extend_from_slice(remarks);
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.as_of.len()
    }

    /// True when there is no row.
    pub fn is_empty(&self) -> bool {
        self.as_of.is_empty()
    }

    /// Gives the value of column `index` in `row`; NaN when unknown.
    pub fn get(&self, row: usize, index: usize) -> f64 {
        self.values[index][row]
    }

    /// Makes a table of one row.
    #[must_use]
    pub fn only(&self, row: usize) -> Self {
        let features: Vec<f64> = self.values.iter().map(|c| c[row]).collect();
        let devices: Vec<Option<String>> = self.devices.iter().map(|c| c.get(row).cloned().flatten()).collect();
        let mut one = Self::new();
        one.push(&self.instance_ids[row], self.as_of[row], &features, &devices);
        one.remark(self.remarks.get(row).map_or(&[], Vec::as_slice));
        one.set_rate(self.rates[row]);
        one.prior.clone_from(&self.prior);
        one
    }

    /// Makes the Polars frame that rules run on: `instance_id`, `as_of` (milliseconds, Int64) and all features, NaN as null.
    ///
    /// # Errors
    /// When Polars refuses the columns, which means their lengths differ.
    pub fn to_frame(&self) -> PolarsResult<DataFrame> {
        let mut out: Vec<Column> = Vec::with_capacity(WIDTH + 2);
        out.push(Series::new("instance_id".into(), &self.instance_ids).into_column());
        out.push(Series::new("as_of".into(), &self.as_of).into_column());
        for (name, column) in columns().iter().zip(&self.values) {
            let nullable: Vec<Option<f64>> = column.iter().map(|v| (!v.is_nan()).then_some(*v)).collect();
            out.push(Series::new(name.as_str().into(), nullable).into_column());
        }
        DataFrame::new(self.len(), out)
    }
}
