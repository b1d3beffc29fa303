//! Defines what is asked of CloudWatch and EC2, whatever answers.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most queries of one `GetMetricData` call.
pub const MAX_QUERIES: usize = 500;
/// Most datapoints of one `GetMetricData` call.
pub const MAX_POINTS: i64 = 100_800;

/// A metric as CloudWatch names it; dimensions are sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MetricName {
    pub namespace: String,
    /// Metric name.
    pub metric: String,
    /// Names and values of the dimensions, sorted.
    pub dimensions: Vec<(String, String)>,
}

impl MetricName {
    /// Gives the value of a dimension.
    pub fn dimension(&self, name: &str) -> Option<&str> {
        self.dimensions.iter().find(|d| d.0 == name).map(|d| d.1.as_str())
    }

    /// Gives names and values of the dimensions.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    #[cfg(test)]
    pub(in crate::source) fn sample(namespace: &str, metric: &str, dimensions: &[(&str, &str)]) -> Self {
        let mut dimensions: Vec<_> = dimensions.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        dimensions.sort();
        Self { namespace: namespace.to_owned(), metric: metric.to_owned(), dimensions }
    }
}

/// Asks for one page of `ListMetrics`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRequest<'a> {
    pub namespace: &'a str,
    /// Only this metric name.
    pub metric: Option<&'a str>,
    /// Only what had data in the last three hours.
    pub recently_active: bool,
    /// The page.
    pub token: Option<String>,
}

/// One page of `ListMetrics`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricPage {
    pub metrics: Vec<MetricName>,
    /// The next page, where there is one.
    pub next: Option<String>,
}

/// One query of a `GetMetricData` call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    pub metric: &'a MetricName,
    /// The statistic.
    pub stat: &'a str,
    /// The period, seconds.
    pub period_s: i32,
}

/// Asks for one page of `GetMetricData`. Results are known by the place of their query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataRequest<'a> {
    /// Start, milliseconds, included.
    pub from: i64,
    /// End, milliseconds, not included.
    pub to: i64,
    pub queries: &'a [Query<'a>],
    /// The page.
    pub token: Option<String>,
}

/// Says how far a result has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Everything is there.
    Complete,
    /// More comes with the next page.
    Partial,
    /// CloudWatch failed for this query: it is to be asked again.
    Failed,
    /// CloudWatch refuses this query for good.
    Refused,
}

/// Points of one query, as they came: in any order, perhaps doubled, perhaps not finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    /// The place of the query in the request.
    pub query: usize,
    /// Starts of the periods, milliseconds.
    pub ts: Vec<i64>,
    /// Values, as many as `ts`.
    pub values: Vec<f64>,
    /// How far it has come.
    pub standing: Standing,
}

/// One page of `GetMetricData`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DataPage {
    pub results: Vec<Points>,
    /// The next page, where there is one.
    pub next: Option<String>,
}

/// Explains why a call failed, by what the caller must do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// Too many calls: wait and ask again.
    #[error("throttled: {0}")]
    Throttled(String),
    /// The service or the network failed: ask again.
    #[error("failed for now: {0}")]
    Passing(String),
    /// Nothing answered: ask again, but not for long.
    #[error("no answer: {0}")]
    Silent(String),
    /// The page token is no longer good: begin with the first page again.
    #[error("the page token is no longer good")]
    Token,
    /// Permission is missing, or credentials are: nothing helps but a person.
    #[error("{operation} is not allowed: {why}; grant it to the role or the user, or check the credentials")]
    Denied {
        /// The permission, such as `cloudwatch:GetMetricData`.
        operation: &'static str,
        /// What AWS says.
        why: String,
    },
    /// The clock of this machine is too far off for a signature to count.
    #[error("AWS refuses the signature because this machine's clock is wrong: {0}; set the clock (NTP)")]
    Skewed(String),
    /// The request is wrong.
    #[error("refused: {0}")]
    Invalid(String),
}

impl ApiError {
    /// Says whether asking again may help.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Throttled(_) | Self::Passing(_) | Self::Silent(_))
    }
}

/// Lists metrics and gives their data.
pub trait MetricApi: Send + Sync + std::fmt::Debug {
    /// Gives a page of the metrics there are.
    ///
    /// # Errors
    /// As [`ApiError`]; nothing is tried twice in here.
    fn list_metrics(&self, request: &ListRequest<'_>) -> Result<MetricPage, ApiError>;

    /// Gives a page of data.
    ///
    /// # Errors
    /// As [`ApiError`]; nothing is tried twice in here.
    fn get_metric_data(&self, request: &DataRequest<'_>) -> Result<DataPage, ApiError>;

    /// Gives AWS's time less our own at the last reply, milliseconds, where a reply said so.
    fn clock_offset_ms(&self) -> Option<i64>;
}

/// An instance as EC2 describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Instance id.
    pub id: String,
    /// The account that owns it.
    pub account: Option<String>,
    /// The state's name, such as `running`.
    pub state: String,
    pub instance_type: Option<String>,
    /// When it was launched, milliseconds.
    pub launched_at: Option<i64>,
    pub tags: BTreeMap<String, String>,
    /// Ids of attached volumes, with the device each one is attached as.
    pub volumes: Vec<(String, String)>,
    /// How it may spend CPU credits: `standard`, or `unlimited` beyond its balance; none where that is not known.
    #[serde(default)]
    pub cpu_credits: Option<String>,
}

impl Instance {
    /// Says whether its type has CPU credits: t2, t3, t3a, t4g.
    pub fn is_burstable(&self) -> bool {
        let mut letters = self.instance_type.as_deref().unwrap_or_default().chars();
        letters.next() == Some('t') && letters.next().is_some_and(|c| c.is_ascii_digit())
    }

    /// Gives what it is a copy of: its Auto Scaling group, its launch template, or what the tag `workload` says.
    pub fn workload(&self) -> Option<&str> {
        ["aws:autoscaling:groupName", "aws:ec2launchtemplate:id", "workload"]
            .iter()
            .find_map(|tag| self.tags.get(*tag))
            .map(String::as_str)
            .filter(|w| !w.is_empty())
    }
}

/// One page of `DescribeInstances`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstancePage {
    pub instances: Vec<Instance>,
    /// The next page, where there is one.
    pub next: Option<String>,
}

/// One page of `DescribeInstanceCreditSpecifications`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnlimitedPage {
    /// Ids of instances.
    pub ids: Vec<String>,
    /// The next page, where there is one.
    pub next: Option<String>,
}

/// Describes instances.
pub trait InstanceApi: Send + Sync + std::fmt::Debug {
    /// Gives a page of all instances of the account in the region.
    ///
    /// # Errors
    /// As [`ApiError`]; nothing is tried twice in here.
    fn describe_instances(&self, token: Option<&str>) -> Result<InstancePage, ApiError>;

    /// Gives a page of the ids of instances that may spend CPU credits beyond their balance.
    ///
    /// # Errors
    /// As [`ApiError`]; nothing is tried twice in here.
    fn unlimited_credits(&self, token: Option<&str>) -> Result<UnlimitedPage, ApiError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_the_group_before_the_template_before_the_tag() {
        let mut instance = Instance::default();
        assert_eq!(instance.workload(), None);
        for (tag, value) in
            [("workload", "web"), ("aws:ec2launchtemplate:id", "lt-1"), ("aws:autoscaling:groupName", "asg-web")]
        {
            instance.tags.insert(tag.to_owned(), value.to_owned());
            assert_eq!(instance.workload(), Some(value));
        }
    }
}
