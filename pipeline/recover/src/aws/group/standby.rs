//! Out of service for a while, and back.

use super::super::super::hands::{Errand, Reply};
use super::super::AwsHands;
use super::super::call::Trouble;
use super::super::sight;
use super::member::{self, Member};
use super::processes;

/// How long until a member is looked at again, milliseconds.
const AGAIN_MS: i64 = 3_000;

fn look(hands: &AwsHands, errand: &Errand) -> Result<Option<Member>, Reply> {
    member::member(hands, &errand.subject).map_err(sight::unread)
}

/// Puts the member aside; the group wants one fewer meanwhile.
pub(super) fn enter(hands: &AwsHands, errand: &Errand, group: &str) -> Result<Reply, Reply> {
    let who = &errand.subject;
    let seen = look(hands, errand)?;
    match seen.as_ref().map_or("gone", |m| m.lifecycle.as_str()) {
        "InService" => {}
        "Standby" => return Ok(Reply::Done(group.to_owned())),
        "EnteringStandby" => return Ok(Reply::Waiting(AGAIN_MS)),
        other => return Ok(Reply::Failed(format!("{who} is {other} in {group}: only what is in service steps aside"))),
    }
    let call = hands.autoscaling.enter_standby().auto_scaling_group_name(group).instance_ids(who);
    let call = call.should_decrement_desired_capacity(true);
    sight::ask(hands, "autoscaling:EnterStandby", call.send()).map_err(Trouble::reply)?;
    let is_aside = look(hands, errand)?.is_some_and(|m| m.lifecycle == "Standby");
    Ok(if is_aside { Reply::Done(group.to_owned()) } else { Reply::Waiting(AGAIN_MS) })
}

/// Takes the member back; the group wants one more again.
pub(super) fn exit(hands: &AwsHands, errand: &Errand, group: &str) -> Result<Reply, Reply> {
    let who = &errand.subject;
    let back = || processes::after_release(hands, errand, group).map(|()| Reply::Done(group.to_owned()));
    match look(hands, errand)?.map_or_else(|| "gone".to_owned(), |m| m.lifecycle).as_str() {
        "Standby" => {}
        "InService" => return back(),
        "gone" => return Ok(Reply::Done(format!("{who} is in {group} no more"))),
        "EnteringStandby" => return Ok(Reply::Waiting(AGAIN_MS)),
        pending if pending.starts_with("Pending") => return Ok(Reply::Waiting(AGAIN_MS)),
        other => return Ok(Reply::Failed(format!("{who} is {other} in {group}: it can't be taken back"))),
    }
    let call = hands.autoscaling.exit_standby().auto_scaling_group_name(group).instance_ids(who);
    sight::ask(hands, "autoscaling:ExitStandby", call.send()).map_err(Trouble::reply)?;
    if look(hands, errand)?.is_some_and(|m| m.lifecycle == "InService") {
        return back();
    }
    Ok(Reply::Waiting(AGAIN_MS))
}
