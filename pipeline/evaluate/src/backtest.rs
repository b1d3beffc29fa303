//! Backtest: what a rule set would have said at every step of the past, and what that was worth against known incidents,
//! beside what people use today.

mod incidents;

mod baseline;
mod records;
mod tally;

mod assemble;
mod compare;
mod cost;
mod estimate;
mod measure;
mod operating;
mod ratio;
mod scorer_stats;
mod units;

mod notes;
mod report;
mod text;
mod write;

mod job;
mod run;
mod sum_up;

mod drift;
mod foresight;
mod live;
mod live_text;
mod recommend;
mod workloads;

pub use cost::{CostReport, Costs, Priced};
pub use drift::{Drift, Period};
pub use foresight::{FalseAlarm, Foreseen, Judged, judge_incidents};
pub use incidents::{IncidentCounts, Incidents, IncidentsError, read_incidents};
pub use job::Job;
pub use live::{LiveJob, LiveReport, Rounds, live, spoken};
pub use measure::{Counts, Measure};
pub use notes::of_incidents as notes_of_incidents;
pub use operating::{Budget, Operating, OperatingPoint, WarnedAhead};
pub use recommend::{Advice, LEAST_INCIDENTS, Recommendation, recommend};
pub use report::{
    CalibrationFit, CauseReport, CurvePoint, Difference, DifferenceRow, Estimate, FailureTypeReport, Leads, Range,
    ReliabilityRow, Report, Resampling, RuleReport, Scorer,
};
pub use run::{BacktestError, run};
pub use tally::RuleCounts;
pub use workloads::WorkloadReport;
pub use write::PredictionWriter;
