//! Serves I/O: a volume with a queue, and the burst bucket of small instance types.

/// Share of the volume's throughput that refills the bucket as fast as it drains.
const EBS_BASELINE: f64 = 0.45;
/// Hours of full use that empty a full bucket (30 minutes of burst beyond baseline).
const EBS_BURST_H: f64 = 0.6;

/// What the volume does in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Service {
    /// Requests waiting.
    pub(super) queue: f64,
    /// Share of idle CPU time that waits for the volume.
    pub(super) wait: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Volume {
    depth: f64,
    limit: f64,
    vcpus: f64,
    burst: bool,
    /// Percent of the burst bucket left.
    pub(super) bucket: f64,
}

impl Volume {
    /// A volume whose queue is `depth` at half use and at most `limit`, under a machine with `vcpus`.
    pub(super) fn new(depth: f64, limit: f64, vcpus: f64, burst: bool) -> Self {
        Self { depth, limit, vcpus, burst, bucket: 100.0 }
    }

    /// Serves `offered` work, a share of what the volume can do, for `hours`; `slow` is added service time.
    ///
    /// Utilisation rho is offered work times service time; an open queue holds rho / (1 - rho) requests (M/M/1,
    /// Kleinrock 1975, Queueing Systems I, 3.2) until the application's own concurrency bounds it.
    pub(super) fn serve(&mut self, offered: f64, slow: f64, hours: f64) -> Service {
        let throttled = if self.burst && self.bucket <= 0.5 { 2.0 } else { 1.0 };
        let rho = (offered * (1.0 + slow) * throttled).clamp(0.0, 8.0);
        let bound = self.limit * (0.25 + 0.75 * ((rho - 0.9) / 0.6).clamp(0.0, 1.0));
        let queue = (self.depth * rho / (1.0 - rho).max(0.02)).min(bound);
        if self.burst {
            let change = 100.0 * (EBS_BASELINE - offered.min(1.0)) * hours / EBS_BURST_H;
            self.bucket = (self.bucket + change).clamp(0.0, 100.0);
        }
        let wait = (1.0 - (-queue / (4.0 * self.vcpus)).exp()) * (0.1 + 0.9 * rho.min(1.0));
        Service { queue, wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_work_and_slower_service_never_shorten_the_queue() {
        let mut last = Service { queue: 0.0, wait: 0.0 };
        for k in 0..300 {
            let now = Volume::new(1.0, 100.0, 4.0, false).serve(0.01 * f64::from(k), 0.0, 1.0 / 12.0);
            assert!(now.queue >= last.queue && now.wait >= last.wait, "{k}");
            last = now;
        }
        assert!((last.queue - 100.0).abs() < 1e-9, "the concurrency of the application bounds it, {}", last.queue);
        let half = Volume::new(1.0, 100.0, 4.0, false).serve(0.5, 0.0, 1.0 / 12.0);
        assert!((half.queue - 1.0).abs() < 1e-12);
        assert_eq!(half, Volume::new(1.0, 100.0, 4.0, false).serve(0.25, 1.0, 1.0 / 12.0));
    }

    #[test]
    fn bucket_drains_above_baseline_and_refills_below() {
        let mut v = Volume::new(1.0, 100.0, 2.0, true);
        v.serve(1.0, 0.0, 0.6);
        assert!((v.bucket - 45.0).abs() < 1e-9);
        v.serve(0.0, 0.0, 0.6);
        assert!((v.bucket - 90.0).abs() < 1e-9);
        v.serve(0.0, 0.0, 6.0);
        assert!((v.bucket - 100.0).abs() < 1e-9);
    }
}
