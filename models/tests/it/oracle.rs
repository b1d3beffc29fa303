//! Reproducible series and comparisons that the other modules share.

/// Uniform numbers of the generator s <- (1103515245 s + 12345) mod 2^31 from s = 12345, as the oracles' snippets use.
pub(crate) fn uniforms(n: usize) -> Vec<f64> {
    let mut state = 12_345_u64;
    (0..n)
        .map(|_| {
            state = (state * 1_103_515_245 + 12_345) % (1 << 31);
            state as f64 / f64::from(1_u32 << 31)
        })
        .collect()
}

/// A generator of noise, nearly normal with unit variance: `SplitMix64` uniforms summed by twelve.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    pub(crate) fn normals(&mut self, n: usize, scale: f64) -> Vec<f64> {
        (0..n).map(|_| scale * self.normal()).collect()
    }
}

/// The AR(1) series y <- 0.8 y + u - 1/2 over the 56 uniforms, from 0, as the oracles' snippets use.
pub(crate) fn autoregressive() -> Vec<f64> {
    let mut level = 0.0;
    let mut series = vec![level];
    for u in uniforms(56).into_iter().skip(1) {
        level = 0.8 * level + u - 0.5;
        series.push(level);
    }
    series
}

/// Asserts equality within a tolerance relative to the expected value.
#[track_caller]
pub(crate) fn assert_near(got: f64, want: f64, tolerance: f64) {
    let error = (got - want).abs() / want.abs().max(f64::MIN_POSITIVE);
    assert!(error <= tolerance || (got - want).abs() < 1e-300, "got {got:e}, want {want:e}, error {error:e}");
}

/// Asserts equality within an absolute tolerance.
#[track_caller]
pub(crate) fn assert_within(got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance, "got {got}, want {want} within {tolerance}");
}
