//! `forewarn policy`: what may be done to an instance.

use super::common::span;
use super::error::CliError;
use super::storage::StorageArgs;
use super::{Context, End};
use forewarn_domain::id::sha256_hex;
use forewarn_domain::time::UnixMs;
use forewarn_log::event::policy::PolicyChanged;
use forewarn_log::{Event, Expected, NewEvent};
use forewarn_recover::policies::{self, DEFAULT, Policies};
use forewarn_recovery::policy::Policy;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Reads and changes policies: what may be done to an instance, or to all (`default`).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forewarn policy get i-0123456789abcdef0 --state S
  forewarn policy set default mode=notify --state S
  forewarn policy set i-0123456789abcdef0 mode=act auto_restart=true health_endpoint=http://localhost:8080/health --state S
  forewarn policy override i-0123456789abcdef0 --mode observe --for 4h --reason \"load test\" --state S
  forewarn policy pause i-0123456789abcdef0 --name release --for 2h --state S
  forewarn policy pause default --name release --lift --state S

A policy that can't be read allows nothing. Rows are files in STATE/policies, or items of a table of DynamoDB (--policies),
and may be written by hand. Under them lies what the environment says: DEMO_MODE, RECOVERY_TIMEOUT_SECONDS, HEALTH_CHECK_RETRY_COUNT,
HEALTH_CHECK_RETRY_DELAY, AMI_ID, INSTANCE_TYPE, SUBNET_ID, SECURITY_GROUP, KEY_NAME, EIP_ALLOCATION_ID.")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, clap::Subcommand)]
enum Sub {
    /// Shows what holds for an instance, or for all
    Get(Get),
    /// Sets fields: NAME=VALUE, a value in JSON or a plain word
    Set(Set),
    /// Sets another mode for a while
    Override(Override),
    /// Pauses recoveries under a name, for a while
    Pause(Pause),
}

#[derive(Debug, clap::Args)]
struct Whose {
    #[command(flatten)]
    storage: StorageArgs,
    /// The EC2 instance id, or `default`
    #[arg(value_name = "INSTANCE|default")]
    name: String,
    /// Who changes it; kept apart from the log's chain, and forgotten after 90 days (a log in DynamoDB does not keep it)
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Get {
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, clap::Args)]
struct Set {
    #[command(flatten)]
    whose: Whose,
    /// What is set; `NAME=` takes a field out of the row
    #[arg(value_name = "NAME=VALUE", required = true)]
    fields: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct Override {
    #[command(flatten)]
    whose: Whose,
    /// The mode meanwhile: observe, notify, approve or act
    #[arg(long, value_name = "MODE")]
    mode: String,
    /// How long
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    span: i64,
    /// Why, in words
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, clap::Args)]
struct Pause {
    #[command(flatten)]
    whose: Whose,
    /// The pause's name
    #[arg(long = "name", value_name = "NAME")]
    named: String,
    /// How long
    #[arg(long = "for", value_name = "SPAN", value_parser = span, required_unless_present = "lift")]
    span: Option<i64>,
    /// Ends the pause
    #[arg(long, conflicts_with = "span")]
    lift: bool,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        match &self.command {
            Sub::Get(args) => args.run(context),
            Sub::Set(args) => args.run(context),
            Sub::Override(args) => args.run(context),
            Sub::Pause(args) => args.run(context),
        }
    }
}

impl Whose {
    fn policies(&self, context: &Context<'_>) -> Result<Arc<dyn Policies>, CliError> {
        policies::check_name(&self.name).map_err(CliError::input)?;
        self.storage.policies(context)
    }

    /// Changes the row, checks what comes of it, writes it, and notes it in the log.
    fn change(
        &self,
        context: &mut Context<'_>,
        summary: &str,
        change: impl FnOnce(&mut Map<String, Value>) -> Result<(), CliError>,
    ) -> Result<End, CliError> {
        let policies = self.policies(context)?;
        let was = policies.row(&self.name).map_err(CliError::input)?;
        let mut row = was.clone().unwrap_or_default();
        change(&mut row)?;
        policies::checked(&*policies, &self.name, &row).map_err(CliError::input)?;
        let log = self.storage.log(context)?;
        policies.put(&self.name, was.as_ref(), &row).map_err(CliError::failed)?;
        let now = Timestamp::from_millisecond(context.now_ms).map_err(CliError::failed)?;
        let remembered = now + SignedDuration::from_hours(90 * 24);
        let by = self.by.as_ref().map(|name| log.keep_name(name, remembered)).transpose()?.flatten();
        let sha256 = sha256_hex(Value::Object(row).to_string().as_bytes());
        let event =
            Event::PolicyChanged(PolicyChanged { policy: self.name.clone(), sha256, summary: summary.to_owned(), by });
        let id = forewarn_domain::id::event_id("policy", &[&self.name, &context.now_ms.to_string(), summary]);
        let new = NewEvent::new(id, &self.name, now, event);
        log.append(&format!("policy/{}", self.name), Expected::Any, &[new]).map_err(CliError::input)?;
        context.out.line(format_args!("{}  {summary}", self.name))?;
        Ok(End::Done)
    }
}

impl Get {
    fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let policies = self.whose.policies(context)?;
        let name = &self.whose.name;
        let policy = if name == DEFAULT {
            let row = policies.row(DEFAULT).map_err(CliError::input)?.unwrap_or_default();
            policies::checked(&*policies, DEFAULT, &row).map_err(CliError::input)?
        } else {
            policies::of(&*policies, name).map_err(CliError::input)?
        };
        context.out.json(&policy)?;
        Ok(End::Done)
    }
}

impl Set {
    fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let mut pairs = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let (name, value) =
                field.split_once('=').ok_or_else(|| CliError::input(format!("`{field}` is not NAME=VALUE")))?;
            pairs.push((name.to_owned(), value.to_owned()));
        }
        let summary = format!("set {}", self.fields.join(" "));
        let unread: Vec<String> = pairs
            .iter()
            .filter(|(name, value)| !value.is_empty() && Policy::is_unread(name))
            .map(|p| p.0.clone())
            .collect();
        let end = self.whose.change(context, &summary, |row| {
            for (name, value) in pairs {
                if value.is_empty() {
                    row.remove(&name);
                } else {
                    row.insert(name, serde_json::from_str(&value).unwrap_or(Value::String(value)));
                }
            }
            Ok(())
        })?;
        for name in unread {
            context.out.line(format_args!("warning: nothing reads {name}: setting it changes nothing"))?;
        }
        Ok(end)
    }
}

impl Override {
    fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let now = UnixMs(context.now_ms);
        let until_ms = now.saturating_add(self.span);
        let summary =
            format!("mode {} until {}: {}", self.mode, forewarn_runtime::time::format_ms(until_ms.0), self.reason);
        self.whose.change(context, &summary, |row| {
            let all = row.entry("overrides").or_insert_with(|| json!([]));
            let all = all.as_array_mut().ok_or_else(|| CliError::input("overrides is no list"))?;
            all.retain(|o| o["until_ms"].as_i64().is_none_or(|t| t > now.0));
            all.push(json!({"mode": self.mode, "until_ms": until_ms, "reason": self.reason}));
            Ok(())
        })
    }
}

impl Pause {
    fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        let now = UnixMs(context.now_ms);
        let until_ms = self.span.map(|span| now.saturating_add(span));
        let summary = match until_ms {
            Some(until) => format!("paused by {} until {}", self.named, forewarn_runtime::time::format_ms(until.0)),
            None => format!("pause {} lifted", self.named),
        };
        self.whose.change(context, &summary, |row| {
            let all = row.entry("pauses").or_insert_with(|| json!({}));
            let all = all.as_object_mut().ok_or_else(|| CliError::input("pauses is no table"))?;
            all.retain(|_, until| until.as_i64().is_none_or(|t| t > now.0));
            match until_ms {
                Some(until) => {
                    all.insert(self.named.clone(), json!(until));
                }
                None if all.remove(&self.named).is_none() => {
                    return Err(CliError::input(format!(
                        "no pause {} is in force for {}",
                        self.named, self.whose.name
                    )));
                }
                None => {}
            }
            Ok(())
        })
    }
}
