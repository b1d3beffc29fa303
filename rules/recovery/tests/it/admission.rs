//! Caps, budgets, cooldowns, lineages and storms, in the one stream that all recoveries of an account and region pass.

use forewarn_domain::action::{RecoveryAction, Rung};
use forewarn_domain::time::UnixMs;
use forewarn_recovery::admission::{Admission, AdmissionEvent, AdmissionRequest, Caps, Health, InFlight};
use forewarn_recovery::event::Outcome;
use forewarn_recovery::refusal::Refusal;
use proptest::prelude::*;

const MINUTE: i64 = 60_000;
const START: UnixMs = UnixMs(0);

/// The time so many minutes after the start.
const fn at(minute: i64) -> UnixMs {
    START.saturating_add(minute * MINUTE)
}

fn ask(n: u32, group: &str, members: u32) -> AdmissionRequest {
    let well = Health { members, impaired: 1 };
    AdmissionRequest {
        recovery_id: format!("r-{n}"),
        slot: InFlight {
            lineage: format!("i-{n}"),
            group: Some(group.to_owned()),
            zone: format!("z{}", n % 3),
            action: RecoveryAction::ALL[n as usize % 5 + 1],
        },
        group: Some(well),
        zone: Health { members: 1000, impaired: 1 },
        fleet: Health { members: 1000, impaired: 1 },
        cooldown_ms: 30 * MINUTE,
        daily_budget: 3,
    }
}

fn taken(it: Admission, events: &[AdmissionEvent]) -> Admission {
    events.iter().fold(it, Admission::evolve)
}

fn released(it: Admission, n: u32, rung: Rung, at_ms: UnixMs) -> Admission {
    taken(it, &[AdmissionEvent::Released { recovery_id: format!("r-{n}"), outcome: Outcome::Recovered, rung, at_ms }])
}

#[test]
fn a_group_of_one_and_one_of_three_may_have_one_under_recovery() {
    for members in [1, 3] {
        let it = Admission::default();
        let first = it.decide(&ask(0, "g", members), &Caps::default(), START).unwrap();
        let it = taken(it, &first);
        assert_eq!(
            it.decide(&ask(0, "g", members), &Caps::default(), START).unwrap(),
            [],
            "the same again is no second one"
        );
        let refused = it.decide(&ask(1, "g", members), &Caps::default(), START).unwrap_err();
        assert_eq!(refused.reasons, [Refusal::BlastRadius { scope: "group g".to_owned(), open: 1 }]);
    }
}

#[test]
fn a_lineage_has_one_recovery_at_a_time_then_cools_down_and_has_a_budget() {
    let caps = Caps::default();
    let it = Admission::default();
    let it = taken(it.clone(), &it.decide(&ask(0, "g", 50), &caps, START).unwrap());
    let twin = AdmissionRequest { recovery_id: "r-twin".to_owned(), ..ask(0, "g", 50) };
    let refused = it.decide(&twin, &caps, START).unwrap_err();
    assert_eq!(refused.reasons, [Refusal::OpenIncident { recovery_id: "r-0".to_owned() }]);
    let it = released(it, 0, Rung::Restart, at(10));
    let refused = it.decide(&twin, &caps, at(20)).unwrap_err();
    assert_eq!(refused.reasons, [Refusal::Cooldown { until_ms: at(40) }]);
    assert!(it.decide(&twin, &caps, at(40)).is_ok());
    assert_eq!(it.first_rung("i-0", Rung::Restart, at(40)), Rung::Replace, "within a day it goes on one further");
    assert_eq!(it.first_rung("i-0", Rung::Restart, at(25 * 60)), Rung::Restart);
    // The successor is of the same lineage, and so are its counters.
    let it = taken(it, &[AdmissionEvent::Succeeded { old: "i-0".to_owned(), new: "i-9".to_owned() }]);
    let it = taken(it, &[AdmissionEvent::Succeeded { old: "i-9".to_owned(), new: "i-10".to_owned() }]);
    assert_eq!(it.lineage("i-10"), "i-0");
    let mut it = it;
    for n in 1..3 {
        let again = AdmissionRequest { recovery_id: format!("r-{}", 100 + n), ..ask(0, "g", 50) };
        let at_ms = at(i64::from(n) * 60);
        it = taken(it.clone(), &it.decide(&again, &caps, at_ms).unwrap());
        it = released(it, 100 + n, Rung::Restart, at_ms.saturating_add(MINUTE));
    }
    let refused = it.decide(&twin, &caps, at(300)).unwrap_err();
    assert_eq!(refused.reasons, [Refusal::Budget { spent: 3 }]);
}

#[test]
fn half_a_fleet_impaired_is_a_storm_until_it_has_been_over_for_a_while() {
    let caps = Caps::default();
    let it = Admission::default();
    let half = AdmissionRequest { fleet: Health { members: 100, impaired: 50 }, ..ask(0, "g", 50) };
    let refused = it.decide(&half, &caps, START).unwrap_err();
    assert_eq!(refused.reasons, [Refusal::Storm { impaired: 50, members: 100 }]);
    let it = taken(it, &refused.note);
    assert!(it.decide(&ask(0, "g", 50), &caps, at(9)).is_err(), "it may come back");
    assert!(it.decide(&ask(0, "g", 50), &caps, at(10)).is_ok());
    let two_of_three = AdmissionRequest { group: Some(Health { members: 3, impaired: 2 }), ..ask(1, "g", 3) };
    assert!(Admission::default().decide(&two_of_three, &caps, START).is_ok(), "a small group is no storm");
}

proptest! {
    /// However requests and ends come, no cap is ever passed, and what is admitted stays so until it ends.
    #[test]
    fn concurrent_admissions_never_pass_a_cap(steps in prop::collection::vec((0_u32..40, 1_u32..60, any::<bool>(), 0_i64..20), 1..200)) {
        let caps = Caps { open: 4, hourly: 6, by_action: 2, ..Caps::default() };
        let mut it = Admission::default();
        let (mut now, mut begun) = (START, Vec::new());
        let mut open = std::collections::BTreeMap::new();
        for (n, members, ends, minutes) in steps {
            now = now.saturating_add(minutes * MINUTE);
            if ends {
                open.remove(&format!("r-{n}"));
                it = released(it, n, Rung::Restart, now);
                continue;
            }
            let ask = AdmissionRequest { cooldown_ms: 0, daily_budget: 1000, ..ask(n, &format!("g{}", n % 4), members) };
            let Ok(events) = it.decide(&ask, &caps, now) else { continue };
            it = taken(it, &events);
            if events.is_empty() {
                continue;
            }
            begun.push(now);
            open.insert(ask.recovery_id, ask.slot.clone());
            let same = |alike: &dyn Fn(&InFlight) -> bool| open.values().filter(|s| alike(s)).count();
            prop_assert_eq!(it.open(), open.len());
            prop_assert!(open.len() <= 4);
            prop_assert!(begun.iter().filter(|t| now.since(**t) < 60 * MINUTE).count() <= 6);
            prop_assert!(same(&|s| s.action == ask.slot.action) <= 2);
            prop_assert_eq!(same(&|s| s.lineage == ask.slot.lineage), 1);
            prop_assert!(same(&|s| s.group == ask.slot.group) <= (members as usize / 10).max(1));
        }
    }
}
