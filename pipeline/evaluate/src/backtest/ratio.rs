//! Sums by cluster, so that a resampled fleet costs a sum and not a replay.

/// A share or a mean, by cluster.
#[derive(Debug, Clone)]
pub(super) struct Ratio {
    over: Vec<f64>,
    under: Vec<f64>,
}

impl Ratio {
    pub(super) fn new(clusters: usize) -> Self {
        Self { over: vec![0.0; clusters], under: vec![0.0; clusters] }
    }

    pub(super) fn add(&mut self, cluster: u32, over: f64, under: f64) {
        self.over[cluster as usize] += over;
        self.under[cluster as usize] += under;
    }

    /// Counts one case.
    pub(super) fn case(&mut self, cluster: u32, hit: bool) {
        self.add(cluster, f64::from(u8::from(hit)), 1.0);
    }

    pub(super) fn sums(&self, weights: &[f64]) -> (f64, f64) {
        let terms = weights.iter().zip(self.over.iter().zip(&self.under));
        terms.fold((0.0, 0.0), |(over, under), (w, (o, u))| (over + w * o, under + w * u))
    }

    /// Clusters counted.
    pub(super) const fn clusters(&self) -> usize {
        self.under.len()
    }

    /// The value when cluster k weighs `weights[k]`; NaN where nothing is counted.
    pub(super) fn at(&self, weights: &[f64]) -> f64 {
        let (over, under) = self.sums(weights);
        over / under
    }
}

/// Rows in order of falling score, alike ones together.
#[derive(Debug, Default)]
pub(super) struct Ranked {
    /// (cluster, rows, rows followed by an incident).
    entries: Vec<(u32, u32, u32)>,
    /// The score of each tie, and where its entries end.
    ties: Vec<(f64, usize)>,
}

impl Ranked {
    pub(super) fn new(mut rows: Vec<(f64, u32, bool)>) -> Self {
        rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut out = Self::default();
        for tied in rows.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
            for same in tied.chunk_by(|a, b| a.1 == b.1) {
                out.entries.push((same[0].1, same.len() as u32, same.iter().filter(|r| r.2).count() as u32));
            }
            out.ties.push((tied[0].0, out.entries.len()));
        }
        out
    }

    /// Calls `each` with (score, weight of the rows, weight of those followed) from the highest score down.
    fn walk(&self, weights: &[f64], mut each: impl FnMut(f64, f64, f64)) {
        let mut begin = 0;
        for &(score, end) in &self.ties {
            let (mut rows, mut hits) = (0.0, 0.0);
            for &(cluster, n, followed) in &self.entries[begin..end] {
                rows += weights[cluster as usize] * f64::from(n);
                hits += weights[cluster as usize] * f64::from(followed);
            }
            each(score, rows, hits);
            begin = end;
        }
    }

    /// As `forewarn_models::score::average_precision`; NaN where no row is followed.
    pub(super) fn average_precision(&self, weights: &[f64], positives: f64) -> f64 {
        let (mut called, mut hits, mut area) = (0.0, 0.0, 0.0);
        self.walk(weights, |_, rows, followed| {
            called += rows;
            hits += followed;
            if followed > 0.0 {
                area += followed / positives * (hits / called);
            }
        });
        if positives > 0.0 { area } else { f64::NAN }
    }

    /// The rows as weighted cases, two for each tie.
    pub(super) fn cases(&self, weights: &[f64]) -> (Vec<bool>, Vec<f64>, Vec<f64>) {
        let (mut labels, mut scores, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        self.walk(weights, |score, rows, hits| {
            for (label, n) in [(true, hits), (false, rows - hits)] {
                labels.push(label);
                scores.push(score);
                counts.push(n);
            }
        });
        (labels, scores, counts)
    }
}
