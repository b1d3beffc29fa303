//! The measures, what they are made of, and when they have no meaning.

use serde::Serialize;

/// One number about a scorer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Share of high rows that an incident follows within 24 hours.
    RowPrecision,
    /// Share of high episodes with such a row.
    EpisodePrecision,
    /// Share of predictable incidents with a high row 1 to 24 hours ahead.
    RecallPredictable,
    /// The same of all incidents.
    RecallAll,
    /// Harmonic mean of episode precision and recall of predictable incidents.
    F1,
    /// False high episodes an instance-week.
    FalseEpisodes,
    /// Median hours from the first high row of the last day to the incident, over predictable incidents caught.
    LeadHours,
    /// Average precision of p24.
    AveragePrecision,
    /// Brier score of p24.
    Brier,
    /// Its skill against always saying the base rate.
    BrierSkill,
    /// Expected calibration error of p24, 20 bins.
    Ece,
}

impl Measure {
    /// Every measure, in the order of tables.
    pub const ALL: [Self; 11] = [
        Self::RowPrecision,
        Self::EpisodePrecision,
        Self::RecallPredictable,
        Self::RecallAll,
        Self::F1,
        Self::FalseEpisodes,
        Self::LeadHours,
        Self::AveragePrecision,
        Self::Brier,
        Self::BrierSkill,
        Self::Ece,
    ];

    /// Gives the name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RowPrecision => "row_precision",
            Self::EpisodePrecision => "episode_precision",
            Self::RecallPredictable => "recall_predictable",
            Self::RecallAll => "recall_all",
            Self::F1 => "f1",
            Self::FalseEpisodes => "false_episodes_per_instance_week",
            Self::LeadHours => "median_lead_hours",
            Self::AveragePrecision => "average_precision",
            Self::Brier => "brier",
            Self::BrierSkill => "brier_skill",
            Self::Ece => "ece",
        }
    }

    /// Gives the words in tables.
    pub const fn label(self) -> &'static str {
        match self {
            Self::RowPrecision => "row precision",
            Self::EpisodePrecision => "episode precision",
            Self::RecallPredictable => "recall of predictable",
            Self::RecallAll => "recall of all",
            Self::F1 => "F1",
            Self::FalseEpisodes => "false episodes a week",
            Self::LeadHours => "median lead, hours",
            Self::AveragePrecision => "average precision",
            Self::Brier => "Brier score",
            Self::BrierSkill => "Brier skill",
            Self::Ece => "calibration error",
        }
    }

    /// Says whether less is better.
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::FalseEpisodes | Self::Brier | Self::Ece)
    }
}

/// What the measures are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows whose next 24 hours are known.
    pub scored: u64,
    /// Those that an incident follows.
    pub followed: u64,
    /// Scored rows with an alarm.
    pub high: u64,
    /// Those that an incident follows.
    pub high_followed: u64,
    pub episodes: u64,
    /// Episodes without an incident.
    pub false_episodes: u64,
    /// Incidents that could have been warned of.
    pub incidents: u64,
    /// Those warned of.
    pub caught_all: u64,
    /// Predictable ones among them.
    pub predictable: u64,
    /// Those warned of.
    pub caught: u64,
}

impl Measure {
    /// Says why the measure has no meaning; None where it has one.
    pub fn without_meaning(self, c: &Counts) -> Option<&'static str> {
        let needs_incidents = matches!(
            self,
            Self::RowPrecision | Self::EpisodePrecision | Self::F1 | Self::AveragePrecision | Self::BrierSkill
        );
        let is_recall = matches!(self, Self::RecallPredictable | Self::RecallAll | Self::F1 | Self::LeadHours);
        if c.scored == 0 {
            Some("no row can be scored")
        } else if needs_incidents && c.followed == 0 || is_recall && c.incidents == 0 {
            Some("no incidents")
        } else if is_recall && self != Self::RecallAll && c.predictable == 0 {
            Some("no predictable incidents")
        } else if matches!(self, Self::RowPrecision | Self::EpisodePrecision | Self::F1) && c.high == 0 {
            Some("never high")
        } else if self == Self::LeadHours && c.caught == 0 {
            Some("none caught")
        } else if self == Self::BrierSkill && c.followed == c.scored {
            Some("nothing but incidents")
        } else {
            None
        }
    }
}
