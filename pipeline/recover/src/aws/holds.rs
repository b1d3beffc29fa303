//! Whether what a trigger told is still so, as far as EC2 knows.

use super::AwsRecovery;
use super::ec2_reads::status;
use aws_sdk_ec2::types::{InstanceStatus, InstanceStatusEvent, SummaryStatus};
use forewarn_recovery::facts::Read;
use forewarn_recovery::trigger::{Cause, Check, Trigger};

/// Looks again at what can be looked at: checks, and events that AWS has scheduled. The rest holds; others know better.
pub(super) async fn still_holds(aws: &AwsRecovery, trigger: &Trigger) -> Read<bool> {
    let holds: fn(&InstanceStatus, Cause) -> bool = match trigger.cause {
        Cause::CheckFailed { .. } => check_fails,
        Cause::Scheduled => |status, _| status.events.as_deref().unwrap_or_default().iter().any(is_open),
        Cause::Predicted { .. }
        | Cause::ApplicationDown
        | Cause::SpotWarned { .. }
        | Cause::RebalanceRecommended
        | Cause::Replaced
        | Cause::Operator { .. } => return Read::Known(true),
    };
    match status(&aws.ec2, &trigger.instance_id).await {
        Ok(found) => Read::Known(found.is_some_and(|s| holds(&s, trigger.cause))),
        Err(error) => Read::Failed(error.words),
    }
}

/// A stopped instance has no checks, and one that starts is `initializing`: neither fails.
fn check_fails(status: &InstanceStatus, cause: Cause) -> bool {
    let Cause::CheckFailed { check } = cause else { return false };
    let summary = match check {
        Check::System => status.system_status.as_ref().and_then(|s| s.status.as_ref()),
        Check::Instance => status.instance_status.as_ref().and_then(|s| s.status.as_ref()),
        Check::AttachedEbs => status.attached_ebs_status.as_ref().and_then(|s| s.status.as_ref()),
    };
    summary == Some(&SummaryStatus::Impaired)
}

/// AWS marks what is over in the description, and shows it for a week.
fn is_open(event: &InstanceStatusEvent) -> bool {
    let description = event.description.as_deref().unwrap_or_default();
    !description.starts_with("[Completed]") && !description.starts_with("[Canceled]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_is_over_is_not_open() {
        let event = |text: &str| is_open(&InstanceStatusEvent::builder().description(text).build());
        assert!(event("The instance is running on degraded hardware"));
        assert!(!event("[Completed] The instance is running on degraded hardware"));
        assert!(!event("[Canceled] The instance is running on degraded hardware"));
        assert!(is_open(&InstanceStatusEvent::builder().build()));
    }
}
