//! Decides which of the metrics that CloudWatch lists become series, and whose.

use super::api::MetricName;
use super::metric_scope::MetricScope;
use super::select::is_instance_id;
use crate::device::device;
use forewarn_domain::device::is_one_core;
use forewarn_domain::id::is_name;
use forewarn_domain::signal::SOURCES;
use std::collections::{BTreeMap, BTreeSet};

/// A series that is to be pulled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    /// Whose it is.
    pub(super) instance_id: String,
    /// What CloudWatch calls it.
    pub(super) metric: MetricName,
    /// Statistic.
    pub(super) stat: &'static str,
    /// What of the instance it measures.
    pub(super) device: Option<String>,
    /// Period, seconds.
    pub(super) period_s: i32,
}

type Key = (String, String, String, Option<String>);

/// Collects what pages of `ListMetrics` say.
#[derive(Debug)]
pub(super) struct Listing<'a> {
    wanted: &'a MetricScope,
    /// Which instance a volume belongs, or belonged, to.
    volumes: &'a BTreeMap<String, String>,
    found: BTreeMap<Key, BTreeSet<MetricName>>,
    /// Volumes that nobody is known to have had.
    pub(super) unmapped: BTreeSet<String>,
    /// Metrics whose names or dimensions can't be kept.
    pub(super) odd: u64,
}

impl<'a> Listing<'a> {
    pub(super) const fn new(wanted: &'a MetricScope, volumes: &'a BTreeMap<String, String>) -> Self {
        Self { wanted, volumes, found: BTreeMap::new(), unmapped: BTreeSet::new(), odd: 0 }
    }

    /// Takes a metric, if it belongs to an instance that is chosen and a signal reads it.
    pub(super) fn add(&mut self, mut metric: MetricName, chosen: &dyn Fn(&str) -> bool) {
        metric.dimensions.sort();
        let device = device(metric.pairs());
        if self.wanted.stat(&metric.namespace, &metric.metric).is_none()
            || (is_one_core(&metric.metric, device.as_deref()) && !self.wanted.all_metrics)
        {
            return;
        }
        let volume = metric.dimension("VolumeId");
        let instance = match (metric.dimension("InstanceId"), volume) {
            (Some(id), _) => id.to_owned(),
            (None, Some(volume)) => {
                let Some(id) = self.volumes.get(volume) else {
                    self.unmapped.insert(volume.to_owned());
                    return;
                };
                id.clone()
            }
            (None, None) => return,
        };
        let names = [&metric.namespace, &metric.metric].into_iter().chain(&device).all(|n| is_name(n));
        if !is_instance_id(&instance) || !names || metric.dimensions.len() > 30 {
            self.odd += 1;
            return;
        }
        if chosen(&instance) {
            let key = (instance, metric.namespace.clone(), metric.metric.clone(), device);
            self.found.entry(key).or_default().insert(metric);
        }
    }

    /// Adds what EC2 itself measures of instances that `ListMetrics` no longer names: after two weeks of silence it forgets them, while
    /// their data can still be had.
    pub(super) fn add_forgotten(&mut self, ids: &BTreeSet<String>) {
        let named: BTreeSet<&str> = self.found.keys().map(|k| k.0.as_str()).collect();
        let forgotten: Vec<String> = ids.iter().filter(|id| !named.contains(id.as_str())).cloned().collect();
        if !self.wanted.namespaces.iter().any(|n| n == "AWS/EC2") {
            return;
        }
        for id in forgotten {
            for source in SOURCES.iter().filter(|s| s.namespace == "AWS/EC2") {
                let metric = MetricName {
                    namespace: source.namespace.to_owned(),
                    metric: source.metric.to_owned(),
                    dimensions: vec![("InstanceId".to_owned(), id.clone())],
                };
                self.add(metric, &|_| true);
            }
        }
    }

    /// Gives the series. Agents may publish one thing under several sets of dimensions; the set with the fewest names is taken, and
    /// all of them where `all_sets` (a backfill can't know which set was published when) or where that set has fallen `silent`.
    pub(super) fn finish(self, all_sets: bool, silent: &dyn Fn(&MetricName) -> bool) -> Vec<Found> {
        let mut out = Vec::new();
        for ((instance_id, _, _, device), metrics) in self.found {
            let names = |m: &MetricName| {
                let names: Vec<String> = m.dimensions.iter().map(|d| d.0.clone()).collect();
                (names.len(), names)
            };
            let fewest = metrics.iter().map(names).min();
            // Values may differ within the set: the type of an instance that was resized, say.
            let of_fewest = |m: &MetricName| Some(names(m)) == fewest;
            let all = all_sets || (metrics.len() > 1 && metrics.iter().filter(|m| of_fewest(m)).all(silent));
            for metric in metrics {
                if !all && !of_fewest(&metric) {
                    continue;
                }
                let Some(stat) = self.wanted.stat(&metric.namespace, &metric.metric) else { continue };
                let period_s = self.wanted.timing(&metric.namespace).period_s;
                out.push(Found { instance_id: instance_id.clone(), metric, stat, device: device.clone(), period_s });
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(namespace: &str, metric: &str, dimensions: &[(&str, &str)]) -> MetricName {
        MetricName::sample(namespace, metric, dimensions)
    }

    const I: &str = "i-0000000a";

    fn found(metrics: &[MetricName], all_sets: bool, silent: bool) -> Vec<Found> {
        let (wanted, volumes) = (MetricScope::default(), BTreeMap::from([("vol-1".to_owned(), I.to_owned())]));
        let mut listing = Listing::new(&wanted, &volumes);
        for m in metrics {
            listing.add(m.clone(), &|id| id == I);
        }
        listing.finish(all_sets, &|_| silent)
    }

    #[test]
    fn only_what_a_signal_reads_of_chosen_instances_is_taken() {
        let listed = [
            metric("AWS/EC2", "CPUUtilization", &[("InstanceId", I)]),
            metric("AWS/EC2", "CPUUtilization", &[("AutoScalingGroupName", "web")]),
            metric("AWS/EC2", "CPUUtilization", &[("InstanceId", "i-0000000b")]),
            metric("AWS/EC2", "NetworkIn", &[("InstanceId", I)]),
            metric("AWS/EBS", "VolumeQueueLength", &[("VolumeId", "vol-1")]),
            metric("AWS/EBS", "VolumeQueueLength", &[("VolumeId", "vol-2")]),
            metric("CWAgent", "cpu_usage_steal", &[("InstanceId", I), ("cpu", "cpu0")]),
            metric("CWAgent", "cpu_usage_steal", &[("InstanceId", I), ("cpu", "cpu-total")]),
        ];
        let found = found(&listed, false, false);
        let shown: Vec<_> = found.iter().map(|f| (f.metric.metric.as_str(), f.device.as_deref())).collect();
        assert_eq!(
            shown,
            [("VolumeQueueLength", Some("volume=vol-1")), ("CPUUtilization", None), ("cpu_usage_steal", None)]
        );
    }

    #[test]
    fn of_several_sets_of_dimensions_one_is_taken_and_all_when_it_falls_silent() {
        let few = metric("CWAgent", "disk_used_percent", &[("InstanceId", I), ("path", "/")]);
        let many = metric("CWAgent", "disk_used_percent", &[("InstanceId", I), ("path", "/"), ("fstype", "xfs")]);
        let other = metric("CWAgent", "disk_used_percent", &[("InstanceId", I), ("path", "/data")]);
        let listed = [many.clone(), few, other];
        assert_eq!(found(&listed, false, false).iter().filter(|f| f.metric == many).count(), 0);
        assert_eq!(found(&listed, false, false).len(), 2);
        assert_eq!(found(&listed, false, true).len(), 3);
        assert_eq!(found(&listed, true, false).len(), 3);
        let resized = |size| metric("CWAgent", "mem_used_percent", &[("InstanceId", I), ("InstanceType", size)]);
        assert_eq!(found(&[resized("t3.small"), resized("t3.large")], false, false).len(), 2, "before and after");
    }

    #[test]
    fn the_long_dead_are_asked_for_what_ec2_measures() {
        let (wanted, volumes) = (MetricScope::default(), BTreeMap::new());
        let mut listing = Listing::new(&wanted, &volumes);
        listing.add(metric("AWS/EC2", "CPUUtilization", &[("InstanceId", I)]), &|_| true);
        listing.add_forgotten(&BTreeSet::from([I.to_owned(), "i-0000000d".to_owned()]));
        let found = listing.finish(true, &|_| false);
        assert_eq!(found.iter().filter(|f| f.instance_id == I).count(), 1);
        assert!(found.iter().filter(|f| f.instance_id == "i-0000000d").count() > 5);
    }

    #[test]
    fn odd_names_are_counted_and_left_out() {
        let (wanted, volumes) = (MetricScope::default(), BTreeMap::new());
        let mut listing = Listing::new(&wanted, &volumes);
        listing.add(metric("AWS/EC2", "CPUUtilization", &[("InstanceId", "../../etc")]), &|_| true);
        listing.add(metric("CWAgent", "disk_used_percent", &[("InstanceId", I), ("path", "/\u{7}")]), &|_| true);
        assert_eq!((listing.odd, listing.finish(true, &|_| false).len()), (2, 0));
    }
}
