//! One account in one region, with the ways there.

use super::api::{InstanceApi, MetricApi};
use super::limit::{Limiter, Quota};
use std::sync::Mutex;

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
    pub(super) limiter: Mutex<Limiter>,
}

impl Place {
    /// Makes a place.
    pub fn new(
        label: impl Into<String>,
        account: Option<String>,
        region: impl Into<String>,
        apis: (Box<dyn MetricApi>, Box<dyn InstanceApi>),
        quota: Quota,
        now_ms: i64,
    ) -> Self {
        let (metrics, instances) = apis;
        let limiter = Mutex::new(Limiter::new(quota, now_ms));
        Self { label: label.into(), account, region: region.into(), metrics, instances, limiter }
    }
}
