//! The prior: how often a fleet fails, which is what probabilities start from.

use crate::id::digest;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Incidents from which on a rate is known well enough to be told as one number.
const ENOUGH: u64 = 20;

/// Where a rate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PriorSource {
    /// Somebody stated it.
    Stated,
    /// Known incidents were counted.
    Incidents,
    /// No incident is known of either way: it is what the evidence on all instances, taken together, speaks for.
    Evidence,
}

/// How often a fleet fails: the rate that probabilities start from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Prior {
    /// Identifies it: made from all that it says.
    pub prior_id: String,
    /// Incidents in an instance's month of 30 days.
    pub incidents_per_instance_month: f64,
    /// The 5 % quantile of the rate.
    pub low: f64,
    /// The 95 % quantile of the rate.
    pub high: f64,
    /// Where it comes from.
    pub source: PriorSource,
    /// Known incidents that were counted.
    pub incidents: u64,
    /// The instance months in which they were counted.
    pub instance_months: f64,
    /// The instances whose evidence was looked at; 0 where incidents are known.
    pub instances: u64,
}

impl Prior {
    /// Gives the rate that somebody stated.
    pub fn stated(incidents_per_instance_month: f64) -> Self {
        let rate = incidents_per_instance_month;
        Self {
            prior_id: String::new(),
            incidents_per_instance_month: rate,
            low: rate,
            high: rate,
            source: PriorSource::Stated,
            incidents: 0,
            instance_months: 0.0,
            instances: 0,
        }
        .identified()
    }

    /// Makes the id from all that it says.
    #[must_use]
    pub fn identified(self) -> Self {
        let bits = [self.incidents_per_instance_month, self.low, self.high, self.instance_months]
            .map(|number| number.to_bits().to_string());
        let counts = [self.incidents.to_string(), self.instances.to_string(), format!("{:?}", self.source)];
        let parts: Vec<&str> = bits.iter().chain(&counts).map(String::as_str).collect();
        Self { prior_id: digest(&parts), ..self }
    }

    /// Says whether so little is known of the rate that people should see a range.
    pub fn is_range(&self) -> bool {
        self.source != PriorSource::Stated && self.incidents < ENOUGH
    }
}

impl fmt::Display for Prior {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |rate: f64| if rate < 0.1 { format!("{rate:.3}") } else { format!("{rate:.2}") };
        let (rate, low, high) = (number(self.incidents_per_instance_month), number(self.low), number(self.high));
        write!(f, "{rate} incidents per instance and month")?;
        match self.source {
            PriorSource::Stated => write!(f, ", as stated"),
            PriorSource::Incidents => write!(
                f,
                " ({low} to {high}), from {} known incidents in {:.1} instance-months",
                self.incidents, self.instance_months
            ),
            PriorSource::Evidence => {
                write!(f, " ({low} to {high}), from the evidence on {} instances", self.instances)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_says_all_that_it_says() {
        let counted =
            Prior { source: PriorSource::Incidents, incidents: 3, instance_months: 40.0, ..Prior::stated(0.1) };
        let ids = [
            Prior::stated(0.1),
            Prior::stated(0.2),
            counted.clone().identified(),
            Prior { incidents: 4, ..counted.clone() }.identified(),
            Prior { high: 0.3, ..counted.clone() }.identified(),
        ]
        .map(|prior| prior.prior_id);
        assert!((0..5).all(|i| (0..i).all(|j| ids[i] != ids[j])), "{ids:?}");
        assert_eq!(counted.clone().identified(), counted.identified());
    }

    #[test]
    fn people_read_where_a_rate_comes_from_and_how_far_it_may_lie_off() {
        let counted = Prior {
            low: 0.011,
            high: 0.21,
            source: PriorSource::Incidents,
            incidents: 3,
            instance_months: 46.66,
            ..Prior::stated(0.0731)
        };
        let said =
            "0.073 incidents per instance and month (0.011 to 0.21), from 3 known incidents in 46.7 instance-months";
        assert_eq!(counted.to_string(), said);
        assert!(counted.is_range() && !Prior { incidents: 20, ..counted }.is_range());
        assert_eq!(Prior::stated(0.3).to_string(), "0.30 incidents per instance and month, as stated");
        assert!(!Prior::stated(0.3).is_range());
    }
}
