//! Events of Auto Scaling: launches, terminations, lifecycle actions, instance refreshes.

use super::{Events, Head, account, is_region};
use crate::doc::Doc;
use crate::reason::Reason;
use forewarn_domain::id::event_id;
use forewarn_log::event::group::{Activity, EndedFor, GroupChanged};
use forewarn_log::event::instance::{Left, LeftCause};
use forewarn_log::{Event, NewEvent};

/// Says whether it is what a group itself writes to a queue or a topic.
pub(super) fn is_notification(doc: &Doc<'_>) -> bool {
    doc.maybe("AutoScalingGroupName").is_some()
        && doc.maybe("detail-type").is_none()
        && (doc.maybe("LifecycleTransition").is_some() || doc.maybe("Event").is_some())
}

/// What a group itself writes: a lifecycle hook's notification, or that of an activity. They have no ids of their own but for the
/// hook's token and the activity's.
///
/// Forms: "Amazon EC2 Auto Scaling User Guide", lifecycle hooks and Amazon SNS notifications.
pub(super) fn notified(doc: &Doc<'_>) -> Result<Vec<NewEvent>, Reason> {
    let (said, token) = match (doc.maybe("LifecycleTransition"), doc.maybe("Event")) {
        (Some(said), _) => (said, doc.need("LifecycleActionToken")?),
        // It was only tried whether notifications arrive.
        (None, Some(said)) if said.text()? == "autoscaling:TEST_NOTIFICATION" => return Ok(Vec::new()),
        (None, Some(said)) => (said, doc.need("ActivityId")?),
        (None, None) => return Err(doc.need("LifecycleTransition").err().unwrap_or_else(|| doc.wrong("an object"))),
    };
    let detail_type = match said.text()? {
        "autoscaling:EC2_INSTANCE_LAUNCHING" => "EC2 Instance-launch Lifecycle Action",
        "autoscaling:EC2_INSTANCE_TERMINATING" => "EC2 Instance-terminate Lifecycle Action",
        "autoscaling:EC2_INSTANCE_LAUNCH" => "EC2 Instance Launch Successful",
        "autoscaling:EC2_INSTANCE_LAUNCH_ERROR" => "EC2 Instance Launch Unsuccessful",
        "autoscaling:EC2_INSTANCE_TERMINATE" => "EC2 Instance Terminate Successful",
        "autoscaling:EC2_INSTANCE_TERMINATE_ERROR" => "EC2 Instance Terminate Unsuccessful",
        _ => return Err(said.bad_value("a lifecycle transition or an activity of Auto Scaling")),
    };
    let arn = doc.maybe("AutoScalingGroupARN").map(|a| a.text()).transpose()?;
    let head = Head {
        id: format!("autoscaling/{}", event_id("autoscaling", &[token.name()?, detail_type])),
        source: "aws.autoscaling",
        detail_type,
        account: doc.maybe("AccountId").map_or(Ok("unknown"), |a| account(&a))?,
        region: arn.and_then(|a| a.split(':').nth(3)).filter(|r| is_region(r)).unwrap_or("unknown"),
        time: doc.maybe("Time").map_or_else(|| doc.need("EndTime"), Ok)?.time()?,
        resources: Vec::new(),
        detail: doc.clone(),
    };
    head.events(activity(&head)?)
}

/// Every event of `aws.autoscaling` that says something here.
pub(super) fn activity(head: &Head<'_>) -> Events {
    let activity = match head.detail_type {
        "EC2 Instance Launch Successful" => Activity::Launched,
        "EC2 Instance Launch Unsuccessful" => Activity::LaunchFailed,
        "EC2 Instance Terminate Successful" => Activity::Terminated,
        "EC2 Instance Terminate Unsuccessful" => Activity::TerminateFailed,
        "EC2 Instance-launch Lifecycle Action" => Activity::LaunchWaits,
        "EC2 Instance-terminate Lifecycle Action" => Activity::TerminateWaits,
        "EC2 Auto Scaling Instance Refresh Started" => Activity::RefreshStarted,
        "EC2 Auto Scaling Instance Refresh Checkpoint Reached" => Activity::RefreshCheckpoint,
        "EC2 Auto Scaling Instance Refresh Succeeded" => Activity::RefreshSucceeded,
        "EC2 Auto Scaling Instance Refresh Failed" => Activity::RefreshFailed,
        "EC2 Auto Scaling Instance Refresh Cancelled" => Activity::RefreshCancelled,
        _ => return Err(head.unknown()),
    };
    let group = head.detail.need("AutoScalingGroupName")?.name()?;
    let cause = head.detail.maybe("Cause").map(|c| c.words()).transpose()?.filter(|c| !c.is_empty());
    let instance = instance(head, activity)?;
    let ended_for = matches!(activity, Activity::Terminated | Activity::TerminateFailed)
        .then(|| ended_for(cause.as_deref().unwrap_or_default()));
    let subject = instance.map_or_else(|| format!("asg/{group}"), str::to_owned);
    let changed = Event::GroupChanged(GroupChanged {
        group: group.to_owned(),
        instance_id: instance.map(str::to_owned),
        account: head.account.to_owned(),
        region: head.region.to_owned(),
        activity,
        ended_for,
        cause,
    });
    let mut events = vec![(subject, changed)];
    if let (Activity::Terminated, Some(id)) = (activity, instance) {
        let cause = match ended_for {
            Some(EndedFor::ScaleIn | EndedFor::Refresh | EndedFor::Rebalance) => LeftCause::ScaleIn,
            Some(EndedFor::Request) => LeftCause::Terminated,
            Some(EndedFor::Maintenance) => LeftCause::Maintenance,
            Some(EndedFor::Unhealthy | EndedFor::StatusChecks | EndedFor::Other) | None => LeftCause::Gone,
        };
        let left = Left {
            instance_id: id.to_owned(),
            account: head.account.to_owned(),
            region: head.region.to_owned(),
            cause,
        };
        events.push((id.to_owned(), Event::InstanceLeft(left)));
    }
    Ok(events)
}

/// Gives the instance: one that was to be launched and was not has none.
fn instance<'a>(head: &Head<'a>, activity: Activity) -> Result<Option<&'a str>, Reason> {
    let said = head.detail.maybe("EC2InstanceId").filter(|d| d.value != "");
    match activity {
        Activity::LaunchFailed
        | Activity::RefreshStarted
        | Activity::RefreshCheckpoint
        | Activity::RefreshSucceeded
        | Activity::RefreshFailed
        | Activity::RefreshCancelled => said.as_ref().map(Doc::instance).transpose(),
        Activity::Launched
        | Activity::Terminated
        | Activity::TerminateFailed
        | Activity::LaunchWaits
        | Activity::TerminateWaits => head.detail.need("EC2InstanceId")?.instance().map(Some),
    }
}

/// Reads why Auto Scaling ended an instance from the sentence it gives.
///
/// Wording: "Amazon EC2 Auto Scaling User Guide", verify a scaling activity, and health checks for instances in an Auto Scaling group.
fn ended_for(cause: &str) -> EndedFor {
    let cause = cause.to_ascii_lowercase();
    let has = |part: &str| cause.contains(part);
    match () {
        () if has("status check") => EndedFor::StatusChecks,
        () if has("user health-check") || has("user health check") => EndedFor::Request,
        () if has("scheduled reboot")
            || has("scheduled maintenance")
            || has("scheduled event")
            || has("retirement") =>
        {
            EndedFor::Maintenance
        }
        () if has("health check") || has("unhealthy") || has("health-check") => EndedFor::Unhealthy,
        () if has("instance refresh") => EndedFor::Refresh,
        () if has("rebalance recommendation") || has("rebalanc") => EndedFor::Rebalance,
        () if has("shrinking the capacity") || has("difference between desired and actual") => EndedFor::ScaleIn,
        () if has("user request") => EndedFor::Request,
        () => EndedFor::Other,
    }
}
