//! Counts what the predictions of a replay were worth.

use forewarn_models::score::{average_precision, brier_skill, calibration_error};
use forewarn_rules::assess::Assessed;
use forewarn_rules::grid::HOUR_MS;
use forewarn_rules::prediction::Level;
use forewarn_rules::table::FeatureTable;
use forewarn_rules::truth::{Incident, outcome};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// High rows no further apart than this are one episode, as in the yardstick.
const EPISODE_GAP_MS: i64 = 6 * HOUR_MS;

/// Collects predictions, one instance's table at a time.
#[derive(Debug)]
pub struct Tally {
    incidents: BTreeMap<String, Vec<Incident>>,
    end: i64,
    rows: u64,
    unassessable: u64,
    labels: Vec<bool>,
    scores: Vec<f64>,
    high: u64,
    high_right: u64,
    episodes: u64,
    episodes_false: u64,
    predictable: u64,
    caught: u64,
    incidents_seen: u64,
    caught_all: u64,
    leads: Vec<f64>,
}

/// What a replay was worth; None where a measure has no meaning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Rows: instances x steps.
    pub rows: u64,
    /// Rows whose outcome within 24 hours is known and that could be assessed.
    pub scored: u64,
    /// Rows that could not be assessed.
    pub unassessable: u64,
    /// Rows followed by an incident within 24 hours.
    pub positives: u64,
    /// Share of rows at level high that were.
    pub row_precision: Option<f64>,
    /// Share of high episodes with such a row.
    pub episode_precision: Option<f64>,
    /// Share of predictable incidents with a high row 1 to 24 hours ahead.
    pub recall_predictable: Option<f64>,
    /// The same of all incidents.
    pub recall_all: Option<f64>,
    /// False high episodes an instance-week.
    pub false_episodes_per_instance_week: Option<f64>,
    /// Median hours from the first high row of the last day to the incident.
    pub median_lead_hours: Option<f64>,
    /// Average precision of p24.
    pub average_precision: Option<f64>,
    /// Brier skill of p24 against the base rate.
    pub brier_skill: Option<f64>,
    /// Expected calibration error of p24, 20 bins.
    pub ece: Option<f64>,
}

impl Tally {
    /// Starts counting against incidents; the truth is known until `end`, milliseconds.
    pub fn new(incidents: &[Incident], end: i64) -> Self {
        let mut by: BTreeMap<String, Vec<Incident>> = BTreeMap::new();
        for incident in incidents {
            by.entry(incident.instance_id.clone()).or_default().push(incident.clone());
        }
        for known in by.values_mut() {
            known.sort_by_key(|i| i.ts);
        }
        Self {
            incidents: by,
            end,
            rows: 0,
            unassessable: 0,
            labels: Vec::new(),
            scores: Vec::new(),
            high: 0,
            high_right: 0,
            episodes: 0,
            episodes_false: 0,
            predictable: 0,
            caught: 0,
            incidents_seen: 0,
            caught_all: 0,
            leads: Vec::new(),
        }
    }

    /// Rows counted so far.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Counts the rows of one instance, in order of time.
    pub fn add(&mut self, table: &FeatureTable, assessed: &Assessed) {
        let Some(id) = table.instance_ids.first() else { return };
        let none = Vec::new();
        let known = self.incidents.get(id).unwrap_or(&none).clone();
        let times: Vec<i64> = known.iter().map(|i| i.ts).collect();
        // (time of the last high row, whether any was right)
        let mut open: Option<(i64, bool)> = None;
        for row in 0..table.len() {
            self.rows += 1;
            let as_of = table.as_of[row];
            self.unassessable += u64::from(assessed.level[row] == Level::Unassessable);
            let Some(hit) = outcome(&times, as_of, self.end).within[0] else { continue };
            let p = assessed.probability[0][row];
            if !p.is_nan() {
                self.labels.push(hit);
                self.scores.push(p);
            }
            if assessed.level[row] != Level::High {
                continue;
            }
            self.high += 1;
            self.high_right += u64::from(hit);
            open = match open {
                Some((last, right)) if as_of - last <= EPISODE_GAP_MS => Some((as_of, right || hit)),
                ended => {
                    self.close(ended);
                    Some((as_of, hit))
                }
            };
        }
        self.close(open);
        self.catch(&known, table, assessed);
    }

    fn close(&mut self, episode: Option<(i64, bool)>) {
        if let Some((_, right)) = episode {
            self.episodes += 1;
            self.episodes_false += u64::from(!right);
        }
    }

    /// An incident is caught when a high row lies 1 to 24 hours ahead; it counts only where the replay reached a day ahead.
    fn catch(&mut self, incidents: &[Incident], table: &FeatureTable, assessed: &Assessed) {
        let first = table.as_of.first().copied().unwrap_or(i64::MAX);
        let last = table.as_of.last().copied().unwrap_or(i64::MIN);
        for incident in incidents.iter().filter(|i| first <= i.ts - 24 * HOUR_MS && i.ts <= last + HOUR_MS) {
            let ahead = incident.ts - 24 * HOUR_MS..=incident.ts - HOUR_MS;
            let rows = 0..table.len();
            let mut high = rows.filter(|&r| assessed.level[r] == Level::High && ahead.contains(&table.as_of[r]));
            let warned = high.next();
            self.incidents_seen += 1;
            self.caught_all += u64::from(warned.is_some());
            if incident.predictable.unwrap_or(true) {
                self.predictable += 1;
                self.caught += u64::from(warned.is_some());
            }
            if let Some(row) = warned {
                self.leads.push((incident.ts - table.as_of[row]) as f64 / HOUR_MS as f64);
            }
        }
    }

    /// Sums up. Without known incidents nothing that needs them has a meaning.
    pub fn report(mut self, incidents_known: bool) -> Report {
        let positives = self.labels.iter().filter(|&&l| l).count() as u64;
        let share = |part: u64, whole: u64| (incidents_known && whole > 0).then(|| part as f64 / whole as f64);
        let both = incidents_known && positives > 0 && positives < self.labels.len() as u64;
        let weeks = self.labels.len() as f64 / 168.0;
        let measure = |f: fn(&[bool], &[f64], &[f64]) -> f64| both.then(|| f(&self.labels, &self.scores, &[]));
        Report {
            rows: self.rows,
            scored: self.labels.len() as u64,
            unassessable: self.unassessable,
            positives,
            row_precision: share(self.high_right, self.high),
            episode_precision: share(self.episodes - self.episodes_false, self.episodes),
            recall_predictable: share(self.caught, self.predictable),
            recall_all: share(self.caught_all, self.incidents_seen),
            false_episodes_per_instance_week: (incidents_known && weeks > 0.0)
                .then(|| self.episodes_false as f64 / weeks),
            average_precision: measure(average_precision),
            brier_skill: measure(brier_skill),
            ece: measure(calibration_error),
            median_lead_hours: forewarn_models::stats::median(&mut self.leads),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |v: Option<f64>| v.map_or_else(|| "no meaning here".to_owned(), |v| format!("{v:.4}"));
        writeln!(
            f,
            "{} rows, {} scored, {} followed by an incident within 24 h, {} unassessable",
            self.rows, self.scored, self.positives, self.unassessable
        )?;
        writeln!(f, "at level high:")?;
        writeln!(f, "  row precision                      {}", number(self.row_precision))?;
        writeln!(f, "  episode precision                  {}", number(self.episode_precision))?;
        writeln!(f, "  recall of predictable incidents    {}", number(self.recall_predictable))?;
        writeln!(f, "  recall of all incidents            {}", number(self.recall_all))?;
        writeln!(f, "  false episodes an instance-week    {}", number(self.false_episodes_per_instance_week))?;
        writeln!(f, "  median lead, hours                 {}", number(self.median_lead_hours))?;
        writeln!(f, "of p24:")?;
        writeln!(f, "  average precision                  {}", number(self.average_precision))?;
        writeln!(f, "  Brier skill                        {}", number(self.brier_skill))?;
        write!(f, "  ECE                                {}", number(self.ece))
    }
}
