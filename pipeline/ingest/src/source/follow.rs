//! Follows: a round each hour, or as often as told, until somebody wants it to end.

use super::report::Report;
use forewarn_runtime::clock::Clock;
use forewarn_runtime::interrupt::Interrupt;

/// Gives the wait until the next round: rounds begin at whole multiples of `every_ms` plus `offset_ms`, so that windows end where
/// periods do, whenever the process was started.
pub fn next_round_in(now: i64, every_ms: i64, offset_ms: i64) -> u64 {
    let every = every_ms.max(1);
    (every - (now - offset_ms).rem_euclid(every)).unsigned_abs()
}

/// Does rounds until `stop` is raised; gives how many there were.
///
/// # Errors
/// As `round` does.
pub fn follow<E>(
    every_ms: i64,
    offset_ms: i64,
    clock: &dyn Clock,
    stop: &Interrupt,
    mut round: impl FnMut() -> Result<Report, E>,
) -> Result<u64, E> {
    let mut rounds = 0;
    while !stop.is_raised() {
        round()?;
        rounds += 1;
        clock.pause(next_round_in(clock.now_ms(), every_ms, offset_ms), stop);
    }
    Ok(rounds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_runtime::clock::ManualClock;

    #[test]
    fn rounds_begin_on_the_grid_whatever_they_take() {
        let (clock, stop) = (ManualClock::at(10_000), Interrupt::default());
        let mut began = Vec::new();
        let rounds = follow::<()>(3_600_000, 300_000, &clock, &stop, || {
            began.push(clock.now_ms());
            clock.advance(700_000);
            if began.len() == 4 {
                stop.raise();
            }
            Ok(Report::default())
        });
        assert_eq!(rounds, Ok(4));
        assert_eq!(began, [10_000, 3_900_000, 7_500_000, 11_100_000]);
    }
}
