//! `forewarn doctor`: checks that this machine and its settings are fit to run forewarn.

use super::common::{HistoryArg, RulesArg, StateArg};
use super::error::CliError;
use super::{Context, End};
use crate::announce::log_path;
use crate::history::{History, HistoryError};
use crate::log::SqliteLog;

/// Checks that this machine and its settings are fit to run forewarn.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    history: HistoryArg,
    #[command(flatten)]
    state: StateArg,
    #[command(flatten)]
    rules: RulesArg,
}

/// What a check found.
enum Finding {
    Good(String),
    Absent(String),
    Bad(String),
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let aws = if cfg!(feature = "aws") { "with aws (s3:// histories)" } else { "without aws (directories only)" };
        let mut findings = vec![
            ("forewarn", Finding::Good(format!("{} {aws}", env!("CARGO_PKG_VERSION")))),
            ("clock", clock(context.now_ms)),
            ("settings", settings(context)),
            ("rules", self.rule_set(context)),
            ("history", self.check_history(context)),
            ("log", self.check_log(context)),
        ];
        findings.push(("temp", temp()));
        let mut bad = false;
        for (what, finding) in findings {
            let (mark, text) = match finding {
                Finding::Good(text) => ("ok    ", text),
                Finding::Absent(text) => ("-     ", text),
                Finding::Bad(text) => {
                    bad = true;
                    ("FAULT ", text)
                }
            };
            context.out.line(format_args!("{mark}{what:10} {text}"))?;
        }
        Ok(if bad { End::Faults } else { End::Done })
    }

    fn rule_set(&self, context: &Context<'_>) -> Finding {
        match self.rules.load(context) {
            Ok((r, _)) => Finding::Good(format!("{} {}, {} rules", r.name(), r.version(), r.rules().len())),
            Err(e) => Finding::Bad(e.to_string()),
        }
    }

    fn check_history(&self, context: &Context<'_>) -> Finding {
        let at = self.history.location(context);
        match History::open(at).and_then(|h| h.time_range()) {
            Ok(Some((from, to))) => {
                Finding::Good(format!("{at}: {} to {}", crate::time::format_ms(from), crate::time::format_ms(to)))
            }
            Ok(None) => Finding::Absent(format!("{at}: empty; import something")),
            Err(HistoryError::NotFound { .. }) => Finding::Absent(format!("{at}: none yet; import makes one")),
            Err(e) => Finding::Bad(CliError::failed(e).to_string()),
        }
    }

    fn check_log(&self, context: &Context<'_>) -> Finding {
        let path = log_path(&self.state.dir(context));
        if !path.exists() {
            return Finding::Absent(format!("{}: none yet; analyze --emit makes one", path.display()));
        }
        match SqliteLog::open(&path).and_then(|l| l.verify()) {
            Ok(report) => match report.fault {
                None => Finding::Good(format!("{}: {} entries, chain whole", path.display(), report.entries)),
                Some(f) => Finding::Bad(format!("{}: entry {}: {}", path.display(), f.position, f.what)),
            },
            Err(e) => Finding::Bad(CliError::failed(e).to_string()),
        }
    }
}

/// A clock before this program was written is wrong, and would put every `now` into the past.
fn clock(now_ms: i64) -> Finding {
    const WRITTEN: i64 = 1_763_596_800_000;
    let now = crate::time::format_ms(now_ms);
    if now_ms < WRITTEN { Finding::Bad(format!("{now} is in the past; set the clock")) } else { Finding::Good(now) }
}

fn settings(context: &Context<'_>) -> Finding {
    let origins = context.settings.origins.iter();
    let said = origins.filter(|(_, o)| **o != crate::settings::Origin::Default).map(|(k, o)| format!("{k} from {o}"));
    let said: Vec<String> = said.collect();
    Finding::Good(if said.is_empty() { "all defaults".to_owned() } else { said.join(", ") })
}

fn temp() -> Finding {
    let dir = std::env::temp_dir();
    match std::fs::metadata(&dir) {
        Ok(m) if m.is_dir() && !m.permissions().readonly() => Finding::Good(dir.display().to_string()),
        Ok(_) => Finding::Bad(format!("{} can't be written; set TMPDIR", dir.display())),
        Err(e) => Finding::Bad(format!("{}: {e}; set TMPDIR", dir.display())),
    }
}
