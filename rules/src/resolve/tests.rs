//! Episodes by hand, and laws that hold for any episode.

use super::*;
use proptest::prelude::*;

const H: i64 = HOUR_MS;

fn claim(hour: i64, level: Level) -> Claim {
    Claim { as_of: hour * H, level }
}

fn high(hours: std::ops::Range<i64>) -> Vec<Claim> {
    hours.map(|h| claim(h, Level::High)).collect()
}

fn incident(hour: i64) -> Incident {
    Incident { instance_id: "i-a".to_owned(), ts: hour * H, cause: None, predictable: None }
}

fn ended(hour: i64, why: Censored) -> Ending {
    Ending { at: hour * H, until: i64::MAX, why }
}

fn decide(
    claims: &[Claim],
    cleared: Option<i64>,
    incidents: &[Incident],
    endings: &[Ending],
    known: i64,
) -> Option<(Turned, i64)> {
    let facts = Facts { incidents, endings, known_until: known * H };
    resolve(claims, cleared.map(|c| c * H), facts).map(|r| (r.turned, r.at / H))
}

#[test]
fn a_hit_is_known_at_the_incident_and_tells_who_warned_first() {
    let claims = high(10..40);
    let at = |known| decide(&claims, None, &[incident(39)], &[], known);
    assert_eq!(at(38), None);
    let hit = Some((Turned::Hit { incident: 39 * H, warned: 15 * H }, 39));
    assert_eq!((at(39), at(400)), (hit, hit));
    assert_eq!(
        decide(&high(10..11), Some(12), &[incident(35)], &[], 400),
        Some((Turned::False, 34)),
        "an hour too late"
    );
    assert_eq!(
        decide(&high(10..11), Some(12), &[incident(10)], &[], 400).map(|d| d.0),
        Some(Turned::Censored(Censored::Outage))
    );
}

#[test]
fn a_false_alarm_is_known_when_the_last_horizon_has_passed_and_the_episode_is_over() {
    let claims = high(10..20);
    assert_eq!(decide(&claims, None, &[], &[], 100), None, "it is still open");
    assert_eq!(decide(&claims, Some(21), &[], &[], 42), None);
    assert_eq!(decide(&claims, Some(21), &[], &[], 43), Some((Turned::False, 43)));
    assert_eq!(decide(&claims, None, &[], &[], 19 + 168), Some((Turned::False, 187)), "a week of silence ends it");
}

#[test]
fn an_episode_is_judged_at_its_peak() {
    let claims = [claim(10, Level::Low), claim(11, Level::Medium), claim(12, Level::Low)];
    let judged = |at| decide(&claims, Some(20), &[incident(at)], &[], 400);
    assert_eq!(judged(83), Some((Turned::Hit { incident: 83 * H, warned: 11 * H }, 83)));
    assert_eq!(judged(84), Some((Turned::False, 83)), "within the horizon of low, but it said medium");
}

#[test]
fn who_was_ended_by_others_is_no_false_alarm() {
    let claims = high(10..20);
    let by = |why| decide(&claims, None, &[], &[ended(25, why)], 25);
    assert_eq!(by(Censored::User), Some((Turned::Censored(Censored::User), 25)));
    assert_eq!(by(Censored::Spot), Some((Turned::Censored(Censored::Spot), 25)));
    assert_eq!(by(Censored::Gone), Some((Turned::Gone, 25)));
    let late = decide(&claims, None, &[], &[ended(40, Censored::User)], 400);
    assert_eq!(late, Some((Turned::False, 40)), "its first claims had their day");
    assert_eq!(
        decide(&claims, None, &[incident(24)], &[ended(25, Censored::User)], 25).map(|d| d.0),
        Some(Turned::Hit { incident: 24 * H, warned: 10 * H })
    );
}

#[test]
fn nobody_was_warned_only_where_no_claim_reached_that_far() {
    assert!(is_missed(&[], 50 * H));
    assert!(is_missed(&high(10..11), 35 * H));
    assert!(!is_missed(&high(10..11), 34 * H));
    assert!(!is_missed(&[claim(10, Level::Low)], 100 * H));
    assert!(is_missed(&[claim(10, Level::None), claim(11, Level::Unassessable)], 20 * H));
    assert!(is_missed(&high(50..52), 50 * H), "what is said at the failure is no warning");
}

prop_compose! {
    fn any_claims()(steps in prop::collection::vec((1_i64..30, 0_usize..5), 1..20)) -> Vec<Claim> {
        let levels = [Level::High, Level::High, Level::Medium, Level::Low, Level::None];
        let mut at = 0;
        steps.into_iter().map(|(gap, level)| { at += gap; claim(at, levels[level]) }).collect()
    }
}

prop_compose! {
    fn any_facts()(mut incidents in prop::collection::vec(0_i64..400, 0..4), ends in prop::collection::vec((0_i64..400, 0_i64..60, 0_usize..4), 0..3))
        -> (Vec<Incident>, Vec<Ending>) {
        incidents.sort_unstable();
        incidents.dedup();
        let why = [Censored::User, Censored::Spot, Censored::Gone, Censored::ScaleIn];
        let ending = |(at, back, which): (i64, i64, usize)| Ending {
            at: at * H,
            until: if back == 0 { i64::MAX } else { (at + back) * H },
            why: why[which],
        };
        (incidents.into_iter().map(incident).collect(), ends.into_iter().map(ending).collect())
    }
}

proptest! {
    #[test]
    fn more_knowledge_never_changes_what_was_decided(
        claims in any_claims(), (incidents, endings) in any_facts(), cleared in prop::option::of(0_i64..500),
        known in 0_i64..700, more in 0_i64..700,
    ) {
        let cleared = cleared.filter(|c| *c * H >= claims[0].as_of);
        // What happened after `known` isn't known then.
        let then = |known: i64| {
            let claims: Vec<Claim> = claims.iter().copied().filter(|c| c.as_of <= known * H).collect();
            let incidents: Vec<Incident> = incidents.iter().filter(|i| i.ts <= known * H).cloned().collect();
            let endings: Vec<Ending> = endings.iter().copied().filter(|e| e.at <= known * H).collect();
            decide(&claims, cleared.filter(|c| *c <= known), &incidents, &endings, known)
        };
        if let Some(first) = then(known) {
            prop_assert!(first.1 <= known, "decided from the future");
            prop_assert_eq!(then(known + more), Some(first));
        }
    }

    #[test]
    fn every_episode_is_decided_in_the_end(claims in any_claims(), (incidents, endings) in any_facts()) {
        let claimed = claims.iter().any(|c| c.level.is_at_risk());
        prop_assert_eq!(decide(&claims, None, &incidents, &endings, 5000).is_some(), claimed);
    }

    #[test]
    fn a_hit_needs_an_incident_within_the_horizon_of_a_claim_and_nothing_else_does(
        claims in any_claims(), (incidents, endings) in any_facts(),
    ) {
        let Some((turned, _)) = decide(&claims, None, &incidents, &endings, 5000) else { return Ok(()) };
        match turned {
            Turned::Hit { incident, warned } => {
                let by = claims.iter().find(|c| c.as_of == warned).unwrap();
                prop_assert!(incident > warned && incident <= warned + horizon_ms(by.level).unwrap());
                prop_assert!(incidents.iter().any(|i| i.ts == incident));
                prop_assert!(!is_missed(&claims, incident));
            }
            Turned::False => {}
            // Somebody ended the instance within the horizon of every claim at the peak that lies in no outage.
            Turned::Censored(_) | Turned::Gone => {
                let over = over_at(&claims.iter().copied().filter(|c| c.level.is_at_risk()).collect::<Vec<_>>(), None, &endings);
                let said: Vec<Claim> = claims.iter().copied().filter(|c| c.level.is_at_risk() && c.as_of <= over).collect();
                let (level, horizon) = peak(&said).unwrap();
                for c in said.iter().filter(|c| c.level == level) {
                    let outage = incidents.iter().any(|i| (i.ts..i.ts + 10 * H).contains(&c.as_of));
                    let ended = endings.iter().any(|e| c.as_of < e.until && e.at <= c.as_of + horizon);
                    prop_assert!(outage || ended, "{c:?}");
                }
            }
        }
    }

    #[test]
    fn without_ends_and_outages_nothing_is_censored(claims in any_claims(), cleared in prop::option::of(0_i64..500)) {
        let found = decide(&claims, cleared.filter(|c| *c * H >= claims[0].as_of), &[], &[], 5000);
        prop_assert!(found.is_none_or(|f| f.0 == Turned::False), "{found:?}");
    }
}
