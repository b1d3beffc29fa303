//! Reads a metric's dimensions: whose it is, and what of the instance it measures.

use super::api::MetricName;

/// Dimensions that say what the instance is, not what of it is measured.
const OF_THE_INSTANCE: [&str; 5] = ["InstanceId", "ImageId", "InstanceType", "AutoScalingGroupName", "instance"];
/// Dimensions that a path makes needless.
const OF_THE_PATH: [&str; 2] = ["device", "fstype"];

/// Gives what of the instance a metric measures, such as `path=/data`; none for the whole of it.
///
/// `cpu=cpu-total` is the whole of it, too.
pub(super) fn device(metric: &MetricName) -> Option<String> {
    let has_path = metric.dimension("path").is_some();
    let parts: Vec<String> = metric
        .dimensions
        .iter()
        .filter(|(name, value)| {
            let of_the_instance = OF_THE_INSTANCE.contains(&name.as_str());
            let of_the_path = has_path && OF_THE_PATH.contains(&name.as_str());
            let whole = name == "cpu" && value == "cpu-total";
            !(of_the_instance || of_the_path || whole)
        })
        .map(|(name, value)| match name.as_str() {
            "VolumeId" => format!("volume={value}"),
            _ => format!("{name}={value}"),
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(","))
}

/// Says whether a metric is one core of several: the total is what signals read.
pub(super) fn is_one_core(metric: &MetricName) -> bool {
    metric.dimension("cpu").is_some_and(|cpu| cpu != "cpu-total")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::source) fn metric(namespace: &str, metric: &str, dimensions: &[(&str, &str)]) -> MetricName {
        let mut dimensions: Vec<_> = dimensions.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        dimensions.sort();
        MetricName { namespace: namespace.to_owned(), metric: metric.to_owned(), dimensions }
    }

    #[test]
    fn a_device_is_what_is_left_when_the_instance_is_taken_away() {
        let of = |dims: &[(&str, &str)]| device(&metric("CWAgent", "m", dims));
        assert_eq!(of(&[("InstanceId", "i-1"), ("InstanceType", "t3.small"), ("ImageId", "ami-1")]), None);
        let disk = [("InstanceId", "i-1"), ("path", "/data"), ("device", "nvme1n1"), ("fstype", "xfs")];
        assert_eq!(of(&disk).as_deref(), Some("path=/data"));
        assert_eq!(of(&[("InstanceId", "i-1"), ("name", "sda"), ("b", "1")]).as_deref(), Some("b=1,name=sda"));
        assert_eq!(of(&[("InstanceId", "i-1"), ("cpu", "cpu-total")]), None);
        assert!(is_one_core(&metric("CWAgent", "m", &[("cpu", "cpu3")])));
    }
}
