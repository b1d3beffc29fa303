//! `DescribeInstanceStatus`: the status checks as the last points have them, and what AWS has scheduled.

use super::super::Emulator;
use super::super::refusal::Refusal;
use super::form::Form;
use super::instances::{Seen, select, state, zone};
use super::xml::Xml;

/// Answers.
pub(super) fn describe(it: &Emulator, form: &Form, now: i64) -> Result<Vec<u8>, Refusal> {
    let (page, next) = select(it, form, now)?;
    let all = form.get("IncludeAllInstances") == Some("true");
    let mut x = Xml::open("DescribeInstanceStatusResponse", "http://ec2.amazonaws.com/doc/2016-11-15/");
    x.text("requestId", "00000000-0000-4000-8000-000000000000");
    x.within("instanceStatusSet", |x| {
        for seen in page.iter().filter(|s| all || s.running) {
            x.within("item", |x| status(it, x, seen, now));
        }
    });
    if let Some(token) = next {
        x.text("nextToken", &token);
    }
    Ok(x.close("DescribeInstanceStatusResponse"))
}

fn status(it: &Emulator, x: &mut Xml, seen: &Seen, now: i64) {
    x.text("instanceId", &seen.machine.id);
    x.text("availabilityZone", &zone(it, seen.number));
    state(x, seen);
    x.within("eventsSet", |x| {
        for event in it.world.scheduled(seen.number).iter().filter(|e| seen.running && e.ts <= now) {
            let Some(starts) = event.starts_at.filter(|t| *t > now) else { continue };
            x.within("item", |x| {
                x.text("instanceEventId", &format!("instance-event-0{:016x}", event.ts));
                x.text("code", event.code);
                x.text("description", &event.detail);
                x.text("notBefore", &forewarn_runtime::time::format_ms(starts));
            });
        }
    });
    let [system, instance] = if seen.running { checks(it, seen.number, now) } else { ["not-applicable"; 2] };
    for (name, status) in [("systemStatus", system), ("instanceStatus", instance)] {
        x.within(name, |x| {
            x.text("status", status);
            x.within("details", |x| {
                x.within("item", |x| {
                    x.text("name", "reachability");
                    x.text("status", if status == "ok" { "passed" } else { "failed" });
                });
            });
        });
    }
}

/// The system's and the instance's check as their last points have them; where a world has only the sum of both, it counts as
/// the instance's.
fn checks(it: &Emulator, i: usize, now: i64) -> [&'static str; 2] {
    let step = it.world.span().step_ms;
    let failed = |metric: &str| {
        let k = it.world.probes(i).iter().position(|p| p.metric == metric)?;
        let mut points = Vec::new();
        it.world.read(i, k, now - 3 * step, now - step + 1, &mut points);
        Some(points.last()?.value > 0.0)
    };
    let system = failed("StatusCheckFailed_System").unwrap_or(false);
    let instance = failed("StatusCheckFailed_Instance").or_else(|| failed("StatusCheckFailed")).unwrap_or(false);
    [system, instance].map(|bad| if bad { "impaired" } else { "ok" })
}
