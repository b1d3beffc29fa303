//! Decides whether something may be done about one instance; every reason against it is told, not the first.

use super::facts::{Facts, InstanceFacts, InstanceState, Market, Read};
use super::policy::{Mode, Policy};
use super::refusal::Refusal;
use super::trigger::Cause;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::time::UnixMs;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionRequest {
    /// What is to be done.
    pub action: RecoveryAction,
    /// Why.
    pub cause: Cause,
    /// Whether a person has approved it.
    pub approved: bool,
    /// The time.
    pub now_ms: UnixMs,
}

impl ActionRequest {
    /// Says whether it is a failover that a person asks for while the home region answers nothing.
    fn is_home_unreachable<T>(self, instance: &Read<T>) -> bool {
        self.action == RecoveryAction::FailOverUnreachable && matches!(instance, Read::Failed(_))
    }
}

/// The processes of a group without which it replaces nothing.
const NEEDED: [&str; 3] = ["Launch", "Terminate", "ReplaceUnhealthy"];

/// Gives every reason against a wish; a fact that could not be read is one. Empty: it may be done.
pub fn refusals(wish: ActionRequest, facts: &Facts) -> Vec<Refusal> {
    let mut out = Vec::new();
    if let Some(policy) = known("the policy", &facts.policy, &mut out) {
        by_policy(wish, policy, &mut out);
    }
    // What can't be seen there is what the person who asks for it in the dark, and approves, answers for.
    if !wish.is_home_unreachable(&facts.instance) {
        by_home(wish, facts, &mut out);
    }
    if known("the trigger", &facts.trigger_holds, &mut out) == Some(&false) {
        out.push(Refusal::Stale);
    }
    if let Some(Some(id)) = known("silences", &facts.silence, &mut out) {
        out.push(Refusal::Silenced { id: id.clone() });
    }
    if (wish.action.launches() || wish.action.stops_instance())
        && let Some(Some(what)) = known("capacity", &facts.capacity_check, &mut out)
    {
        out.push(Refusal::Capacity { what: what.clone() });
    }
    out
}

/// What the home region has to tell.
fn by_home(wish: ActionRequest, facts: &Facts, out: &mut Vec<Refusal>) {
    if let Some(instance) = known("the instance", &facts.instance, out) {
        by_instance(wish, instance, &facts.policy, out);
    }
    if known("our own stops", &facts.own_stop, out) == Some(&true) && !is_meant(wish) {
        out.push(Refusal::OwnStop);
    }
    let event = known("service events", &facts.service_event, out) == Some(&true);
    // Trouble of the region is what another region is for.
    if event && wish.action.mutates() && !wish.action.leaves_region() {
        out.push(Refusal::ServiceEvent);
    }
    if let Some(Some(until)) = known("AWS's own recovery", &facts.aws_recovers_until, out)
        && wish.now_ms < *until
        && wish.action.stops_instance()
    {
        out.push(Refusal::AwsRecovers { until_ms: *until });
    }
}

/// A person may ask for what is done to an instance that is down because of us, and what was replaced is down for that very reason.
fn is_meant(wish: ActionRequest) -> bool {
    matches!(wish.cause, Cause::Operator { .. }) || wish.action == RecoveryAction::TerminateReplaced
}

fn known<'a, T>(what: &str, read: &'a Read<T>, out: &mut Vec<Refusal>) -> Option<&'a T> {
    match read {
        Read::Known(value) => Some(value),
        Read::Failed(why) => {
            out.push(Refusal::Unreadable { what: what.to_owned(), why: why.clone() });
            None
        }
        Read::Absent(what) => {
            out.push(Refusal::Unknown { what: what.clone() });
            None
        }
    }
}

fn by_policy(wish: ActionRequest, policy: &Policy, out: &mut Vec<Refusal>) {
    let ActionRequest { action, cause, approved, now_ms } = wish;
    if !action.mutates() {
        return;
    }
    if !policy.recovery_enabled || !policy.allows(action) {
        out.push(Refusal::Forbidden { action });
    }
    match policy.mode_at(action, now_ms) {
        Mode::Observe => out.push(Refusal::Mode { mode: "observe".to_owned() }),
        Mode::Notify => out.push(Refusal::Mode { mode: "notify".to_owned() }),
        Mode::Approve if !approved => out.push(Refusal::Unapproved),
        Mode::Act if action.always_approved() && !approved => out.push(Refusal::Unapproved),
        Mode::Approve | Mode::Act => {}
    }
    let pauses = policy.pauses.iter().filter(|(_, until)| now_ms < **until);
    out.extend(pauses.map(|(name, until)| Refusal::Paused { name: name.clone(), until_ms: *until }));
    if cause.is_predictive() {
        predictive(wish, policy, out);
    }
}

/// What a mere prediction may not lead to, or not now.
fn predictive(wish: ActionRequest, policy: &Policy, out: &mut Vec<Refusal>) {
    let ActionRequest { action, approved, now_ms, .. } = wish;
    if !action.suits_prediction() {
        out.push(Refusal::Predictive { action });
    }
    if action.stops_instance() {
        if !approved && !out.contains(&Refusal::Unapproved) {
            out.push(Refusal::Unapproved);
        }
        if let Some(window) = policy.maintenance_window.filter(|w| !w.is_open(now_ms)) {
            out.push(Refusal::OutsideWindow { opens_ms: window.opens_at(now_ms) });
        }
    }
}

fn by_instance(wish: ActionRequest, instance: &InstanceFacts, policy: &Read<Policy>, out: &mut Vec<Refusal>) {
    let action = wish.action;
    if matches!(instance.state, InstanceState::ShuttingDown | InstanceState::Terminated) {
        let state = if instance.state == InstanceState::Terminated { "terminated" } else { "shutting down" };
        out.push(Refusal::Gone { state: state.to_owned() });
    }
    if !action.mutates() {
        return;
    }
    if !(instance.enrolled || (instance.self_heal && action.self_heal_suffices())) {
        out.push(Refusal::NotEnrolled);
    }
    if let Some(controller) = &instance.controller {
        out.push(Refusal::Owned { controller: controller.clone() });
    }
    by_group(action, instance, out);
    if action == RecoveryAction::TerminateReplaced {
        by_ending(instance, wish.now_ms, out);
    }
    if action.swaps_volume() && instance.multi_attach {
        out.push(Refusal::MultiAttach);
    }
    if action == RecoveryAction::Quarantine && instance.last_target {
        out.push(Refusal::LastTarget);
    }
    if action.ends_instance() && instance.termination_protection {
        out.push(Refusal::Protected { against: "termination".to_owned() });
    }
    if action.stops_instance() && instance.state == InstanceState::Running {
        by_stop(instance, policy, out);
    }
}

fn by_group(action: RecoveryAction, instance: &InstanceFacts, out: &mut Vec<Refusal>) {
    let Some(group) = &instance.group else { return };
    if action.launches() {
        out.push(Refusal::GroupOwns { group: group.name.clone() });
    }
    if action == RecoveryAction::ReplaceInGroup
        && let Some(process) = group.suspended.iter().find(|p| NEEDED.contains(&p.as_str()))
    {
        out.push(Refusal::GroupSuspended { group: group.name.clone(), process: process.clone() });
    }
}

/// What speaks against ending an instance for good.
fn by_ending(instance: &InstanceFacts, now: UnixMs, out: &mut Vec<Refusal>) {
    let mut needed = |why: &str| out.push(Refusal::StillNeeded { why: why.to_owned() });
    if instance.state != InstanceState::Stopped {
        needed("it is not stopped");
    }
    if instance.elastic_ip {
        needed("it has an Elastic IP");
    }
    match instance.kept {
        None => needed("forewarn has not replaced it"),
        Some(kept) if !kept.successor_runs => needed("its successor does not run in this region"),
        Some(kept) if now < kept.until_ms => out.push(Refusal::RetainedInstance { until_ms: kept.until_ms }),
        Some(_) => {}
    }
}

/// What stopping a running instance would cost.
fn by_stop(instance: &InstanceFacts, policy: &Read<Policy>, out: &mut Vec<Refusal>) {
    // A policy that can't be read has refused already, and only until it is mended.
    let may = |allowed: fn(&Policy) -> bool| !matches!(policy, Read::Known(p) if !allowed(p));
    if instance.stop_protection {
        out.push(Refusal::Protected { against: "stopping".to_owned() });
    }
    if instance.market == Market::SpotOneTime {
        out.push(Refusal::OneTimeSpot);
    }
    if instance.instance_store && !may(|p| p.may_lose_instance_store) {
        out.push(Refusal::InstanceStore);
    }
    if instance.assigned_public_ip && !may(|p| p.may_lose_public_ip) {
        out.push(Refusal::PublicIp);
    }
}
