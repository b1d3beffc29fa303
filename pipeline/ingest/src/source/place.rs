//! One account in one region, with the ways there.

use super::api::{InstanceApi, MetricApi};
use super::limit::Pace;
use super::watch::PlaceKey;

/// One account in one region.
#[derive(Debug)]
pub struct Place {
    /// What it is known by in the state, whatever account that is: a role, or `own`.
    pub label: String,
    /// The account, where it is known before anything is asked.
    pub account: Option<String>,
    pub region: String,
    /// CloudWatch there.
    pub metrics: Box<dyn MetricApi>,
    /// EC2 there.
    pub instances: Box<dyn InstanceApi>,
    /// The pace there, kept from round to round.
    pub(super) pace: Pace,
}

impl Place {
    /// Makes a place; those of the same account and region share one pace.
    pub fn new(
        label: impl Into<String>,
        account: Option<String>,
        region: impl Into<String>,
        apis: (Box<dyn MetricApi>, Box<dyn InstanceApi>),
        pace: Pace,
    ) -> Self {
        let (metrics, instances) = apis;
        Self { label: label.into(), account, region: region.into(), metrics, instances, pace }
    }

    /// Gives what it is known by.
    pub fn key(&self) -> PlaceKey {
        PlaceKey { label: self.label.clone(), region: self.region.clone() }
    }
}
