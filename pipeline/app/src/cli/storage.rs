//! Where recoveries are written down and policies are: the state directory, or tables of DynamoDB.

use super::Context;
use super::common::StateArg;
use super::error::CliError;
use super::operator;
use crate::state::StateSpec;
use forewarn_events::DeadLetters;
use forewarn_log::spec::is_table;
use forewarn_recover::policies::environment::Environment;
use forewarn_recover::policies::{Policies, PolicyDir};
use forewarn_recover::store::Store;
use std::sync::Arc;

/// Where recoveries and policies are.
#[derive(Debug, clap::Args)]
pub(super) struct StorageArgs {
    #[command(flatten)]
    pub(super) state: StateArg,
    /// Where recoveries are written down: dynamodb:TABLE [default: the setting, else the event log in the state]
    #[arg(long, value_name = "PLACE")]
    recovery_log: Option<String>,
    /// Where policies are: dynamodb:TABLE [default: the setting, else the directory `policies` in the state]
    #[arg(long, value_name = "PLACE")]
    policies: Option<String>,
}

/// A flag, its setting, and the variable by which it was known before.
struct Named<'a> {
    flag: Option<&'a String>,
    setting: Option<&'a String>,
    variable: &'static str,
}

impl Named<'_> {
    /// Gives the table; none where nobody names one.
    fn table(&self, what: &str) -> Result<Option<String>, CliError> {
        if let Some(place) = self.flag.or(self.setting) {
            let name = place.strip_prefix("dynamodb:").filter(|name| is_table(name));
            let wrong = || CliError::input(format!("{what} {place:?} is not dynamodb:TABLE"));
            return name.map(|name| Some(name.to_owned())).ok_or_else(wrong);
        }
        let Some(name) = std::env::var(self.variable).ok().filter(|name| !name.is_empty()) else { return Ok(None) };
        let wrong = || CliError::input(format!("{} is {name:?}, which is no name of a table", self.variable));
        if is_table(&name) { Ok(Some(name)) } else { Err(wrong()) }
    }
}

impl StorageArgs {
    fn log_table(&self, context: &Context<'_>) -> Result<Option<String>, CliError> {
        let setting = context.settings.live.recovery_log.as_ref();
        Named { flag: self.recovery_log.as_ref(), setting, variable: "RECOVERY_EVENTS_TABLE" }
            .table("the log of recoveries")
    }

    /// Opens the log of recoveries.
    pub(super) fn log(&self, context: &Context<'_>) -> Result<Arc<dyn Store>, CliError> {
        match self.log_table(context)? {
            None => operator::open(&self.state, context),
            Some(table) => tables::log(&table),
        }
    }

    /// Gives where messages go that can't be understood.
    pub(super) fn dead(&self, context: &Context<'_>) -> Result<Box<dyn DeadLetters>, CliError> {
        self.state.dead(context)
    }

    /// Gives the policies.
    pub(super) fn policies(&self, context: &Context<'_>) -> Result<Arc<dyn Policies>, CliError> {
        policies(self.policies.as_ref(), &self.state, context)
    }

    /// Makes the tables that are named and not there.
    pub(super) fn create(&self, context: &Context<'_>) -> Result<(), CliError> {
        if let Some(table) = self.log_table(context)? {
            tables::create_log(&table)?;
        }
        if let Some(table) = policy_table(self.policies.as_ref(), context)? {
            tables::create_policies(&table)?;
        }
        Ok(())
    }
}

fn policy_table(flag: Option<&String>, context: &Context<'_>) -> Result<Option<String>, CliError> {
    let setting = context.settings.live.policies.as_ref();
    Named { flag, setting, variable: "INSTANCE_CONFIG_TABLE" }.table("policies")
}

/// Gives the policies that a flag, or whatever else, names; for every command that looks at them.
pub(super) fn policies(
    flag: Option<&String>,
    state: &StateArg,
    context: &Context<'_>,
) -> Result<Arc<dyn Policies>, CliError> {
    let rows: Arc<dyn Policies> = match policy_table(flag, context)? {
        None => match StateSpec::parse(state.state.as_deref().unwrap_or(&context.settings.state))? {
            StateSpec::Dir(dir) => Arc::new(PolicyDir::of(&dir)),
            StateSpec::Table(_) => {
                let why =
                    "policies are in no directory where the state is a table; set FOREWARN_POLICIES=dynamodb:TABLE";
                return Err(CliError::input(why));
            }
        },
        Some(table) => tables::policies(&table)?,
    };
    let over = Environment::under(rows, |name| std::env::var(name).ok()).map_err(CliError::input)?;
    Ok(Arc::new(over))
}

#[cfg(feature = "aws")]
mod tables {
    use super::{Arc, CliError, Policies, Store};
    use forewarn_log::dynamodb::DynamoLog;
    use forewarn_recover::policies::table::PolicyTable;
    use forewarn_recover::store::ProjectedLog;
    use forewarn_runtime::aws::Aws;
    use forewarn_runtime::context::RuntimeContext;

    fn aws() -> Result<Aws, CliError> {
        let aws = Aws::load().map_err(CliError::failed)?;
        aws.region().map_err(CliError::input)?;
        aws.check_credentials(aws.base()).map_err(CliError::input)?;
        Ok(aws)
    }

    pub(super) fn log(table: &str) -> Result<Arc<dyn Store>, CliError> {
        let aws = aws()?;
        let config = aws.base().clone();
        let log = DynamoLog::open(aws, &config, table, RuntimeContext::standalone())?;
        Ok(Arc::new(ProjectedLog::new(log)))
    }

    pub(super) fn policies(table: &str) -> Result<Arc<dyn Policies>, CliError> {
        Ok(Arc::new(PolicyTable::new(&aws()?, table)))
    }

    pub(super) fn create_log(table: &str) -> Result<(), CliError> {
        let aws = aws()?;
        let config = aws.base().clone();
        DynamoLog::create(aws, &config, table, RuntimeContext::standalone())?;
        Ok(())
    }

    pub(super) fn create_policies(table: &str) -> Result<(), CliError> {
        PolicyTable::new(&aws()?, table).create().map_err(CliError::failed)
    }
}

#[cfg(not(feature = "aws"))]
mod tables {
    use super::{Arc, CliError, Policies, Store};

    fn without(table: &str) -> CliError {
        CliError::input(format!("this forewarn was built without AWS, and has no table {table}; build it with `aws`"))
    }

    pub(super) fn log(table: &str) -> Result<Arc<dyn Store>, CliError> {
        Err(without(table))
    }

    pub(super) fn policies(table: &str) -> Result<Arc<dyn Policies>, CliError> {
        Err(without(table))
    }

    pub(super) fn create_log(table: &str) -> Result<(), CliError> {
        Err(without(table))
    }

    pub(super) fn create_policies(table: &str) -> Result<(), CliError> {
        Err(without(table))
    }
}
