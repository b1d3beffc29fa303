//! Asks before it spends: what a pull would cost, and whether that is agreed to.

use serde::Serialize;

/// US dollars for a thousand metrics requested through `GetMetricData`.
pub const PRICE_PER_THOUSAND: f64 = 0.01;

/// What a pull will ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Instances with a series.
    pub instances: u64,
    pub series: u64,
    /// Metrics that `GetMetricData` bills: each series of each call.
    pub billed_metrics: u64,
    pub calls: u64,
    /// Minutes that it takes at the pace that AWS allows.
    pub minutes: u64,
}

impl Estimate {
    /// The price, US dollars.
    pub fn dollars(&self) -> f64 {
        self.billed_metrics as f64 / 1000.0 * PRICE_PER_THOUSAND
    }
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} series of {} instances: {} metrics requested in {} calls, about {} min and {:.2} US dollars",
            self.series,
            self.instances,
            self.billed_metrics,
            self.calls,
            self.minutes,
            self.dollars()
        )
    }
}

/// Fetches metrics and check history into the pilot's own history; reads the world and changes nothing in it.
pub trait Puller {
    /// Says what a pull would ask for, from what costs nothing to list.
    ///
    /// # Errors
    /// In words, when it cannot be told.
    fn estimate(&mut self) -> Result<Estimate, String>;

    /// Pulls; what was pulled before is not asked for again.
    ///
    /// # Errors
    /// In words, when it did not come to its end.
    fn pull(&mut self) -> Result<(), String>;
}

/// Who is asked whether to spend.
pub trait SpendApprover {
    /// Shows what it would cost and gives the answer; None where there is nobody to ask.
    fn agreed(&mut self, estimate: &Estimate) -> Option<bool>;
}

/// Why nothing was pulled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Somebody said no.
    #[error("nothing was spent: the answer was no")]
    No,
    /// There is nobody to ask.
    #[error("nothing was spent: there is no terminal to ask at; --yes agrees to {0}")]
    Nobody(String),
    #[error("{0}")]
    Failed(String),
}

/// Pulls if `yes` is said beforehand or somebody agrees to the estimate.
///
/// # Errors
/// When nobody agrees, or it fails.
pub fn pull_if_agreed(puller: &mut dyn Puller, yes: bool, ask: &mut dyn SpendApprover) -> Result<Estimate, Refused> {
    let estimate = puller.estimate().map_err(Refused::Failed)?;
    if !yes {
        match ask.agreed(&estimate) {
            Some(true) => {}
            Some(false) => return Err(Refused::No),
            None => return Err(Refused::Nobody(estimate.to_string())),
        }
    }
    puller.pull().map_err(Refused::Failed)?;
    Ok(estimate)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake(u32);

    impl Puller for Fake {
        fn estimate(&mut self) -> Result<Estimate, String> {
            Ok(Estimate { instances: 2, series: 18, billed_metrics: 250_000, calls: 900, minutes: 4 })
        }

        fn pull(&mut self) -> Result<(), String> {
            self.0 += 1;
            Ok(())
        }
    }

    struct Answer(Option<bool>);

    impl SpendApprover for Answer {
        fn agreed(&mut self, estimate: &Estimate) -> Option<bool> {
            assert!(estimate.to_string().contains("2.50 US dollars"), "{estimate}");
            self.0
        }
    }

    #[test]
    fn nothing_is_spent_unless_somebody_agrees() {
        for (answer, yes, pulled) in
            [(Some(true), false, 1), (Some(false), false, 0), (None, false, 0), (Some(false), true, 1)]
        {
            let mut fake = Fake(0);
            let done = pull_if_agreed(&mut fake, yes, &mut Answer(answer));
            assert_eq!((done.is_ok(), fake.0), (pulled == 1, pulled), "{answer:?} {yes}");
            if answer.is_none() {
                assert!(done.unwrap_err().to_string().contains("--yes agrees to 18 series"));
            }
        }
    }
}
