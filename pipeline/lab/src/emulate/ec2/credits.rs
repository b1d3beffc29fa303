//! `DescribeInstanceCreditSpecifications`: who may spend CPU credits beyond the balance.

use super::super::Emulator;
use super::super::hash::mix2;
use super::super::refusal::Refusal;
use super::form::Form;
use super::instances::{Seen, select};
use super::xml::Xml;

/// Answers: of no instance in particular only those that are unlimited, as EC2 does.
pub(super) fn describe(it: &Emulator, form: &Form, now: i64) -> Result<Vec<u8>, Refusal> {
    let (page, next) = select(it, form, now)?;
    let all = form.get("InstanceId.1").is_some();
    let mut x = Xml::open("DescribeInstanceCreditSpecificationsResponse", "http://ec2.amazonaws.com/doc/2016-11-15/");
    x.text("requestId", "00000000-0000-4000-8000-000000000000");
    x.within("instanceCreditSpecificationSet", |x| {
        for seen in page.iter().filter(|seen| is_burstable(seen)) {
            let unlimited = mix2(it.seed ^ 0xC4ED, seen.number as u64).is_multiple_of(4);
            if all || unlimited {
                x.within("item", |x| {
                    x.text("instanceId", &seen.machine.id);
                    x.text("cpuCredits", if unlimited { "unlimited" } else { "standard" });
                });
            }
        }
    });
    if let Some(token) = next {
        x.text("nextToken", &token);
    }
    Ok(x.close("DescribeInstanceCreditSpecificationsResponse"))
}

fn is_burstable(seen: &Seen) -> bool {
    ["t2.", "t3.", "t3a.", "t4g."].iter().any(|family| seen.machine.instance_type.starts_with(family))
}
