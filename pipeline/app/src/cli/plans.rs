//! Whether predictions at high carry plans, and as whom these are looked at.

use super::Context;
use super::common::StateArg;
use super::error::CliError;
use super::storage;
use forewarn_recover::planner::Planner;
use forewarn_recover::policies::Policies;
use std::sync::Arc;

/// Looked at with the own credentials.
const OWN: &str = "own";

/// Plans in predictions.
#[derive(Debug, clap::Args)]
pub(super) struct PlanArgs {
    /// Gives each prediction at high the plan of its recovery, looked at in AWS as `own` or as the role that acts, by its ARN
    /// [default: the setting]
    #[arg(long, value_name = "AS", num_args = 0..=1, default_missing_value = OWN)]
    plans: Option<String>,
    /// The external id that the trust policy of the role of --plans asks for [default: the setting]
    #[arg(long, value_name = "ID")]
    plans_external_id: Option<String>,
}

impl PlanArgs {
    /// Makes what plans are made by, where somebody wants plans; nothing is asked of AWS yet.
    pub(super) fn planner(&self, state: &StateArg, context: &Context<'_>) -> Result<Option<Planner>, CliError> {
        let live = &context.settings.live;
        let Some(who) = self.plans.as_ref().or(live.plans.as_ref()) else { return Ok(None) };
        let external_id = self.plans_external_id.as_ref().or(live.plans_external_id.as_ref());
        let policies = storage::policies(None, state, context)?;
        made(who, external_id, policies).map(Some)
    }
}

#[cfg(feature = "aws")]
fn made(who: &str, external_id: Option<&String>, policies: Arc<dyn Policies>) -> Result<Planner, CliError> {
    use forewarn_recover::aws::AwsRegions;
    use forewarn_runtime::aws::{Aws, Role};
    use forewarn_runtime::clock::SystemClock;
    let role = (who != OWN).then(|| Role { arn: who.to_owned(), external_id: external_id.cloned() });
    if let Some(role) = &role {
        role.account().map_err(|e| CliError::input(format!("--plans is {OWN} or a role: {e}")))?;
    }
    let regions = AwsRegions::new(Aws::load().map_err(CliError::failed)?, role);
    Ok(Planner::new(Arc::new(regions), policies, Arc::new(SystemClock)))
}

#[cfg(not(feature = "aws"))]
fn made(_: &str, _: Option<&String>, _: Arc<dyn Policies>) -> Result<Planner, CliError> {
    Err(CliError::input(
        "--plans looks at AWS, and this forewarn was built without; build it with the feature `aws`, or leave --plans and the \
         setting `plans` out",
    ))
}
