//! Events of Auto Scaling: launches, terminations, lifecycle actions, instance refreshes.

use super::{Events, Head};
use crate::doc::Doc;
use crate::reason::Reason;
use forewarn_log::Event;
use forewarn_log::event::group::{Activity, EndedFor, GroupChanged};
use forewarn_log::event::instance::{Left, LeftCause};

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
            Some(EndedFor::Unhealthy | EndedFor::Other) | None => LeftCause::Gone,
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
/// Wording: "Amazon EC2 Auto Scaling User Guide", verify a scaling activity.
fn ended_for(cause: &str) -> EndedFor {
    let has = |part: &str| cause.contains(part);
    match () {
        () if has("health check") || has("unhealthy") || has("health-check") => EndedFor::Unhealthy,
        () if has("instance refresh") => EndedFor::Refresh,
        () if has("rebalance recommendation") || has("rebalanc") => EndedFor::Rebalance,
        () if has("shrinking the capacity") || has("difference between desired and actual") => EndedFor::ScaleIn,
        () if has("user request") => EndedFor::Request,
        () => EndedFor::Other,
    }
}
