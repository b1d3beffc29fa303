//! Puts remarks into words.

use super::text;
use crate::doubt::Doubt;
use crate::remark::Remark;
use forewarn_domain::signal::Signal;

/// Puts remarks into sentences, several devices of one kind into one.
pub(super) fn sentences(remarks: &[Remark]) -> Vec<String> {
    let mut out = Vec::new();
    for (i, remark) in remarks.iter().enumerate() {
        let alike = |other: &&Remark| kind(other) == kind(remark);
        if remarks[..i].iter().any(|r| alike(&r)) {
            continue;
        }
        let others = match remarks[i + 1..].iter().filter(alike).count() {
            0 => String::new(),
            1 => " and one other".to_owned(),
            n => format!(" and {n} others"),
        };
        let of = |device: &Option<String>| device.as_ref().map(|d| format!(" of {d}{others}")).unwrap_or_default();
        out.push(match remark {
            Remark::Standing { signal, device, now } => format!(
                "a standing condition: {} of{} has been at {} all week, which is no news",
                signal.name(),
                device.as_ref().map_or_else(|| " the instance".to_owned(), |d| format!(" {d}{others}")),
                text::quantity(*signal, *now),
            ),
            Remark::KeptOut { metric, device, doubt } => {
                format!("{metric}{} {}: it is kept out", of(device), doubt.words())
            }
            Remark::Unlimited => {
                "credits are unlimited: an empty balance stops nothing, but surplus credits cost money".to_owned()
            }
        });
    }
    out
}

/// What sentences have in common that are said once.
fn kind(remark: &Remark) -> (Option<Signal>, &str, Option<Doubt>) {
    match remark {
        Remark::Standing { signal, .. } => (Some(*signal), "", None),
        Remark::KeptOut { metric, doubt, .. } => (None, metric, Some(*doubt)),
        Remark::Unlimited => (Some(Signal::Credits), "unlimited", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_devices_of_one_kind_are_said_once() {
        let snap =
            |n: i32| Remark::Standing { signal: Signal::Disk, device: Some(format!("path=/snap/{n}")), now: 100.0 };
        let counter = Remark::KeptOut { metric: "net_drop_in".to_owned(), device: None, doubt: Doubt::Counter };
        assert_eq!(
            sentences(&[snap(1), counter, snap(2), snap(3), Remark::Unlimited]),
            [
                "a standing condition: disk of path=/snap/1 and 2 others has been at 100 % all week, which is no news",
                "net_drop_in is a raw counter that only grows, where a rate is meant: it is kept out",
                "credits are unlimited: an empty balance stops nothing, but surplus credits cost money",
            ]
        );
    }
}
