//! Counts what each rule had to do with right and wrong alarms.

use super::records::{ahead, episodes};
use forewarn_domain::prediction::Level;
use forewarn_domain::signal::SIGNALS;
use forewarn_predict::truth::RowTruth;
use forewarn_rules::assess::{Assessed, Score};
use forewarn_rules::ruleset::RuleSet;
use forewarn_rules::table::FeatureTable;
use serde::Serialize;

/// What one rule, or the first passage of one signal, had to do with alarms.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RuleCounts {
    /// Rows in which it fires, the unscored ones included.
    pub rows: u64,
    /// Scored rows in which it fires.
    pub scored: u64,
    /// ... that an incident follows within 24 hours.
    pub followed: u64,
    /// Their share; None where it has no meaning.
    pub precision: Option<f64>,
    /// Scored rows at level high in which its evidence counts towards p24.
    pub high: u64,
    /// ... that an incident follows.
    pub high_followed: u64,
    /// Scored rows at level high in which its evidence is the largest.
    pub leading: u64,
    /// ... that an incident follows.
    pub leading_followed: u64,
    /// Episodes that it took part in.
    pub episodes: u64,
    /// ... that were right.
    pub episodes_right: u64,
    /// Incidents it took part in warning of.
    pub incidents_warned: u64,
}

impl RuleCounts {
    fn join(&mut self, other: &Self) {
        self.rows += other.rows;
        self.scored += other.scored;
        self.followed += other.followed;
        self.high += other.high;
        self.high_followed += other.high_followed;
        self.leading += other.leading;
        self.leading_followed += other.leading_followed;
        self.episodes += other.episodes;
        self.episodes_right += other.episodes_right;
        self.incidents_warned += other.incidents_warned;
    }
}

/// Who can make a row high: a rule, or after all rules the first passage of a signal.
type Party = usize;

/// Counts, one instance at a time.
#[derive(Debug)]
pub(super) struct Tally {
    rules: usize,
    pub(super) counts: Vec<RuleCounts>,
    score: Score,
}

impl Tally {
    pub(super) fn new(ruleset: &RuleSet) -> Self {
        let rules = ruleset.rules().len();
        Self { rules, counts: vec![RuleCounts::default(); rules + SIGNALS.len()], score: Score::default() }
    }

    /// Adds what another one has counted.
    pub(super) fn join(&mut self, other: &Self) {
        for (sum, part) in self.counts.iter_mut().zip(&other.counts) {
            sum.join(part);
        }
    }

    /// Counts the rows of one instance; `incidents` are the times of those that could have been warned of.
    pub(super) fn add(
        &mut self,
        ruleset: &RuleSet,
        table: &FeatureTable,
        assessed: &Assessed,
        truth: &[RowTruth],
        times: &[i64],
        incidents: &[i64],
    ) {
        for (counts, rows) in self.counts.iter_mut().zip(&assessed.fired) {
            for (truth, _) in truth.iter().zip(rows).filter(|(_, fired)| **fired) {
                counts.rows += 1;
                counts.scored += u64::from(!matches!(truth, RowTruth::Censored(_)));
                counts.followed += u64::from(*truth == RowTruth::Followed);
            }
        }
        let parties: Vec<Vec<Party>> =
            (0..table.len()).map(|row| self.parties(ruleset, table, assessed, row)).collect();
        for (parties, truth) in parties.iter().zip(truth) {
            if matches!(truth, RowTruth::Censored(_)) {
                continue;
            }
            let hit = u64::from(*truth == RowTruth::Followed);
            for (place, party) in parties.iter().enumerate() {
                let counts = &mut self.counts[*party];
                counts.high += 1;
                counts.high_followed += hit;
                if place == 0 {
                    counts.leading += 1;
                    counts.leading_followed += hit;
                }
            }
        }
        for episode in episodes(times, truth, |row| assessed.level[row] == Level::High) {
            let scored = (episode.first..=episode.last).filter(|row| !matches!(truth[*row], RowTruth::Censored(_)));
            for party in once(scored.flat_map(|row| &parties[row])) {
                self.counts[party].episodes += 1;
                self.counts[party].episodes_right += u64::from(episode.right);
            }
        }
        for ts in incidents {
            for party in once(ahead(times, *ts).flat_map(|row| &parties[row])) {
                self.counts[party].incidents_warned += 1;
            }
        }
    }

    /// Whose evidence counts towards p24 in a high row, the largest first; nobody in any other row.
    fn parties(&mut self, ruleset: &RuleSet, table: &FeatureTable, assessed: &Assessed, row: usize) -> Vec<Party> {
        if assessed.level[row] != Level::High {
            return Vec::new();
        }
        ruleset.score(table, &assessed.fired, row, &mut self.score);
        let wins = self.score.groups.iter().filter_map(|g| g[0]).map(|win| (win.evidence, win.rule));
        let passage = self.score.passage(0).map(|(signal, evidence)| (evidence, self.rules + signal as usize));
        let mut all: Vec<(f64, Party)> = wins.chain(passage).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        all.into_iter().map(|(_, party)| party).collect()
    }

    /// Gives the counts of every rule, then those of the first passage of each signal, by name.
    pub(super) fn named(mut self, ruleset: &RuleSet, any_followed: bool) -> Vec<(String, RuleCounts)> {
        for c in &mut self.counts {
            c.precision = (any_followed && c.scored > 0).then(|| c.followed as f64 / c.scored as f64);
        }
        let rules = ruleset.rules().iter().map(|r| r.id.clone());
        let passages = SIGNALS.iter().map(|s| format!("first passage of {}", s.name));
        rules.chain(passages).zip(self.counts).collect()
    }
}

/// Each party once.
fn once<'a>(parties: impl Iterator<Item = &'a Party>) -> Vec<Party> {
    let mut found: Vec<Party> = parties.copied().collect();
    found.sort_unstable();
    found.dedup();
    found
}
