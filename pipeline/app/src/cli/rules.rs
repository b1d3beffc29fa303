//! `forewarn rules`: lists, checks and explains rules.

use super::common::{HistoryArg, MapArg, PriorArg, RulesArg, StateArg, load_rules};
use super::error::CliError;
use super::history::ReportFormat;
use super::{Context, End};
use clap::Subcommand;
use forewarn_domain::prior::Prior;
use forewarn_domain::signal::SIGNALS;
use forewarn_predict::analyze::no_data;
use forewarn_predict::evidence::{Look, Whose};
use forewarn_predict::fleet::{DeclaredChange, Fleet};
use forewarn_predict::prior::KnownIncidents;
use forewarn_rules::feature::{FEATURES, INSTANCE_COLUMNS};
use forewarn_rules::hazard::HAZARDS;
use forewarn_rules::prior::PriorFrom;
use forewarn_rules::ruleset::Evidence;
use forewarn_runtime::threads::Threads;
use std::path::PathBuf;

/// Lists, checks and explains rules.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks a rule set; says file, line, rule and the nearest known name of what is wrong
    Check {
        /// The rule set
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Lists the rules, the signals with their levels, or the feature columns
    List {
        #[command(flatten)]
        rules: RulesArg,
        /// Lists the feature columns that predicates may use
        #[arg(long)]
        features: bool,
        /// Prints the rule set's own text, to start another from
        #[arg(long, conflicts_with = "features")]
        text: bool,
    },
    /// Shows every term of an instance's probabilities
    Explain {
        /// The instance
        #[arg(value_name = "INSTANCE")]
        instance: String,
        #[command(flatten)]
        history: HistoryArg,
        #[command(flatten)]
        state: StateArg,
        #[command(flatten)]
        rules: RulesArg,
        #[command(flatten)]
        map: MapArg,
        #[command(flatten)]
        prior: PriorArg,
        /// The time: RFC 3339, now, now-7d, or latest
        #[arg(long, value_name = "T", default_value = "now")]
        as_of: String,
        /// Prints text or JSON
        #[arg(long, value_enum, default_value = "text")]
        format: ReportFormat,
    },
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        match &self.command {
            Command::Check { file } => {
                let (ruleset, _) = load_rules(file)?;
                let (rules, groups) = (ruleset.rules().len(), ruleset.groups().len());
                let line = format_args!("{}: {rules} rules in {groups} groups, no fault", file.display());
                context.out.line(line)?;
                Ok(End::Done)
            }
            Command::List { rules, features: true, .. } => features(rules, context),
            Command::List { rules, text: true, .. } => {
                let (_, text) = rules.load(context)?;
                context.out.line(text.trim_end())?;
                Ok(End::Done)
            }
            Command::List { rules, .. } => list(rules, context),
            Command::Explain { instance, history, state, rules, map, prior, as_of, format } => {
                let (ruleset, _) = rules.load(context)?;
                let history = history.open(context)?;
                let as_of = super::analyze::as_of(as_of, &history, context)?;
                let log = state.read(context)?;
                let changes = log.as_ref().map_or_else(|| Ok(Vec::new()), |log| DeclaredChange::of(&**log))?;
                let fleet = Fleet::read(&history, &changes, as_of)?;
                let map = map.over(&history);
                let (history, ruleset, fleet, threads) = (&history, &ruleset, &fleet, Threads::ONE);
                let prior = match prior.prior {
                    Some(rate) => PriorFrom::Given(Prior::stated(rate)),
                    None => KnownIncidents::read(history, as_of)?
                        .prior(log.as_deref().map(|log| log as _), ruleset, as_of)
                        .map_err(CliError::failed)?,
                };
                let look = Look { history, ruleset, map: &map, fleet, as_of, prior: &prior, threads };
                let analysis =
                    if prior.is_of_all_evidence() { look.analyze(|_, _| ())? } else { look.analyze_one(instance)? };
                let Some(row) = analysis.row_of(instance) else {
                    return Err(no_data(history, as_of, Whose::Instance(instance))?.into());
                };
                let explanation =
                    ruleset.explain(&analysis.table, row, &analysis.identities[row]).map_err(CliError::failed)?;
                match format {
                    ReportFormat::Json => context.out.json(&explanation)?,
                    ReportFormat::Text => {
                        for line in explanation.lines() {
                            context.out.line(line)?;
                        }
                    }
                }
                Ok(End::Done)
            }
        }
    }
}

fn list(rules: &RulesArg, context: &mut Context<'_>) -> Result<End, CliError> {
    let (ruleset, _) = rules.load(context)?;
    let out = &mut *context.out;
    out.line(format_args!("{} {} ({})", ruleset.name(), ruleset.version(), ruleset.sha256()))?;
    out.line("")?;
    out.line("signals (environment names in capitals override their levels)")?;
    for spec in &SIGNALS {
        let (warning, critical) = ruleset.thresholds(spec.signal);
        let names = (spec.warning_param.to_uppercase(), spec.critical_param.to_uppercase());
        out.line(format_args!(
            "  {:12} warning {warning} ({}), critical {critical} ({}) {}: {}",
            spec.name, names.0, names.1, spec.unit, spec.about
        ))?;
    }
    out.line("")?;
    out.line("rules (evidence adds up; within a group only the strongest counts)")?;
    for rule in ruleset.rules() {
        let most = match &rule.evidence {
            Evidence::Constant(e) => e,
            Evidence::Binned { bins, .. } => bins.last().map_or(&[0.0; HAZARDS], |b| &b.1),
        };
        let most = most.iter().copied().fold(0.0, f64::max);
        // A rule that names no group stands alone, under its own id.
        let group = Some(ruleset.groups()[rule.group].as_str()).filter(|group| *group != rule.id).unwrap_or_default();
        out.line(format_args!("  {:28} {:12} up to {most:.2}  {}", rule.id, group, rule.when.written()))?;
        out.line(format_args!("  {:28} {}", "", rule.why.written()))?;
    }
    Ok(End::Done)
}

fn features(rules: &RulesArg, context: &mut Context<'_>) -> Result<End, CliError> {
    rules.load(context)?;
    let out = &mut *context.out;
    out.line(format_args!(
        "columns {{signal}}_{{feature}}, with signal one of {}",
        SIGNALS.map(|s| s.name).join(", ")
    ))?;
    for (_, name, about) in &FEATURES {
        out.line(format_args!("  {name:20} {about}"))?;
    }
    out.line("columns of the whole instance")?;
    for (name, about) in &INSTANCE_COLUMNS {
        out.line(format_args!("  {name:24} {about}"))?;
    }
    Ok(End::Done)
}
