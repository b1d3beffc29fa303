//! The report for people: the rule set beside what it is held against, with intervals, then where it is strong and weak.

use super::measure::Measure;
use super::report::{Estimate, Leads, PriorRange, Report, Scorer};
use std::fmt::{self, Display, Formatter};

/// Width of a column of the table.
const COLUMN: usize = 23;
const LABEL: usize = 23;
/// Reliability is shown for bins with this many incidents.
const TELLING: usize = 10;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        self.table(f)?;
        self.causes(f)?;
        self.failure_types(f)?;
        self.rules(f)?;
        self.reliability(f)?;
        self.difference(f)?;
        self.price(f)?;
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

impl Report {
    fn head(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let step = match self.range.step_s {
            3600 => "hourly".to_owned(),
            s if s % 3600 == 0 => format!("every {} h", s / 3600),
            s if s % 60 == 0 => format!("every {} min", s / 60),
            s => format!("every {s} s"),
        };
        writeln!(
            f,
            "{} instances from {} to {}, {step}: {} rows",
            self.instances,
            self.range.from,
            self.range.to,
            thousands(self.rows)
        )?;
        if self.incidents.is_none() {
            return writeln!(f, "{} rows could not be assessed", thousands(self.unassessable));
        }
        let share = if self.scored > 0 { 100.0 * self.positives as f64 / self.scored as f64 } else { 0.0 };
        writeln!(
            f,
            "{} scored, {} of them ({share:.1} %) followed by an incident within 24 h",
            thousands(self.scored),
            thousands(self.positives)
        )?;
        if !self.censored.is_empty() {
            let parts: Vec<String> =
                self.censored.iter().map(|(why, n)| format!("{} {}", thousands(*n), reason(why))).collect();
            writeln!(f, "not scored: {}", parts.join(", "))?;
        }
        if self.unassessable > 0 {
            writeln!(
                f,
                "{} rows could not be assessed and count with P(24 h) {:.4}, what the rule set holds without evidence",
                thousands(self.unassessable),
                self.unassessable_p24
            )?;
        }
        if let Some(prior) = &self.prior {
            let PriorRange { first, last } = prior;
            let rates = if first == last { first.to_string() } else { format!("{first}; at the end {last}") };
            writeln!(f, "base rate: {rates}")?;
        }
        if let Some(i) = &self.incidents {
            writeln!(
                f,
                "incidents that could have been warned of: {}, {} of them predictable",
                i.counted, i.predictable
            )?;
        }
        Ok(())
    }

    fn table(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.incidents.is_none() {
            return Ok(());
        }
        write!(f, "\n{:LABEL$}", "")?;
        for scorer in &self.scorers {
            write!(f, "  {:COLUMN$}", scorer.name.chars().take(COLUMN).collect::<String>())?;
        }
        writeln!(f)?;
        for measure in Measure::ALL {
            write!(f, "{:LABEL$}", measure.label())?;
            for scorer in &self.scorers {
                write!(f, "  {:COLUMN$}", cell(measure, &scorer.measure(measure)))?;
            }
            writeln!(f)?;
        }
        self.counted(f, "alarms (episodes)", |s| thousands(s.counts.episodes))?;
        self.counted(f, "of them false", |s| thousands(s.counts.false_episodes))?;
        self.counted(f, "lead 10/50/90 %, hours", |s| leads(&s.lead_hours))?;
        let slope = |s: &Scorer| s.calibration.map_or_else(|| "no meaning".to_owned(), |c| format!("{:.2}", c.slope));
        self.counted(f, "calibration slope", slope)?;
        writeln!(
            f,
            "in brackets: 95 % intervals from {} resamplings of {} clusters (workload x week); none where every resampling agrees",
            self.intervals.replicates, self.intervals.clusters
        )
    }

    fn counted(&self, f: &mut Formatter<'_>, label: &str, of: impl Fn(&Scorer) -> String) -> fmt::Result {
        write!(f, "{label:LABEL$}")?;
        for scorer in &self.scorers {
            write!(f, "  {:COLUMN$}", of(scorer))?;
        }
        writeln!(f)
    }

    fn causes(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.by_cause.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n{:28}  {:>9}  {:22}  {:>11}  lead 10/50/90 %, h",
            "by cause", "incidents", "recall", "predictable"
        )?;
        for c in &self.by_cause {
            writeln!(
                f,
                "{:28}  {:>9}  {:22}  {:>11}  {}",
                c.cause,
                c.incidents,
                cell(Measure::RecallAll, &c.recall_all),
                c.predictable,
                leads(&c.lead_hours)
            )?;
        }
        Ok(())
    }

    fn failure_types(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let shown: Vec<_> =
            self.by_failure_type.iter().filter(|t| t.counts.high > 0 && self.incidents.is_some()).collect();
        if shown.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n{:28}  {:>9}  {:22}  {:>8}  {:>5}  {:22}  warned of",
            "by failure type said", "high rows", "row precision", "episodes", "false", "average precision"
        )?;
        for t in shown {
            let of = |m: Measure| cell(m, &t.measures.get(m.name()).copied().unwrap_or_default());
            writeln!(
                f,
                "{:28}  {:>9}  {:22}  {:>8}  {:>5}  {:22}  {}",
                t.failure_type.replace('_', " "),
                thousands(t.counts.high),
                of(Measure::RowPrecision),
                t.counts.episodes,
                t.counts.false_episodes,
                of(Measure::AveragePrecision),
                t.incidents_warned
            )?;
        }
        Ok(())
    }

    fn rules(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.incidents.is_none() {
            return self.silent(f);
        }
        let (mut fired, idle): (Vec<_>, Vec<_>) = self.by_rule.iter().partition(|r| r.counts.high > 0);
        fired.sort_by(|a, b| b.counts.leading.cmp(&a.counts.leading).then(b.counts.high.cmp(&a.counts.high)));
        if !fired.is_empty() {
            writeln!(
                f,
                "\n{:32}  {:>9}  {:>9}  {:>9}  {:>8}  {:>8}  {:>5}  warned of",
                "by rule, where it made rows high",
                "fires in",
                "precision",
                "high rows",
                "leads in",
                "episodes",
                "false"
            )?;
        }
        for rule in fired {
            let c = &rule.counts;
            let precision = c.precision.map_or_else(|| "-".to_owned(), |p| format!("{p:.3}"));
            writeln!(
                f,
                "{:32}  {:>9}  {precision:>9}  {:>9}  {:>8}  {:>8}  {:>5}  {}",
                rule.rule,
                if c.rows > 0 { thousands(c.rows) } else { "-".to_owned() },
                thousands(c.high),
                thousands(c.leading),
                c.episodes,
                c.episodes - c.episodes_right,
                c.incidents_warned
            )?;
        }
        let idle: Vec<&str> = idle.iter().filter(|r| r.counts.rows > 0).map(|r| r.rule.as_str()).collect();
        if !idle.is_empty() {
            writeln!(f, "fired, but never towards a high row: {}", idle.join(", "))?;
        }
        self.silent(f)
    }

    fn silent(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.never_fired.is_empty() {
            return Ok(());
        }
        writeln!(f, "never fired: {}", self.never_fired.join(", "))
    }

    fn reliability(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self.scorers[0].reliability.iter().filter(|r| r.incidents >= TELLING).collect();
        if rows.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{:28}  {:>9}  {:>9}  happened", "reliability: P(24 h)", "rows", "said")?;
        for r in rows {
            let bin = format!("{:.2} to {:.2}", r.from, r.to);
            let happened = cell(Measure::RowPrecision, &r.happened);
            writeln!(f, "{bin:28}  {:>9}  {:>9.3}  {happened}", thousands(r.rows), r.said)?;
        }
        writeln!(f, "(bins that at least {TELLING} incidents follow; --format json has all)")
    }

    fn difference(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(d) = &self.difference else { return Ok(()) };
        writeln!(f, "\nB = {} against A = {}, on the same rows:", d.b, d.a)?;
        for words in &d.words {
            writeln!(f, "  {words}")?;
        }
        Ok(())
    }

    fn price(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(operating) = &self.operating {
            write!(f, "\n{operating}")?;
        }
        let Some(c) = &self.cost else { return Ok(()) };
        writeln!(f, "\ncost of a miss {}, a false alarm {}, an action {}", c.miss, c.false_alarm, c.action)?;
        for (name, p) in [("high as it is", &c.present), ("high as picked", &c.picked)] {
            writeln!(
                f,
                "  {name:15} P(24 h) >= {:.2}: {} missed, {} episodes, {} of them false: {:.2}, {:.4} an instance-week",
                p.threshold, p.missed, p.episodes, p.false_episodes, p.cost, p.cost_per_instance_week
            )?;
        }
        writeln!(f, "  without any alarm: {:.2}", c.without_alarms)?;
        writeln!(f, "  ({})", c.formula)?;
        writeln!(f, "  picked on these rows: try it on another range before you trust it")
    }
}

pub(super) fn cell(measure: Measure, e: &Estimate) -> String {
    let number = |v: f64| match measure {
        _ if v.abs() >= 10.0 => format!("{v:.1}"),
        Measure::LeadHours => format!("{v:.1}"),
        Measure::FalseEpisodes | Measure::Brier | Measure::Ece => format!("{v:.4}"),
        Measure::RowPrecision
        | Measure::EpisodePrecision
        | Measure::RecallPredictable
        | Measure::RecallAll
        | Measure::F1
        | Measure::AveragePrecision
        | Measure::BrierSkill => format!("{v:.3}"),
    };
    match (e.value, e.lo, e.hi) {
        (None, ..) => e.no_meaning.map_or_else(|| "no meaning".to_owned(), |why| format!("no meaning ({why})")),
        (Some(v), Some(lo), Some(hi)) => format!("{} [{}, {}]", number(v), number(lo), number(hi)),
        (Some(v), ..) => number(v),
    }
}

fn leads(l: &Leads) -> String {
    match (l.q10, l.q50, l.q90) {
        (Some(a), Some(b), Some(c)) => format!("{a:.0} / {b:.0} / {c:.0}"),
        _ => "-".to_owned(),
    }
}

fn reason(why: &str) -> &str {
    match why {
        "outage" => "in an outage",
        "past_end" => "past the end",
        "ended_by_user" => "ended by a user",
        "scale_in" => "ended by scale-in",
        "spot" => "ended by Spot",
        "recovery" => "ended by a recovery",
        "gone" => "gone for no known reason",
        "no_round" => "at times at which nobody looked",
        other => other,
    }
}

fn thousands(n: u64) -> String {
    forewarn_runtime::text::thousands(n)
}
