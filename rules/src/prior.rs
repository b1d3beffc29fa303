//! How often the fleet fails, by what is known up to a time: incidents that were counted, else the evidence on all instances together.

use crate::hazard::{HORIZON_HOURS, MONTH_HOURS, logit, prior_log_odds, sigmoid};
use crate::ruleset::RuleSet;
use crate::table::FeatureTable;
use forewarn_domain::prior::{Prior, PriorSource};
use forewarn_domain::time::{DAY_MS, HOUR_MS};
use forewarn_models::base_rate::{Estimate, Evidence, Posterior, Stated};
use std::collections::{BTreeMap, BTreeSet};

/// Days that are looked back over.
const LOOK_BACK_DAYS: i64 = 28;
/// How far ahead the likelihood ratios look, in months.
const AHEAD_MONTHS: f64 = HORIZON_HOURS[0] / MONTH_HOURS;

/// Where the prior comes from.
#[derive(Debug, Clone)]
pub enum PriorFrom {
    /// It is known already: stated by somebody, or estimated before for the same time.
    Given(Prior),
    /// Incidents are known.
    Record(FleetRecord),
    /// Nothing is known of any incident.
    Evidence,
}

impl PriorFrom {
    /// Says whether the evidence on all instances decides, so that none can be looked at alone.
    pub fn is_of_all_evidence(&self) -> bool {
        match self {
            Self::Given(prior) => prior.source == PriorSource::Evidence,
            Self::Record(_) => false,
            Self::Evidence => true,
        }
    }

    /// Holds the rows of a table, all of one time, against the prior at that time; `fired` says which rules fire. Where the evidence
    /// decides, each row is held against what the others' speaks for.
    pub fn apply(&self, ruleset: &RuleSet, table: &mut FeatureTable, fired: &[Vec<bool>], as_of: i64) {
        let known = match self {
            Self::Given(prior) => Some(prior.clone()),
            Self::Record(record) => Some(record.prior(ruleset.rate(), as_of)),
            Self::Evidence => None,
        };
        match known {
            Some(prior) if prior.source != PriorSource::Evidence => table.set_prior(prior),
            known => {
                let ratios = ruleset.ratios(table, fired);
                let posterior = believed(ruleset.rate(), &ratios);
                table.set_prior(known.unwrap_or_else(|| of_evidence(&posterior, &ratios)));
                table.rates = ratios.iter().map(|ratio| posterior.without(*ratio)).collect();
            }
        }
    }
}

/// Gives the probabilities within 24 hours that the ends of a prior's interval would have made of this one: its odds go as those of the rate.
pub fn range_of_p24(prior: &Prior, p24: f64) -> (f64, f64) {
    let log_odds = |rate: f64| prior_log_odds(rate)[0];
    let worth = logit(p24) - log_odds(prior.incidents_per_instance_month);
    (sigmoid(worth + log_odds(prior.low)), sigmoid(worth + log_odds(prior.high)))
}

/// Which instances were there, day by day, and which incidents are known of them.
#[derive(Debug, Clone, Default)]
pub struct FleetRecord {
    /// Times of the incidents, in order.
    incidents: Vec<i64>,
    /// How many instances have samples, by the day since the epoch.
    seen: BTreeMap<i64, usize>,
    /// From when on incidents are known.
    since: i64,
}

impl FleetRecord {
    /// Gives the first time that an estimate at `as_of` looks at.
    pub const fn reach(as_of: i64) -> i64 {
        as_of.saturating_sub(LOOK_BACK_DAYS * DAY_MS)
    }

    /// Gives since when incidents are known where only the first of them tells: from the day after it, for it says nothing of the time before,
    /// and a time that begins with an incident would have one too many.
    pub const fn since(first: i64) -> i64 {
        (first.div_euclid(DAY_MS) + 1).saturating_mul(DAY_MS)
    }

    /// Counts incidents, given by instance and time, that are known from `since` on, milliseconds; `days` are the instances that have
    /// samples, by the day since the epoch. Incidents on days on which their instance has no sample don't count: they happened in no time that is
    /// counted.
    pub fn new<'a>(
        days: &BTreeMap<i64, BTreeSet<String>>,
        incidents: impl IntoIterator<Item = (&'a str, i64)>,
        since: i64,
    ) -> Self {
        let seen = |id: &str, ts: i64| days.get(&ts.div_euclid(DAY_MS)).is_some_and(|ids| ids.contains(id));
        let counts = |id: &str, ts: i64| ts >= since && seen(id, ts);
        let mut times: Vec<i64> = incidents.into_iter().filter(|(id, ts)| counts(id, *ts)).map(|(_, ts)| ts).collect();
        times.sort_unstable();
        Self { incidents: times, seen: days.iter().map(|(day, ids)| (*day, ids.len())).collect(), since }
    }

    /// Gives the incidents by `as_of` and the instance months in which they were counted. What comes later plays no part.
    pub fn counted(&self, as_of: i64) -> (u64, f64) {
        let from = Self::reach(as_of).max(self.since);
        let of = |ts: &i64| (from..=as_of).contains(ts);
        let days = self.seen.range(from.div_euclid(DAY_MS)..=as_of.div_euclid(DAY_MS));
        let spent = days.map(|(day, instances)| {
            let within = ((day + 1) * DAY_MS).min(as_of) - (day * DAY_MS).max(from);
            *instances as f64 * within.max(0) as f64 / HOUR_MS as f64
        });
        (self.incidents.iter().filter(|ts| of(ts)).count() as u64, spent.sum::<f64>() / MONTH_HOURS)
    }

    /// Estimates the rate at `as_of`.
    pub fn prior(&self, stated: Stated, as_of: i64) -> Prior {
        let (incidents, months) = self.counted(as_of);
        let seen = Evidence { incidents: incidents as f64, months, ratios: &[], ahead: AHEAD_MONTHS };
        let found = Posterior::new(stated, &seen).estimate();
        Prior { incidents, instance_months: months, ..of(found, PriorSource::Incidents) }.identified()
    }
}

/// What the evidence on all instances, taken together, makes of a rate.
fn believed(stated: Stated, ratios: &[f64]) -> Posterior {
    Posterior::new(stated, &Evidence { incidents: 0.0, months: 0.0, ratios, ahead: AHEAD_MONTHS })
}

fn of_evidence(posterior: &Posterior, ratios: &[f64]) -> Prior {
    let instances = ratios.iter().filter(|r| !r.is_nan()).count() as u64;
    Prior { instances, ..of(posterior.estimate(), PriorSource::Evidence) }.identified()
}

fn of(found: Estimate, source: PriorSource) -> Prior {
    let Estimate { per_month, low, high } = found;
    Prior { low, high, source, ..Prior::stated(per_month) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATED: Stated = Stated { per_month: 0.05, months: 10.0 };
    /// Midnight of the day that the data begin.
    const BEGIN: i64 = 20_000 * DAY_MS;

    fn days(instances: usize, days: i64) -> BTreeMap<i64, BTreeSet<String>> {
        let ids: BTreeSet<String> = (0..instances).map(|i| format!("i-{i}")).collect();
        (0..days).map(|d| (20_000 + d, ids.clone())).collect()
    }

    fn every(hours: i64, of: i64) -> impl Iterator<Item = (&'static str, i64)> {
        (0..of).map(move |k| ("i-0", BEGIN + (2 * k + 1) * hours * DAY_MS / 48))
    }

    #[test]
    fn incidents_are_counted_in_the_time_that_instances_were_there() {
        let record = FleetRecord::new(&days(60, 40), every(24, 40), BEGIN);
        assert_eq!(record.counted(BEGIN), (0, 0.0));
        let (incidents, months) = record.counted(BEGIN + 10 * DAY_MS);
        assert!(incidents == 10 && (months - 20.0).abs() < 1e-9, "{incidents} {months}");
        let (incidents, months) = record.counted(BEGIN + 40 * DAY_MS);
        assert!(incidents == 28 && (months - 56.0).abs() < 1e-9, "no more than four weeks: {incidents} {months}");
        let later = FleetRecord::new(&days(60, 40), every(24, 40), BEGIN + 5 * DAY_MS).counted(BEGIN + 10 * DAY_MS);
        assert!(later.0 == 5 && (later.1 - 10.0).abs() < 1e-9, "{later:?}");
    }

    #[test]
    fn what_comes_later_and_who_was_never_there_play_no_part() {
        let at = BEGIN + 10 * DAY_MS;
        let known = |days, stranger| {
            let mut incidents: Vec<_> = every(24, 10).collect();
            incidents.extend([("i-1", at + 1), ("i-2", at + DAY_MS)].iter().filter(|_| days > 11));
            incidents.extend([("i-stranger", BEGIN + DAY_MS), ("i-3", BEGIN - 1)].iter().filter(|_| stranger));
            FleetRecord::new(&self::days(60, days), incidents, BEGIN - 9 * DAY_MS).prior(STATED, at)
        };
        assert_eq!(known(40, true), known(11, false));
    }

    #[test]
    fn ten_days_are_enough_where_twenty_incidents_come() {
        let record = FleetRecord::new(&days(200, 10), every(12, 20), BEGIN);
        let prior = record.prior(STATED, BEGIN + 10 * DAY_MS);
        assert!(prior.low < 0.3 && 0.3 < prior.high && !prior.is_range(), "{prior:?}");
        assert!((0.15..0.6).contains(&prior.incidents_per_instance_month), "{prior:?}");
    }

    #[test]
    fn a_time_that_begins_with_an_incident_does_not_count_it() {
        let first = BEGIN + 7 * DAY_MS + 5;
        assert_eq!(FleetRecord::since(first), BEGIN + 8 * DAY_MS);
        let alone = FleetRecord::new(&days(60, 40), [("i-0", first)], FleetRecord::since(first));
        assert_eq!(alone.counted(BEGIN + 18 * DAY_MS), (0, 20.0));
        let later = FleetRecord::new(&days(60, 40), [("i-0", first)], BEGIN).counted(BEGIN + 18 * DAY_MS);
        assert_eq!(later.0, 1, "known since before it, one counts");
    }

    #[test]
    fn a_probability_moves_with_its_rate() {
        let prior = Prior { low: 0.01, high: 1.0, ..Prior::stated(0.1) };
        let (low, high) = range_of_p24(&prior, 0.5);
        assert!((low - 0.0907).abs() < 1e-3 && (high - 0.910).abs() < 2e-3, "{low} {high}");
        let certain = (range_of_p24(&prior, 0.0), range_of_p24(&prior, 1.0));
        assert_eq!(certain, ((0.0, 0.0), (1.0, 1.0)));
    }

    #[test]
    fn a_fleet_that_is_well_is_seen_to_be_so() {
        let (well, ill) = (vec![-2.0; 200], [vec![-2.0; 190], vec![7.0; 10]].concat());
        let of = |ratios: &[f64]| of_evidence(&believed(STATED, ratios), ratios).incidents_per_instance_month;
        assert!(of(&well) < 0.035 && of(&ill) > 0.2, "{} {}", of(&well), of(&ill));
    }
}
