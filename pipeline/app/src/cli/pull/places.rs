//! Which accounts and regions are asked.

use super::super::Context;
use super::super::error::CliError;
use super::PullArgs;
use forewarn_ingest::source::place::Place;

#[cfg(not(feature = "aws"))]
impl PullArgs {
    #[expect(clippy::unused_self, reason = "with AWS it says which accounts and regions")]
    pub(in crate::cli) fn places(&self, _: &Context<'_>) -> Result<Vec<Place>, CliError> {
        Err(CliError::input("this forewarn was built without AWS; build it with the feature `aws`"))
    }
}

#[cfg(feature = "aws")]
impl PullArgs {
    pub(in crate::cli) fn places(&self, context: &Context<'_>) -> Result<Vec<Place>, CliError> {
        use forewarn_ingest::source::accounts::{Account, is_region, parse};
        use forewarn_ingest::source::cloudwatch::CloudWatch;
        use forewarn_ingest::source::ec2::Ec2;
        use forewarn_ingest::source::limit::{Pace, Quota};
        use forewarn_runtime::aws::{Aws, Role};
        use forewarn_runtime::clock::SystemClock;
        use std::collections::BTreeMap;
        use std::sync::Arc;

        let aws = Aws::load().map_err(CliError::failed)?;
        let live = &context.settings.live;
        let mut regions: Vec<String> = match self.regions.as_deref().or(live.regions.as_deref()) {
            Some(text) => text.split(',').map(|r| r.trim().to_owned()).collect(),
            None => Vec::new(),
        };
        if let Some(bad) = regions.iter().find(|r| !is_region(r)) {
            return Err(CliError::input(format!("{bad:?} is no region, such as eu-central-1")));
        }
        let file = self.accounts.clone().or_else(|| live.accounts.as_ref().map(std::path::PathBuf::from));
        let accounts = match &file {
            Some(file) => parse(&file.display().to_string(), &super::read(file)?).map_err(CliError::input)?,
            None => vec![Account::default()],
        };
        if regions.is_empty() && accounts.iter().any(|a| a.regions.is_empty()) {
            regions.push(aws.region().map_err(CliError::input)?.to_owned());
        }
        let quota = Quota { calls: self.quota_calls, points: self.quota_points };
        let mut places: Vec<Place> = Vec::new();
        let mut paces = BTreeMap::new();
        for account in accounts {
            let role = account.role.map(|arn| Role { arn, external_id: account.external_id.clone() });
            let label = role.as_ref().map_or("own", |r| r.arn.as_str()).to_owned();
            let id = account.id.or_else(|| role.as_ref().and_then(|r| r.account().ok()).map(str::to_owned));
            for region in if account.regions.is_empty() { &regions } else { &account.regions } {
                if places.iter().any(|p| p.label == label && p.region == *region) {
                    continue;
                }
                let config = aws.config(region, role.as_ref());
                let metrics = Box::new(CloudWatch::new(&aws, &config, Arc::new(SystemClock)));
                let apis = (metrics as _, Box::new(Ec2::new(&aws, &config)) as _);
                // AWS counts by account, whichever role asks.
                let asked = (id.clone().unwrap_or_else(|| label.clone()), region.clone());
                let pace = paces.entry(asked).or_insert_with(|| Pace::new(quota, context.now_ms)).clone();
                places.push(Place::new(label.clone(), id.clone(), region.clone(), apis, pace));
            }
        }
        Ok(places)
    }
}
