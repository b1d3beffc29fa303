//! How instances are that run, and until when AWS may still heal one by itself.

use super::super::AwsRecovery;
use super::super::call::ask;
use super::super::ec2_reads::unix_ms;
use aws_sdk_ec2::types::{Instance, InstanceAutoRecoveryState, InstanceStatus, InstanceStatusSummary, SummaryStatus};
use forewarn_domain::time::UnixMs;
use forewarn_recovery::admission::Health;
use forewarn_recovery::facts;

/// Instances of one page.
const PAGE: i32 = 1000;

/// Gives the checks of every instance that runs in the account and region.
pub(super) async fn statuses(aws: &AwsRecovery) -> Result<Vec<InstanceStatus>, String> {
    let mut all = Vec::new();
    let mut next = None;
    loop {
        let call = aws.ec2.describe_instance_status().max_results(PAGE).set_next_token(next);
        let reply = ask("ec2:DescribeInstanceStatus", call.send()).await?;
        all.extend(reply.instance_statuses.unwrap_or_default());
        next = reply.next_token.filter(|t| !t.is_empty());
        if next.is_none() {
            return Ok(all);
        }
    }
}

/// Counts instances and those of them that a check calls impaired; `initializing` and `insufficient-data` do not.
pub(super) fn health<'a>(of: impl Iterator<Item = &'a InstanceStatus>) -> Health {
    of.fold(Health::default(), |sum, status| Health {
        members: sum.members.saturating_add(1),
        impaired: sum.impaired.saturating_add(u32::from(is_impaired(status))),
    })
}

fn is_impaired(status: &InstanceStatus) -> bool {
    let summaries = [&status.system_status, &status.instance_status];
    let ebs = status.attached_ebs_status.as_ref().and_then(|s| s.status.as_ref());
    let all = summaries.into_iter().map(|s| s.as_ref().and_then(|s| s.status.as_ref())).chain([ebs]);
    all.flatten().any(|s| *s == SummaryStatus::Impaired)
}

/// Gives until when AWS's own recovery may act, unless people have disabled it.
pub(super) fn aws_recovers_until(instance: &Instance, status: Option<&InstanceStatus>) -> Option<UnixMs> {
    let setting = instance.maintenance_options.as_ref().and_then(|m| m.auto_recovery.as_ref());
    if setting == Some(&InstanceAutoRecoveryState::Disabled) {
        return None;
    }
    let since = impaired_since(status?.system_status.as_ref()?)?;
    Some(facts::aws_recovers_until(since))
}

/// Without the time AWS gives none: an end that each look pushes on would never come.
fn impaired_since(summary: &InstanceStatusSummary) -> Option<UnixMs> {
    let is_impaired = summary.status == Some(SummaryStatus::Impaired);
    let details = summary.details.as_deref().unwrap_or_default().iter().filter(|_| is_impaired);
    details.filter_map(|d| unix_ms(d.impaired_since.as_ref())).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::primitives::DateTime;
    use aws_sdk_ec2::types::{EbsStatusSummary, InstanceMaintenanceOptions, InstanceStatusDetails};

    fn summary(status: SummaryStatus, since: Option<i64>) -> InstanceStatusSummary {
        let detail = InstanceStatusDetails::builder().set_impaired_since(since.map(DateTime::from_millis)).build();
        InstanceStatusSummary::builder().status(status).details(detail).build()
    }

    fn system(status: SummaryStatus, since: Option<i64>) -> InstanceStatus {
        InstanceStatus::builder().system_status(summary(status, since)).build()
    }

    #[test]
    fn only_what_is_impaired_counts_whichever_check_says_so() {
        let ebs = EbsStatusSummary::builder().status(SummaryStatus::Impaired).build();
        let all = [
            system(SummaryStatus::Ok, None),
            system(SummaryStatus::Impaired, None),
            system(SummaryStatus::Initializing, None),
            system(SummaryStatus::InsufficientData, None),
            InstanceStatus::builder().attached_ebs_status(ebs).build(),
            InstanceStatus::builder().build(),
        ];
        assert_eq!(health(all.iter()), Health { members: 6, impaired: 2 });
    }

    #[test]
    fn aws_has_ten_minutes_from_the_failure_of_the_host_on() {
        let plain = Instance::builder().build();
        let until = |i: &Instance, s: &InstanceStatus| aws_recovers_until(i, Some(s));
        assert_eq!(until(&plain, &system(SummaryStatus::Impaired, Some(1000))), Some(UnixMs(601_000)));
        assert_eq!(until(&plain, &system(SummaryStatus::Impaired, None)), None);
        assert_eq!(until(&plain, &system(SummaryStatus::Ok, Some(1000))), None);
        assert_eq!(aws_recovers_until(&plain, None), None);
        let options = InstanceMaintenanceOptions::builder().auto_recovery(InstanceAutoRecoveryState::Disabled).build();
        let disabled = Instance::builder().maintenance_options(options).build();
        assert_eq!(until(&disabled, &system(SummaryStatus::Impaired, Some(1000))), None);
    }
}
