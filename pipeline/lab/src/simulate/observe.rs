//! Measures a machine as `CloudWatch` does: averages with noise, rounding, missing, late, doubled and revised points.

use super::draw::{Draw, Stream};
use super::machine::{SimulatedInstance, State};
use super::plan::{HOUR, Plan, plan};
use super::{Change, Options, Sample, Series, SimInstance};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-central-1";

/// Simulates and measures instance `i`; the options have been checked.
pub(super) fn measure(o: &Options, i: usize) -> SimInstance {
    let plan = plan(o, i);
    let (states, mut life) = SimulatedInstance::new(o, &plan, i).run();
    life.close(plan.workload.shape);
    let ms = |h: f64| o.start_ms + (h * HOUR).round() as i64;
    let span = f64::from(o.days) * 24.0;
    let mut series = Vec::new();
    let mischief = Mischief::draw(o, i);
    for (k, probe) in probes(&plan).iter().enumerate() {
        let mut d = Draw::new(o.seed, Stream::Observe, i * 16 + k);
        let samples = probe.samples(o, &states, &mischief, &mut d);
        if !samples.is_empty() {
            let Probe { namespace, metric, stat, device, .. } = *probe;
            series.push(Series { namespace, metric, stat, device, samples });
        }
    }
    series.sort_by(|a, b| (a.metric, a.device).cmp(&(b.metric, b.device)));
    let changes = plan
        .workload
        .deploys
        .iter()
        .filter(|d| d.at >= plan.launched.max(0.0) && d.at < life.terminated.unwrap_or(span).min(span))
        .map(|d| Change { ts: ms(d.at), label: format!("deploy v{}", d.version) })
        .collect();
    let word = Draw::new(o.seed, Stream::Observe, i * 16 + 14).word();
    let w = Draw::new(o.seed, Stream::Active, (1 << 40) + plan.workload.index).word();
    SimInstance {
        id: format!("i-0{i:06x}{:010x}", word >> 24),
        account: ACCOUNT,
        region: REGION,
        workload: format!("asg-{}-{:04x}", plan.workload.index, w >> 48),
        instance_type: plan.profile.size.name,
        shape: plan.workload.shape,
        habits: plan.workload.habits.clone(),
        launched_at: ms(plan.launched),
        terminated_at: life.terminated.map(ms),
        faults: life.faults,
        series,
        incidents: life.incidents,
        events: life.events,
        changes,
    }
}

/// What is wrong with the data of one instance, rather than with the instance.
#[derive(Debug)]
struct Mischief {
    /// Hours without any sample.
    holes: Vec<(f64, f64)>,
    /// Hours whose samples came late, and by how many hours.
    late: Vec<(f64, f64, f64)>,
    missing: f64,
    doubled: f64,
    revised: f64,
}

impl Mischief {
    fn draw(o: &Options, i: usize) -> Self {
        let mut it = Self { holes: Vec::new(), late: Vec::new(), missing: 0.0, doubled: 0.0, revised: 0.0 };
        if !o.gaps {
            return it;
        }
        let mut d = Draw::new(o.seed, Stream::Observe, i * 16 + 15);
        let span = f64::from(o.days) * 24.0;
        let mut at = 24.0 * 25.0 * d.exp();
        while at < span {
            it.holes.push((at, at + d.log_uniform(0.1, 4.0)));
            at += 24.0 * 25.0 * d.exp();
        }
        at = 24.0 * 20.0 * d.exp();
        while at < span {
            it.late.push((at, at + d.log_uniform(0.1, 3.0), d.log_uniform(0.5, 30.0)));
            at += 24.0 * 20.0 * d.exp();
        }
        it.missing = d.log_uniform(0.0005, 0.01);
        it.doubled = d.log_uniform(0.000_05, 0.001);
        it.revised = d.log_uniform(0.000_02, 0.0005);
        it
    }
}

/// How one metric is read off the state.
struct Probe {
    namespace: &'static str,
    metric: &'static str,
    stat: &'static str,
    device: Option<&'static str>,
    /// Whether the agent, rather than AWS, publishes it.
    agent: bool,
    /// Largest value.
    top: f64,
    /// Smallest difference that is told apart.
    quantum: f64,
    /// Relative white noise of a five-minute value, and absolute.
    noise: (f64, f64),
    /// Whether the value counts events, so that it scatters as a Poisson number and scales with the period.
    count: bool,
    read: Box<dyn Fn(&State) -> f64>,
}

const EC2: &str = "AWS/EC2";
const AGENT: &str = "CWAgent";

fn probes(plan: &Plan) -> Vec<Probe> {
    let probe = |namespace, metric, top, quantum, noise, read: fn(&State) -> f64| Probe {
        namespace,
        metric,
        stat: "Average",
        device: None,
        agent: namespace == AGENT,
        top,
        quantum,
        noise,
        count: false,
        read: Box::new(read),
    };
    let p = &plan.profile;
    let mut out = vec![
        probe(EC2, "CPUUtilization", 100.0, 1e-3, (0.04, 0.1), |s| 100.0 * s.cpu),
        probe(AGENT, "cpu_usage_steal", 100.0, 1e-3, (0.25, 0.01), |s| s.steal),
        probe(AGENT, "cpu_usage_iowait", 100.0, 1e-3, (0.2, 0.02), |s| s.iowait),
        probe(AGENT, "mem_used_percent", 100.0, 1e-3, (0.0, 0.08), |s| s.memory),
        Probe { device: Some("path=/"), ..probe(AGENT, "disk_used_percent", 100.0, 1e-3, (0.0, 0.01), |s| s.disk) },
        probe("AWS/EBS", "VolumeQueueLength", 1e6, 1e-4, (0.25, 0.005), |s| s.queue),
        Probe { stat: "Sum", count: true, ..probe(AGENT, "net_drop_in", 1e9, 1.0, (0.3, 0.0), |s| s.drops) },
        Probe {
            stat: "Maximum",
            ..probe(EC2, "StatusCheckFailed", 1.0, 1.0, (0.0, 0.0), |s| f64::from(u8::from(s.check)))
        },
    ];
    if p.size.earn > 0.0 {
        out.push(probe(EC2, "CPUCreditBalance", p.size.cap(), 1e-3, (0.0, 0.0), |s| s.credits));
    }
    if p.size.ebs_burst {
        out.push(probe(EC2, "EBSIOBalance%", 100.0, 1e-2, (0.0, 0.0), |s| s.bucket));
    }
    if let Some(level) = p.second_disk {
        let data = probe(AGENT, "disk_used_percent", 100.0, 1e-3, (0.0, 0.01), |_| 0.0);
        out.push(Probe { device: Some("path=/data"), read: Box::new(move |_| level), ..data });
    }
    out
}

impl Probe {
    fn samples(&self, o: &Options, states: &[State], m: &Mischief, d: &mut Draw) -> Vec<Sample> {
        let step_h = f64::from(o.step_s) / 3600.0;
        let step_ms = i64::from(o.step_s) * 1000;
        // White noise averages out with the square root of the period.
        let white = (300.0 / f64::from(o.step_s)).sqrt();
        let mut out = Vec::with_capacity(states.len());
        for (k, state) in states.iter().enumerate() {
            // Every step draws the same numbers, present or not, so that an outage changes nothing elsewhere.
            let (z, fate) = (d.normal(), d.uniform(0.0, 1.0));
            if !state.up || (self.agent && !state.agent) {
                continue;
            }
            let now = k as f64 * step_h;
            if m.holes.iter().any(|h| (h.0..h.1).contains(&now)) || fate < m.missing {
                continue;
            }
            let ts = o.start_ms + k as i64 * step_ms;
            let value = self.value(state, z, white, f64::from(o.step_s) / 60.0, d);
            let arrives = |hours: f64| Some(ts + step_ms + (hours * HOUR) as i64);
            let late = m.late.iter().find(|l| (l.0..l.1).contains(&now)).map(|l| l.2);
            let sample = Sample { ts, value, ingested_at: late.and_then(arrives) };
            let tail = fate - m.missing;
            if tail < m.doubled {
                out.push(sample);
            } else if tail < m.doubled + m.revised {
                // A first version from part of the period, corrected hours later.
                out.push(Sample { value: self.round(0.8 * value), ingested_at: arrives(0.03), ..sample });
                out.push(Sample { ingested_at: arrives(late.unwrap_or(0.0) + 2.0), ..sample });
                continue;
            }
            out.push(sample);
        }
        out
    }

    fn value(&self, state: &State, z: f64, white: f64, minutes: f64, d: &mut Draw) -> f64 {
        let true_value = (self.read)(state);
        // One reading in some hundreds is wilder than a normal one: tails are heavy.
        let z = if z.abs() > 2.8 { z * z.abs() / 2.0 } else { z };
        let relative = (self.noise.0 * z * white).clamp(-1.5, 1.5).exp();
        if self.count {
            return d.poisson(true_value * minutes * relative);
        }
        self.round(true_value * relative + self.noise.1 * z * white)
    }

    fn round(&self, value: f64) -> f64 {
        // Through an integer, so that a rounded value is the nearest float to its decimal text.
        let per = (1.0 / self.quantum).round();
        (value.clamp(0.0, self.top) * per).round() / per
    }
}
