//! `forewarn doctor`: checks that this machine and its settings are fit to run forewarn.

use super::common::{HistoryArg, RulesArg, StateArg};
use super::error::CliError;
use super::history::ReportFormat;
use super::{Context, End};
use crate::doctor::judge::failing_place;
use crate::doctor::{Finding, Verdict};
use crate::state::{State, StateSpec};
use forewarn_history::{History, HistoryError};
use forewarn_ingest::source::state::failing;
use forewarn_log::SqliteLog;
use forewarn_log::log_path;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::settings::Live;

/// Checks that this machine and its settings are fit to run forewarn.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn doctor
  forewarn doctor --live --format json

Ends with 1 at a fault; each finding says what to do about it.")]
pub(super) struct Args {
    #[command(flatten)]
    history: HistoryArg,
    #[command(flatten)]
    state: StateArg,
    #[command(flatten)]
    rules: RulesArg,
    /// Also tries the way to AWS: credentials, each permission, stream, queues, bus, agents; done anyway where settings name them
    #[arg(long)]
    live: bool,
    /// Prints text or JSON
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let aws = if cfg!(feature = "aws") { "with aws" } else { "without aws (directories only)" };
        let mut findings = vec![
            Finding::good("forewarn", format!("{} {aws}", env!("CARGO_PKG_VERSION"))),
            clock(context.now_ms),
            settings(context),
            self.rule_set(context),
            self.check_history(context),
            self.check_log(context),
            temp(),
        ];
        findings.extend(self.check_pulling(context));
        let live = &context.settings.live;
        if self.live || *live != Live::default() {
            findings.extend(examine(live));
        }
        if self.format == ReportFormat::Json {
            context.out.json(&findings)?;
        } else {
            for finding in &findings {
                print(finding, context)?;
            }
        }
        let bad = findings.iter().any(|f| f.verdict == Verdict::Fault);
        Ok(if bad { End::Faults } else { End::Done })
    }

    fn rule_set(&self, context: &Context<'_>) -> Finding {
        match self.rules.load(context) {
            Ok((r, _)) => Finding::good("rules", format!("{} {}, {} rules", r.name(), r.version(), r.rules().len())),
            Err(e) => {
                Finding::fault("rules", e.to_string(), "mend the rule set; `forewarn rules check FILE` says where")
            }
        }
    }

    fn check_history(&self, context: &Context<'_>) -> Finding {
        let at = self.history.location(context);
        match History::open(at).and_then(|h| h.time_range()) {
            Ok(Some((from, to))) => {
                let (from, to) = (forewarn_runtime::time::format_ms(from), forewarn_runtime::time::format_ms(to));
                Finding::good("history", format!("{at}: {from} to {to}"))
            }
            Ok(None) => Finding::absent("history", format!("{at}: empty; import something")),
            Err(HistoryError::NotFound { .. }) => {
                Finding::absent("history", format!("{at}: none yet; import makes one"))
            }
            Err(e) => {
                Finding::fault("history", CliError::failed(e).to_string(), "give another --history, or mend this one")
            }
        }
    }

    fn check_pulling(&self, context: &Context<'_>) -> Vec<Finding> {
        // What pulls keeps its state in a directory.
        let Ok(StateSpec::Dir(dir)) = self.state.spec(context) else { return Vec::new() };
        match failing(&dir) {
            Ok(None) => Vec::new(),
            Ok(Some(places)) if places.is_empty() => vec![Finding::good("pulling", "no account or region fails")],
            Ok(Some(places)) => places.iter().map(|p| failing_place(p, context.now_ms)).collect(),
            Err(e) => {
                let fix = "give another --state, or move the file away: ingest begins anew";
                vec![Finding::fault("pulling", CliError::failed(e).to_string(), fix)]
            }
        }
    }

    /// Checks a log that is a table: each entry since the last snapshot, as it is read.
    fn check_table(spec: Result<StateSpec, CliError>) -> Finding {
        let open = |spec| State::open(spec, &RuntimeContext::standalone())?.log("doctor");
        let checked = spec.and_then(|spec| Ok(open(spec)?)).and_then(|log| Ok((log.check()?, log.head()?)));
        match checked {
            Ok(((), entries)) => {
                Finding::good("log", format!("{entries} entries in the table, chain whole since the last snapshot"))
            }
            Err(e) => Finding::fault("log", e.to_string(), "give another --state, or restore the table from a backup"),
        }
    }

    fn check_log(&self, context: &Context<'_>) -> Finding {
        let dir = match self.state.spec(context) {
            Ok(StateSpec::Dir(dir)) => dir,
            spec => return Self::check_table(spec),
        };
        let path = log_path(&dir);
        let fix = "give another --state, or restore the log from a backup";
        if !path.exists() {
            return Finding::absent("log", format!("{}: none yet; analyze --emit makes one", path.display()));
        }
        match SqliteLog::open(&path).and_then(|l| l.verify()) {
            Ok(report) => match report.fault {
                None => Finding::good("log", format!("{}: {} entries, chain whole", path.display(), report.entries)),
                Some(f) => Finding::fault("log", format!("{}: entry {}: {}", path.display(), f.position, f.what), fix),
            },
            Err(e) => Finding::fault("log", CliError::failed(e).to_string(), fix),
        }
    }
}

fn print(finding: &Finding, context: &mut Context<'_>) -> Result<(), CliError> {
    let mark = match finding.verdict {
        Verdict::Good => "ok    ",
        Verdict::Absent => "-     ",
        Verdict::Warning => "WARN  ",
        Verdict::Fault => "FAULT ",
    };
    context.out.line(format_args!("{mark}{:10} {}", finding.check, finding.text))?;
    if let Some(fix) = &finding.fix {
        context.out.line(format_args!("                 fix: {fix}"))?;
    }
    Ok(())
}

#[cfg(feature = "aws")]
fn examine(live: &Live) -> Vec<Finding> {
    crate::doctor::live::examine(live, &forewarn_runtime::time::system_now_ms)
}

#[cfg(not(feature = "aws"))]
fn examine(_: &Live) -> Vec<Finding> {
    vec![Finding::fault("AWS", "this forewarn was built without AWS", "build it with the feature `aws`")]
}

/// A clock before this program was written is wrong, and would put every `now` into the past.
fn clock(now_ms: i64) -> Finding {
    const WRITTEN: i64 = 1_763_596_800_000;
    let now = forewarn_runtime::time::format_ms(now_ms);
    if now_ms < WRITTEN {
        return Finding::fault("clock", format!("{now} is in the past"), "set the clock");
    }
    Finding::good("clock", now)
}

fn settings(context: &Context<'_>) -> Finding {
    let origins = context.settings.origins.iter();
    let said = origins
        .filter(|(_, o)| **o != forewarn_runtime::settings::Origin::Default)
        .map(|(k, o)| format!("{k} from {o}"));
    let said: Vec<String> = said.collect();
    Finding::good("settings", if said.is_empty() { "all defaults".to_owned() } else { said.join(", ") })
}

fn temp() -> Finding {
    let dir = std::env::temp_dir();
    let fix = "set TMPDIR to a directory that can be written";
    match std::fs::metadata(&dir) {
        Ok(m) if m.is_dir() && !m.permissions().readonly() => Finding::good("temp", dir.display().to_string()),
        Ok(_) => Finding::fault("temp", format!("{} can't be written", dir.display()), fix),
        Err(e) => Finding::fault("temp", format!("{}: {e}", dir.display()), fix),
    }
}
