//! Turns evidence in log-odds into hazards, probabilities and the time window of a failure.
//!
//! Three conditional hazards: 0-24 h, 24-72 h given none before, 72-168 h given none before. All arithmetic on
//! probabilities goes through survival (`1 - h`), whose products round monotonically: p24 <= p72 <= p168 and "more
//! evidence never lowers a probability" hold to the last bit, not just on paper.

/// Number of hazards.
pub const HAZARDS: usize = 3;

/// End of each hazard's span, hours after `as_of`.
pub const HORIZON_HOURS: [f64; HAZARDS] = [24.0, 72.0, 168.0];

/// Length of each hazard's span in hours: its exposure.
pub const EXPOSURE_HOURS: [f64; HAZARDS] = [24.0, 48.0, 96.0];

/// How rule sets and people name each hazard.
pub const HORIZON_NAMES: [&str; HAZARDS] = ["0-24h", "24-72h", "72-168h"];

/// Hours of the month that `incidents_per_instance_month` counts in: 30 days.
pub const MONTH_HOURS: f64 = 720.0;

/// One number for each hazard.
pub type PerHazard = [f64; HAZARDS];

pub use forewarn_models::calibrate::{Calibration, CalibrationError};
pub use forewarn_models::stats::{expit as sigmoid, logit};

/// Gives the log-odds that at least one event of a Poisson process falls into `hours`: with p = 1 - e^-m, m = rate * hours,
/// logit(p) = ln(e^m - 1).
pub fn exposure_log_odds(rate_per_hour: f64, hours: f64) -> f64 {
    (rate_per_hour * hours).exp_m1().ln()
}

/// Gives the log-odds of an incident within each hazard's own span, at so many incidents in an instance's month.
pub fn prior_log_odds(incidents_per_instance_month: f64) -> PerHazard {
    EXPOSURE_HOURS.map(|hours| exposure_log_odds(incidents_per_instance_month / MONTH_HOURS, hours))
}

/// Probabilities of an incident by the end of each hazard's span, made from calibrated log-odds of the hazards:
/// p24 = h1, p72 = 1 - (1 - h1)(1 - h2), p168 = 1 - (1 - h1)(1 - h2)(1 - h3).
pub fn probabilities(calibrated: &PerHazard) -> PerHazard {
    let mut survival = 1.0;
    calibrated.map(|x| {
        survival *= sigmoid(-x);
        1.0 - survival
    })
}

/// Gives the hours by which a share `q` of failures has come, given a failure within 168 hours, when the rate is constant
/// inside each span (piecewise exponential): the t with H(t) = -ln(1 - q * p168), H(24) = -ln(1 - p24) and so on.
/// Zero when no failure is possible.
pub fn quantile_hours(p: &PerHazard, q: f64) -> f64 {
    // A certain failure has no finite rate; the nearest probability below one has.
    let p = p.map(|v| v.clamp(0.0, 1.0 - 1e-12));
    let goal = -(-q * p[HAZARDS - 1]).ln_1p();
    let (mut start, mut spent) = (0.0, 0.0);
    for k in 0..HAZARDS {
        let end = -(-p[k]).ln_1p();
        if goal <= end && end > spent {
            return start + EXPOSURE_HOURS[k] * ((goal - spent) / (end - spent)).max(0.0);
        }
        (start, spent) = (HORIZON_HOURS[k], end.max(spent));
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn log_odds_of_an_exposure_match_the_probability() {
        let p = 1.0 - (-0.3_f64 / 30.0).exp();
        assert!((exposure_log_odds(0.3 / MONTH_HOURS, 24.0) - logit(p)).abs() < 1e-12);
    }

    #[test]
    fn calibration_goes_through_its_knots_and_on_beyond_them() {
        let c = Calibration::try_from(vec![(-2.0, -4.0), (0.0, -1.0), (4.0, 1.0)]).unwrap();
        for (x, y) in [(-2.0, -4.0), (0.0, -1.0), (4.0, 1.0), (-1.0, -2.5), (2.0, 0.0), (-4.0, -7.0), (8.0, 3.0)] {
            assert!((c.apply(x) - y).abs() < 1e-12, "{x}");
        }
        assert!((Calibration::identity().apply(7.25) - 7.25).abs() < 1e-12);
    }

    #[test]
    fn quantiles_are_spread_evenly_over_a_span_with_little_hazard() {
        let p = probabilities(&[logit(1e-6), -40.0, -40.0]);
        for q in [0.1, 0.5, 0.9] {
            assert!((quantile_hours(&p, q) - 24.0 * q).abs() < 1e-3);
        }
        let late = probabilities(&[-40.0, -40.0, logit(0.5)]);
        assert!((72.0..=168.0).contains(&quantile_hours(&late, 0.1)));
        // Half of an exponential with total 1 - e^-H = 1/2 comes after ln(1/0.75)/ln 2 of the span.
        let expected = 72.0 + 96.0 * (1.0_f64 / 0.75).ln() / 2.0_f64.ln();
        assert!((quantile_hours(&late, 0.5) - expected).abs() < 1e-6);
        assert!(quantile_hours(&[0.0, 0.0, 0.0], 0.5).is_finite());
        assert!(quantile_hours(&[1.0, 1.0, 1.0], 0.9) < 24.0);
    }

    proptest! {
        #[test]
        fn probabilities_are_ordered_bounded_and_monotone(x in prop::array::uniform3(-60.0..60.0_f64), k in 0_usize..3, d in 0.0..20.0_f64) {
            let p = probabilities(&x);
            prop_assert!(p[0] <= p[1] && p[1] <= p[2]);
            prop_assert!(p.iter().all(|v| (0.0..=1.0).contains(v)));
            let mut more = x;
            more[k] += d;
            let r = probabilities(&more);
            prop_assert!((0..HAZARDS).all(|i| r[i] >= p[i]));
        }

        #[test]
        fn quantiles_are_ordered_and_inside(x in prop::array::uniform3(-30.0..30.0_f64)) {
            let p = probabilities(&x);
            let t = [0.1, 0.5, 0.9].map(|q| quantile_hours(&p, q));
            prop_assert!(0.0 <= t[0] && t[0] <= t[1] + 1e-9 && t[1] <= t[2] + 1e-9 && t[2] <= 168.0 + 1e-9);
        }

        #[test]
        fn calibration_never_decreases(a in -20.0..20.0_f64, b in -20.0..20.0_f64) {
            let c = Calibration::try_from(vec![(-5.0, -6.0), (-1.0, -5.9), (0.5, 0.0), (3.0, 9.0)]).unwrap();
            prop_assert!(c.apply(a.min(b)) <= c.apply(a.max(b)));
        }
    }
}
