//! x
use crate::oracle::*;
use forewarn_models::segment::current_segment;
use std::f64::consts::TAU;
#[test]
fn explore() {
    let mut sc = Vec::new();
    for (name, f) in [
        ("flat", (|_: f64| 40.0) as fn(f64) -> f64),
        ("ramp", |t| 20.0 + 0.4 * t),
        ("sine", |t| 50.0 + 8.0 * (TAU * t / 8.0).sin()),
    ] {
        let mut n = 0;
        for seed in 0..1000 {
            let mut z = Noise(seed);
            let y: Vec<f64> = (0..56).map(|t| f(f64::from(t)) + 2.0 * z.normal()).collect();
            let s = current_segment(&y, 1.0, &mut sc);
            if s.changed || s.resets > 0 {
                n += 1;
                if n < 6 {
                    eprintln!("{name} {s:?}")
                }
            }
        }
        eprintln!("{name} {n}/1000");
    }
    for seed in 0..40 {
        let mut z = Noise(seed);
        let y: Vec<f64> = (0..56)
            .map(|t| f64::from(t))
            .map(|t| 40.0 + 4.0 * (TAU * t / 8.0).sin() + 2.0 * (t - 36.0).max(0.0) + z.normal())
            .collect();
        eprint!("{} ", current_segment(&y, 1.0, &mut sc).start);
    }
    eprintln!();
    for seed in 0..40 {
        let mut z = Noise(seed);
        let y: Vec<f64> = (0..168).map(|t| f64::from(t)).map(|t| 20.0 + (t - 144.0).max(0.0) + z.normal()).collect();
        eprint!("{} ", current_segment(&y, 1.0, &mut sc).start);
    }
    for p in [0.5, 0.8, 0.9, 1.0] {
        let mut n = 0;
        for seed in 0..300 {
            let mut z = Noise(seed);
            let mut l = 0.0;
            let y: Vec<f64> = (0..56)
                .map(|_| {
                    l = p * l + z.normal();
                    l
                })
                .collect();
            let s = current_segment(&y, 1.0, &mut sc);
            n += usize::from(s.changed || s.resets > 0);
        }
        eprintln!("ar {p} {n}/300");
    }
}
