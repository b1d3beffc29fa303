//! Target groups of load balancers: out of all of them, and back into the same.

mod targets;

use super::super::hands::{Errand, Reply};
use super::call::Trouble;
use super::sight;
use super::{AwsHands, Part};
use aws_sdk_elasticloadbalancingv2::types::TargetDescription;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind as S;
use std::collections::BTreeMap;
use targets::{Standing, standing};
pub(super) use targets::{Target, from_tags, to_tags};

/// How long until targets are looked at again, milliseconds.
const AGAIN_MS: i64 = 5_000;

/// The traffic of an instance.
#[derive(Debug)]
pub(super) struct Traffic;

impl Part for Traffic {
    fn prepare(&self, hands: &AwsHands, errand: &Errand) -> Result<String, String> {
        if let Some(before) = sight::settled(errand) {
            return Ok(before);
        }
        let targets = if errand.kind == S::Deregister {
            targets::of_instance(hands, &errand.subject)?
        } else if let Some(noted) = sight::stood::<Vec<Target>>(errand, S::Deregister) {
            noted
        } else {
            from_tags(&sight::must_see(hands, &errand.subject)?.tags)
        };
        sight::freeze(&targets)
    }

    fn perform(&self, hands: &AwsHands, errand: &Errand) -> Reply {
        sight::either(if errand.kind == S::Deregister { leave(hands, errand) } else { enter(hands, errand) })
    }

    fn find(&self, hands: &AwsHands, errand: &Errand) -> Result<Option<String>, String> {
        let targets: Vec<Target> = sight::thaw(&errand.before)?;
        let (who, wanted): (_, fn(Standing) -> bool) =
            if errand.kind == S::Deregister { (&errand.subject, is_out(errand)) } else { (&errand.serves, is_in) };
        for (arn, of_group) in by_group(&targets) {
            if !standing(hands, &arn, who, &of_group).map_err(sight::words)?.into_iter().all(|(_, s)| wanted(s)) {
                return Ok(None);
            }
        }
        Ok(Some(errand.before.clone()))
    }
}

/// Says what counts as out of traffic: where AWS takes the instance, nobody waits for the drain.
fn is_out(errand: &Errand) -> fn(Standing) -> bool {
    if errand.action == RecoveryAction::DrainSpot {
        |s| matches!(s, Standing::Absent | Standing::Draining)
    } else {
        |s| s == Standing::Absent
    }
}

/// Says what counts as in traffic.
fn is_in(standing: Standing) -> bool {
    matches!(standing, Standing::Healthy | Standing::NoGroup)
}

fn by_group(targets: &[Target]) -> BTreeMap<String, Vec<Option<i32>>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for target in targets {
        groups.entry(target.arn.clone()).or_default().push(target.port);
    }
    groups
}

fn descriptions(who: &str, ports: &[Option<i32>]) -> Vec<TargetDescription> {
    let one = |port: &Option<i32>| TargetDescription::builder().id(who).set_port(*port).build();
    ports.iter().map(one).collect()
}

fn leave(hands: &AwsHands, errand: &Errand) -> Result<Reply, Reply> {
    let targets: Vec<Target> = sight::before(errand)?;
    let mut has_called = false;
    for (arn, ports) in by_group(&targets) {
        let seen = standing(hands, &arn, &errand.subject, &ports).map_err(sight::unread)?;
        let is_there = |s: Standing| !matches!(s, Standing::Absent | Standing::Draining | Standing::NoGroup);
        let there: Vec<_> = seen.into_iter().filter(|(_, s)| is_there(*s)).map(|(port, _)| port).collect();
        if there.is_empty() {
            continue;
        }
        let call = hands.elb.deregister_targets().target_group_arn(&arn);
        let call = call.set_targets(Some(descriptions(&errand.subject, &there)));
        match sight::ask(hands, "elasticloadbalancing:DeregisterTargets", call.send()) {
            // A target that is not registered is what is wanted.
            Err(e) if is_gone(&e) => {}
            other => other.map(drop).map_err(|e| refused(e, has_called))?,
        }
        has_called = true;
    }
    settle(hands, errand, &targets, &errand.subject, |s| is_out(errand)(s) || s == Standing::NoGroup)
}

fn enter(hands: &AwsHands, errand: &Errand) -> Result<Reply, Reply> {
    let targets: Vec<Target> = sight::before(errand)?;
    let who = &errand.serves;
    let mut has_called = false;
    for (arn, ports) in by_group(&targets) {
        let seen = standing(hands, &arn, who, &ports).map_err(sight::unread)?;
        let is_missing = |s: Standing| matches!(s, Standing::Absent | Standing::Draining);
        let missing: Vec<_> = seen.into_iter().filter(|(_, s)| is_missing(*s)).map(|(port, _)| port).collect();
        if missing.is_empty() {
            continue;
        }
        let call = hands.elb.register_targets().target_group_arn(&arn).set_targets(Some(descriptions(who, &missing)));
        match sight::ask(hands, "elasticloadbalancing:RegisterTargets", call.send()) {
            Err(e) if e.code.starts_with("TargetGroupNotFound") => {}
            other => other.map(drop).map_err(|e| refused(e, has_called))?,
        }
        has_called = true;
    }
    let reply = settle(hands, errand, &targets, who, is_in)?;
    let was_isolated = matches!(errand.action, RecoveryAction::Quarantine | RecoveryAction::Release);
    if matches!(reply, Reply::Done(_)) && was_isolated && !targets.is_empty() {
        let keys: Vec<String> = to_tags(&targets).into_iter().map(|(key, _)| key).collect();
        if let Err(e) = sight::drop_tags(hands, std::slice::from_ref(&errand.subject), &keys) {
            tracing::warn!(instance = errand.subject, error = e.words, "the tags of a quarantine are left");
        }
    }
    Ok(reply)
}

fn is_gone(e: &Trouble) -> bool {
    e.code.starts_with("InvalidTarget") || e.code.starts_with("TargetGroupNotFound")
}

/// A refusal after other calls of the step went well is no proof that nothing has happened.
fn refused(e: Trouble, has_called: bool) -> Reply {
    if has_called { Reply::Unknown(e.words) } else { e.reply() }
}

fn settle(
    hands: &AwsHands,
    errand: &Errand,
    targets: &[Target],
    who: &str,
    is_well: impl Fn(Standing) -> bool,
) -> Result<Reply, Reply> {
    for (arn, ports) in by_group(targets) {
        let seen = standing(hands, &arn, who, &ports).map_err(sight::unread)?;
        if !seen.into_iter().all(|(_, s)| is_well(s)) {
            return Ok(Reply::Waiting(AGAIN_MS));
        }
    }
    Ok(Reply::Done(errand.before.clone()))
}
