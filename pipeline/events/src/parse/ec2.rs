//! Events of EC2 about instances.

use super::{Events, Head};
use crate::reason::Reason;
use forewarn_log::Event;
use forewarn_log::event::instance::{InstanceState, StateChanged};
use forewarn_log::event::spot::{InterruptionWarned, RebalanceRecommended, SpotAction};
use forewarn_runtime::time::format_ms;

/// How far ahead EC2 warns of a stop or an end, milliseconds; hibernation begins at once.
const WARNED_MS: i64 = 120_000;

/// `EC2 Instance State-change Notification`.
pub(super) fn state(head: &Head<'_>) -> Events {
    let id = head.detail.need("instance-id")?.instance()?;
    let state = head.detail.need("state")?;
    let known: InstanceState = serde_json::from_value(state.text()?.into())
        .map_err(|_| state.bad_value("pending, running, stopping, stopped, shutting-down or terminated"))?;
    let event = StateChanged {
        instance_id: id.to_owned(),
        account: head.account.to_owned(),
        region: head.region.to_owned(),
        state: known,
        previous: None,
        reason: None,
    };
    Ok(vec![(id.to_owned(), Event::InstanceStateChanged(event))])
}

/// `EC2 Spot Instance Interruption Warning`.
pub(super) fn interruption(head: &Head<'_>) -> Events {
    let id = head.detail.need("instance-id")?.instance()?;
    let action = head.detail.need("instance-action")?;
    let (action, ahead): (SpotAction, i64) = match action.text()? {
        "terminate" => (SpotAction::Terminate, WARNED_MS),
        "stop" => (SpotAction::Stop, WARNED_MS),
        "hibernate" => (SpotAction::Hibernate, 0),
        _ => return Err(action.bad_value("terminate, stop or hibernate")),
    };
    let event = InterruptionWarned {
        instance_id: id.to_owned(),
        account: head.account.to_owned(),
        region: head.region.to_owned(),
        action,
        at: format_ms(head.time + ahead),
    };
    Ok(vec![(id.to_owned(), Event::SpotInterruptionWarned(event))])
}

/// `EC2 Instance Rebalance Recommendation`.
pub(super) fn rebalance(head: &Head<'_>) -> Result<Vec<(String, Event)>, Reason> {
    let id = head.detail.need("instance-id")?.instance()?;
    let event = RebalanceRecommended {
        instance_id: id.to_owned(),
        account: head.account.to_owned(),
        region: head.region.to_owned(),
        at: head.time_text(),
    };
    Ok(vec![(id.to_owned(), Event::SpotRebalanceRecommended(event))])
}
