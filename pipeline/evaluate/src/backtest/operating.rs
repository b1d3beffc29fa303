//! The operating curve: what each level for `high` costs in pages and in incidents without a warning, as far as the replay can tell.
//!
//! A page is an episode, right or wrong. Intervals are exact ones of the counts, made wider where workloads' weeks scatter more than
//! independent cases would ([`forewarn_models::counts`]).

use super::estimate::Estimate;
use super::records::{Records, ahead, episodes};
use super::units::Units;
use crate::replay::Steps;
use forewarn_domain::time::HOUR_MS;
use forewarn_models::counts::{binomial_dispersion, binomial_interval, poisson_dispersion, poisson_interval};
use forewarn_models::stats::quantile;
use forewarn_predict::truth::{DAY_MS, RowTruth};
use serde::Serialize;
use std::fmt::{self, Display, Formatter};

/// Levels that the curve shows, in hundredths.
const SHOWN: [u32; 8] = [20, 30, 40, 50, 60, 70, 80, 90];
/// Levels that are tried for a budget, in hundredths.
const TRIED: std::ops::RangeInclusive<u32> = 5..=99;
/// Leads of which it is told how many incidents had them, hours.
const LEADS: [u32; 5] = [1, 3, 6, 12, 18];
const CONFIDENCE: f64 = 0.95;
const WEEK_MS: f64 = 7.0 * 24.0 * HOUR_MS as f64;

/// What a level for `high` comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OperatingPoint {
    /// High from this P(24 h) on.
    pub threshold: f64,
    /// Pages in the range.
    pub pages: usize,
    pub pages_per_week: Estimate,
    /// The share of pages that an incident follows.
    pub precision: Estimate,
    /// The share of predictable incidents that a page came before.
    pub recall: Estimate,
    /// Incidents without a warning in a week, the unpredictable ones too.
    pub missed_per_week: Estimate,
    /// Median hours from the page to the incident.
    pub lead_hours: Option<f64>,
    /// The share of predictable incidents that a page came before by so many hours at least; those without a page count too.
    pub warned_ahead: Vec<WarnedAhead>,
}

/// How many incidents were warned of so long before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WarnedAhead {
    pub hours: u32,
    /// The share; None without predictable incidents.
    pub share: Option<f64>,
}

/// The operating curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Operating {
    pub instances: usize,
    pub weeks: f64,
    /// At the level in force.
    pub present: OperatingPoint,
    /// At other levels, rising.
    pub curve: Vec<OperatingPoint>,
    /// What was asked for.
    pub budget: Option<Budget>,
}

/// A level picked by how many pages there may be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Budget {
    pub pages_per_week: f64,
    /// At the lowest level that keeps to it; None where none does.
    pub picked: Option<OperatingPoint>,
}

/// Tells what levels on the rule set's probabilities, the first scorer's, come to. Rows are known until `known_until`, incidents until
/// `data_end`, milliseconds.
pub(super) fn operating(
    records: &Records,
    units: &Units,
    present: f64,
    budget: Option<f64>,
    (known_until, data_end): (i64, i64),
) -> Operating {
    let Steps { from, to, step } = records.steps;
    // Pages come from rows whose next day is known, misses from incidents with a whole day ahead of them.
    let weeks = |from: i64, to: i64| (to - from).max(step) as f64 / WEEK_MS;
    let spans = Spans {
        pages: weeks(from, (known_until - DAY_MS).saturating_add(step)),
        missed: weeks(from + DAY_MS, data_end.min(to)),
        rows: scored_rows(records, units),
    };
    let at = |hundredths: f64| Counted::of(records, units, hundredths).point(hundredths, &spans);
    let hundredth = |level: u32| f64::from(level) / 100.0;
    // From above: where a level is so low that an instance is high for ever, its one page would seem to keep to anything.
    let tried = TRIED.rev().map(|level| at(hundredth(level)));
    let budget = budget.map(|pages_per_week| Budget {
        pages_per_week,
        picked: tried.take_while(|point| point.pages as f64 / spans.pages <= pages_per_week).last(),
    });
    Operating {
        instances: records.instances.len(),
        weeks: spans.pages,
        present: at(present),
        curve: SHOWN.map(|level| at(hundredth(level))).to_vec(),
        budget,
    }
}

/// The time in which things could be counted.
struct Spans {
    /// Weeks in which there could be a page.
    pages: f64,
    /// Weeks in which there could be an incident without one.
    missed: f64,
    /// Scored rows of each cluster.
    rows: Vec<f64>,
}

fn scored_rows(records: &Records, units: &Units) -> Vec<f64> {
    let mut rows = vec![0.0; units.clusters];
    for (at, instance) in records.instances.values().enumerate() {
        let scored = |truth: &RowTruth| !matches!(truth, RowTruth::Censored(_));
        for (step, _) in instance.truth.iter().enumerate().filter(|(_, truth)| scored(truth)) {
            rows[units.row(at, step) as usize] += 1.0;
        }
    }
    rows
}

/// What was counted at one level, by cluster.
struct Counted {
    pages: Vec<f64>,
    right: Vec<f64>,
    predictable: Vec<f64>,
    caught: Vec<f64>,
    missed: Vec<f64>,
    leads: Vec<f64>,
}

impl Counted {
    fn of(records: &Records, units: &Units, threshold: f64) -> Self {
        let none = || vec![0.0; units.clusters];
        let (pages, right, predictable, caught, missed) = (none(), none(), none(), none(), none());
        let mut c = Self { pages, right, predictable, caught, missed, leads: Vec::new() };
        for (at, instance) in records.instances.values().enumerate() {
            let Some(verdict) = instance.verdicts.first() else { continue };
            let high = |step: usize| verdict.p[step] >= threshold;
            for episode in episodes(&records.times, &instance.truth, high) {
                let cluster = units.row(at, episode.first) as usize;
                c.pages[cluster] += 1.0;
                c.right[cluster] += f64::from(u8::from(episode.right));
            }
            for incident in units.counted(records.steps, at, instance) {
                let warned = ahead(&records.times, incident.ts).find(|step| high(*step));
                let cluster = incident.cluster as usize;
                c.missed[cluster] += f64::from(u8::from(warned.is_none()));
                if incident.predictable {
                    c.predictable[cluster] += 1.0;
                    c.caught[cluster] += f64::from(u8::from(warned.is_some()));
                    c.leads.extend(warned.map(|step| (incident.ts - records.time(step)) as f64 / HOUR_MS as f64));
                }
            }
        }
        c
    }

    fn point(mut self, threshold: f64, spans: &Spans) -> OperatingPoint {
        let predictable: f64 = self.predictable.iter().sum();
        let warned = |hours: u32| {
            let leads = self.leads.iter().filter(|lead| **lead >= f64::from(hours)).count() as f64;
            WarnedAhead { hours, share: (predictable > 0.0).then(|| leads / predictable) }
        };
        OperatingPoint {
            threshold,
            pages: self.pages.iter().sum::<f64>() as usize,
            pages_per_week: a_week(&self.pages, spans.pages, &spans.rows),
            precision: share(&self.right, &self.pages),
            recall: share(&self.caught, &self.predictable),
            missed_per_week: a_week(&self.missed, spans.missed, &spans.rows),
            warned_ahead: LEADS.map(warned).to_vec(),
            lead_hours: quantile(&mut self.leads, 0.5),
        }
    }
}

fn a_week(counts: &[f64], weeks: f64, rows: &[f64]) -> Estimate {
    let count: f64 = counts.iter().sum();
    let scatter = poisson_dispersion(counts.iter().copied().zip(rows.iter().copied()));
    let (lo, hi) = poisson_interval(count, scatter, CONFIDENCE);
    Estimate::between(count / weeks, (lo / weeks, hi / weeks))
}

fn share(hits: &[f64], cases: &[f64]) -> Estimate {
    let (hit, all): (f64, f64) = (hits.iter().sum(), cases.iter().sum());
    let scatter = binomial_dispersion(hits.iter().copied().zip(cases.iter().copied()));
    Estimate::between(hit / all, binomial_interval(hit, all, scatter, CONFIDENCE))
}

impl Display for OperatingPoint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} pages a week, {} of them right, {} of predictable incidents warned of",
            with_interval(&self.pages_per_week, 1),
            with_interval(&self.precision, 2),
            with_interval(&self.recall, 2)
        )?;
        if let Some(hours) = self.lead_hours {
            write!(f, " (median lead {hours:.1} h)")?;
        }
        write!(f, ", {} incidents a week without a warning", with_interval(&self.missed_per_week, 1))
    }
}

fn with_interval(e: &Estimate, digits: usize) -> String {
    match (e.value, e.lo, e.hi) {
        (Some(v), Some(lo), Some(hi)) => format!("{v:.digits$} [{lo:.digits$}, {hi:.digits$}]"),
        (value, ..) => value.map_or_else(|| "none".to_owned(), |v| format!("{v:.digits$}")),
    }
}

impl Display for Operating {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { instances, weeks, present, budget, .. } = self;
        writeln!(f, "what high costs, with 95 % intervals ({instances} instances, {weeks:.1} weeks):")?;
        writeln!(f, "  P(24 h) >= {:.2}, in force: {present}", present.threshold)?;
        let ahead = present.warned_ahead.iter().filter_map(|w| Some(format!("{:.2} {} h", w.share?, w.hours)));
        let ahead: Vec<String> = ahead.collect();
        if !ahead.is_empty() {
            writeln!(f, "    of predictable incidents a page came before at least: {}", ahead.join(", "))?;
        }
        match budget {
            Some(Budget { pages_per_week, picked: Some(point) }) => {
                let level = point.threshold;
                writeln!(f, "  P(24 h) >= {level:.2}, for at most {pages_per_week} pages a week: {point}")?;
                writeln!(
                    f,
                    "  HIGH_CONFIDENCE_THRESHOLD={level:.2} sets it; it was picked on these weeks, and others may bring more"
                )
            }
            Some(Budget { pages_per_week, picked: None }) => {
                writeln!(f, "  no level keeps to {pages_per_week} pages a week")
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::records::{Instance, Verdict};
    use forewarn_predict::truth::Truth;
    use forewarn_rules::truth::Incident;

    const KNOWN: (i64, i64) = (STEPS.to, STEPS.to);
    const STEPS: Steps = Steps { from: 0, to: 14 * 24 * HOUR_MS, step: HOUR_MS };

    /// Two weeks of four instances; `i-0` and `i-1` fail at 100 h and 200 h. Probabilities of 0.8 stand 10 hours ahead of the first, of 0.5
    /// 5 hours ahead of the second, and of 0.5 where nothing follows, at some hours of each instance.
    fn records(otherwise: f64, unfollowed: &[i64]) -> Records {
        let of = |id: &str, hour: i64| Incident {
            instance_id: id.to_owned(),
            ts: hour * HOUR_MS,
            cause: None,
            predictable: Some(true),
        };
        let truth = Truth::new(&[of("i-0", 100), of("i-1", 200)], &[], STEPS.to);
        let mut records = Records::new(STEPS);
        for id in ["i-0", "i-1", "i-2", "i-3"] {
            let past = truth.of(id);
            let mut verdict = Verdict::default();
            for hour in 0..14 * 24 {
                let p = match (id, hour) {
                    ("i-0", 90) => 0.8,
                    ("i-1", 195) => 0.5,
                    _ if unfollowed.contains(&hour) => 0.5,
                    _ => otherwise,
                };
                verdict.push(p, p >= 0.6);
            }
            let instance = Instance {
                workload: None,
                incidents: past.incidents.to_vec(),
                truth: STEPS.times().map(|t| past.row(t)).collect(),
                kind: vec![None; 14 * 24],
                unassessable: 0,
                verdicts: vec![verdict],
            };
            records.instances.insert(id.to_owned(), instance);
        }
        records
    }

    #[test]
    fn a_level_costs_what_a_person_counts() {
        let records = records(0.01, &[30]);
        let units = Units::of(&records, STEPS.to);
        let found = operating(&records, &units, 0.6, Some(0.6), KNOWN);
        let value = |e: &Estimate| e.value.unwrap();
        let p = &found.present;
        // The last row of which the next day is known is that of 312 h; incidents count from the second day on.
        let (pages, missed) = (168.0 / 313.0, 168.0 / 312.0);
        assert_eq!((p.pages, value(&p.pages_per_week), value(&p.precision), value(&p.recall)), (1, pages, 1.0, 0.5));
        assert_eq!((value(&p.missed_per_week), p.lead_hours), (missed, Some(10.0)));
        let ahead: Vec<_> = p.warned_ahead.iter().map(|w| (w.hours, w.share)).collect();
        assert_eq!(ahead[1..], [(3, Some(0.5)), (6, Some(0.5)), (12, Some(0.0)), (18, Some(0.0))]);
        let low = &found.curve[3];
        assert_eq!((low.threshold, low.pages, value(&low.precision), value(&low.recall)), (0.5, 6, 2.0 / 6.0, 1.0));
        let (lo, hi) = (p.recall.lo.unwrap(), p.recall.hi.unwrap());
        assert!(lo < 0.05 && hi > 0.95, "one of two tells little: {lo} {hi}");
        let picked = found.budget.as_ref().unwrap().picked.as_ref().unwrap();
        assert_eq!((picked.threshold, picked.pages), (0.51, 1), "the lowest that keeps to it");
        let words = found.to_string();
        assert!(
            words.contains("0.5 [0.0, 3.0] pages a week") && words.contains("HIGH_CONFIDENCE_THRESHOLD=0.51"),
            "{words}"
        );
        let none = operating(&records, &units, 0.6, Some(0.0), KNOWN).budget.unwrap();
        let picked = none.picked.unwrap();
        assert_eq!((picked.threshold, picked.pages), (0.81, 0), "silence keeps to anything");
    }

    #[test]
    fn a_level_at_which_all_is_high_for_ever_keeps_to_no_budget() {
        let records = records(0.06, &[30, 60, 130, 160, 250, 280]);
        let units = Units::of(&records, STEPS.to);
        let found = operating(&records, &units, 0.6, Some(5.0), KNOWN);
        let at = |level: f64| Counted::of(&records, &units, level).pages.iter().sum::<f64>();
        assert!(at(0.05) < 9.0 && at(0.5) > 15.0, "few pages that never end: {} {}", at(0.05), at(0.5));
        assert_eq!(found.budget.unwrap().picked.unwrap().threshold.to_string(), "0.51");
    }
}
