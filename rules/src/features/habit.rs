//! Habit: whether what a series shows is no news, because it has stood at its end all week, or has settled on a new level.

use super::{Feature, Levels, Row, Scratch, View, get};
use crate::grid::{HOURS, Hour};

const DAY: usize = 24;

/// Known hours of the days before the last one from which "all week" can be said.
const WEEK_HOURS: usize = 5 * DAY;
/// Share of these hours that stand at the end.
const NEARLY_ALL: f64 = 0.98;
/// Share of the range beyond the end by which the last hours may be worse than the week before and still be the same.
const SAME: f64 = 0.0025;

/// Hours for which a series must stay level after a jump.
const LEVEL_HOURS: usize = 6;
/// The longest that a jump takes, hours.
const JUMP_HOURS: usize = 3;
/// Share of a jump that the hours after it may differ by.
const LEVEL_SHARE: f64 = 0.15;
/// Share of a jump that the hours before it may differ by.
const BEFORE_SHARE: f64 = 0.5;
/// Share of a jump by which the first and the last third of these hours may differ,
const GROWTH_SHARE: f64 = 0.02;
/// or the share of all that they differ by: what is only noise goes nowhere.
const NOISE_SHARE: f64 = 0.4;
/// Days within which what goes on growing must not get to the critical level.
const GROWTH_DAYS: f64 = 3.0;

/// Says whether the series has been used up all week: read-only images, a disk that is full and serves all the same. What gets worse
/// still is news.
pub(super) fn is_standing(row: &Row, view: &View<'_>, worse: f64, levels: &Levels, range: (f64, f64)) -> bool {
    let Some(end) = levels.exhausted else { return false };
    let at_end = |h: &&Hour| worse * h.median >= worse * end;
    let before = view.habit[..view.habit.len() - DAY].iter().filter(|h| h.n > 0);
    let (known, used_up) = (before.clone().count(), before.filter(at_end).count());
    let same = get(row, Feature::Lasting6h) <= SAME * (range.1 - range.0);
    known >= WEEK_HOURS && used_up as f64 >= NEARLY_ALL * known as f64 && same
}

/// Says whether the series has settled: at some time it jumped within [`JUMP_HOURS`], and since, for [`LEVEL_HOURS`] at least and up to now,
/// it has been level, below the critical level and not on the way there. Only of what can be used up, where a level is a stock: a
/// delay or a loss that stays is a fault that stays.
pub(super) fn has_settled(row: &Row, view: &View<'_>, worse: f64, levels: &Levels, scratch: &Scratch) -> bool {
    let left = worse * levels.critical - worse * get(row, Feature::Now);
    let growth = get(row, Feature::Slope6h).max(0.0) * GROWTH_DAYS;
    // What isn't known must not pass, so that the question is put the way NaN answers with no.
    let stays = growth < left;
    if levels.exhausted.is_none() || view.hours[HOURS - LEVEL_HOURS..].iter().any(|h| h.n == 0) || !stays {
        return false;
    }
    // Without the daily profile: what follows it is no jump, and no growth.
    let level = &scratch.flat;
    let lowest = level.iter().copied().fold(f64::INFINITY, f64::min);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for from in (2 * LEVEL_HOURS..HOURS).rev() {
        low = low.min(level[from]);
        high = high.max(level[from]);
        // No jump is higher than all that was seen.
        if high - low > LEVEL_SHARE * (high - lowest) {
            break;
        }
        if HOURS - from < LEVEL_HOURS {
            continue;
        }
        for gap in 0..=JUMP_HOURS {
            let Some(end) = from.checked_sub(gap) else { break };
            let before = &level[end.saturating_sub(LEVEL_HOURS)..end];
            if before.iter().any(|v| v.is_nan()) {
                continue;
            }
            let (least, most) =
                before.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
            let jump = f64::midpoint(low, high) - f64::midpoint(least, most);
            let is_level = high - low <= LEVEL_SHARE * jump
                && drift(&level[from..]) <= (GROWTH_SHARE * jump).max(NOISE_SHARE * (high - low));
            if jump > 0.0 && is_level && most - least <= BEFORE_SHARE * jump {
                return true;
            }
        }
    }
    false
}

/// By how much the last third lies above the first.
fn drift(level: &[f64]) -> f64 {
    let third = level.len() / 3;
    let mean = |part: &[f64]| {
        let (sum, n) = part.iter().filter(|v| !v.is_nan()).fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
        sum / n
    };
    mean(&level[level.len() - third..]) - mean(&level[..third])
}
