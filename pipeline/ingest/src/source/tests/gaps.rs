//! What agents deliver late is found, whether they come back with it or after it.

use super::*;

const DAY: i64 = 24 * HOUR;

/// Points of an agent that was cut off in `[from, to)`; what it measured then became visible at `back`.
fn cut_off(all: &mut [(i64, f64, i64)], from: i64, to: i64, back: i64) {
    all.iter_mut().filter(|p| (from..to).contains(&p.0)).for_each(|p| p.2 = back);
}

/// Rounds each hour; gives the metrics that were asked for in each.
fn rounds(stand: &mut Fixture, hours: std::ops::Range<i64>) -> Vec<u64> {
    let asked = |stand: &Fixture| stand.world.lock().unwrap().asked;
    let mut out = Vec::new();
    for hour in hours {
        let before = asked(stand);
        stand.to(T + hour * HOUR + STEP);
        assert!(stand.round(FOLLOW).complete);
        out.push(asked(stand) - before);
    }
    out
}

#[test]
fn what_an_agent_delivers_after_a_day_without_network_is_asked_for_again() {
    let mut stand = Fixture::new(1);
    let mut all = points(T - 3 * HOUR, T + 4 * DAY, 0);
    // It comes back after a day, and takes nine hours more to deliver what it has kept.
    cut_off(&mut all, T + 5 * HOUR, T + 29 * HOUR, T + 38 * HOUR);
    stand.world.lock().unwrap().series.insert(cpu(0), all.clone());
    rounds(&mut stand, 0..72);
    let until = T + 71 * HOUR;
    stand.assert_put(&all.iter().copied().filter(|p| p.0 < until).collect::<Vec<_>>());
}

#[test]
fn a_series_that_is_always_hours_late_is_pulled_all_the_same() {
    let mut stand = Fixture::new(1);
    let all = points(T - 3 * HOUR, T + DAY, 2 * HOUR + HOUR / 2);
    stand.world.lock().unwrap().series.insert(cpu(0), all.clone());
    rounds(&mut stand, 0..36);
    let got = stand.put().len();
    assert!(got >= all.len() - 24, "{got} of {}", all.len());
    assert!(stand.put().values().all(|v| v.len() == 1), "each once");
}

#[test]
fn a_gap_that_stays_is_asked_for_a_few_times_and_a_dead_series_costs_little() {
    let mut stand = Fixture::new(1);
    let mut all = points(T - 3 * HOUR, T + 30 * DAY, 0);
    all.retain(|p| !(T + 5 * HOUR..T + 29 * HOUR).contains(&p.0));
    stand.world.lock().unwrap().series.insert(cpu(0), all.clone());
    let asked: u64 = rounds(&mut stand, 0..20 * 24).iter().sum();
    let live = 20 * 24;
    assert!(asked <= live + 12, "{asked} metrics in {live} rounds");
}

#[test]
fn a_budget_that_following_needs_is_not_spent_on_gaps() {
    let mut stand = Fixture::new(1);
    let mut all = points(T - 3 * HOUR, T + 15 * DAY, 0);
    cut_off(&mut all, T + 2 * HOUR, T + 4 * HOUR, T + 30 * HOUR);
    stand.world.lock().unwrap().series.insert(cpu(0), all.clone());
    // Half of February is left: as many rounds as metrics, and every one of them is whole.
    stand.budget = Some(14 * 24);
    let asked = rounds(&mut stand, 0..14 * 24 - 1);
    assert!(asked.iter().all(|asked| *asked == 1), "{asked:?}");
}
