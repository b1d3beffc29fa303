//! Reads a metric's dimensions: whose it is, and what of the instance it measures.

/// Dimensions that say what the instance is, or which counter it is, not what of it is measured.
const OF_THE_INSTANCE: [&str; 5] = ["InstanceId", "ImageId", "InstanceType", "AutoScalingGroupName", "objectname"];
/// Dimensions that a path makes needless.
const OF_THE_PATH: [&str; 2] = ["device", "fstype"];

/// Gives what of the instance a metric measures, such as `path=/data`; none for the whole of it.
///
/// `cpu=cpu-total` is the whole of it, and so is `instance=_Total` of a counter of Windows, where `instance` tells drives, cores and
/// page files apart. Exporters call the whole machine `instance`, by its id or its address.
pub(crate) fn device<'a>(dimensions: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Option<String> {
    let all = dimensions.clone();
    let has_path = all.clone().any(|(name, _)| name == "path");
    let mut parts: Vec<String> = dimensions
        .filter(|(name, value)| {
            let of_the_instance = OF_THE_INSTANCE.contains(name) || *name == "instance" && is_whole(value, all.clone());
            let of_the_path = has_path && OF_THE_PATH.contains(name);
            let whole = *name == "cpu" && *value == "cpu-total";
            !(of_the_instance || of_the_path || whole)
        })
        .map(|(name, value)| match name {
            "VolumeId" => format!("volume={value}"),
            _ => format!("{name}={value}"),
        })
        .collect();
    parts.sort_unstable();
    (!parts.is_empty()).then(|| parts.join(","))
}

/// Says whether what `instance` names is the whole machine: all of a counter's, its id, or the address of its exporter.
fn is_whole<'a>(value: &str, mut dimensions: impl Iterator<Item = (&'a str, &'a str)>) -> bool {
    let has_port = value.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    has_port || value == "_Total" || dimensions.any(|(name, id)| name == "InstanceId" && id == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(dimensions: &[(&str, &str)]) -> Option<String> {
        device(dimensions.iter().copied())
    }

    #[test]
    fn a_device_is_what_is_left_when_the_instance_is_taken_away() {
        assert_eq!(of(&[("InstanceId", "i-1"), ("InstanceType", "t3.small"), ("ImageId", "ami-1")]), None);
        let disk = [("InstanceId", "i-1"), ("path", "/data"), ("device", "nvme1n1"), ("fstype", "xfs")];
        assert_eq!(of(&disk).as_deref(), Some("path=/data"));
        assert_eq!(of(&[("InstanceId", "i-1"), ("name", "sda"), ("b", "1")]).as_deref(), Some("b=1,name=sda"));
        assert_eq!(of(&[("InstanceId", "i-1"), ("cpu", "cpu-total")]), None);
        assert_eq!(of(&[("InstanceId", "i-1"), ("cpu", "cpu3")]).as_deref(), Some("cpu=cpu3"));
    }

    #[test]
    fn what_counters_of_windows_measure_is_told_apart() {
        let counter = |object, instance| [("InstanceId", "i-1"), ("objectname", object), ("instance", instance)];
        assert_eq!(of(&counter("LogicalDisk", "D:")).as_deref(), Some("instance=D:"));
        assert_eq!(
            of(&counter("Paging File", "\\??\\C:\\pagefile.sys")).as_deref(),
            Some("instance=\\??\\C:\\pagefile.sys")
        );
        assert_eq!(of(&counter("LogicalDisk", "_Total")), None);
        assert_eq!(of(&counter("Processor", "0")).as_deref(), Some("instance=0"));
        assert_eq!(of(&counter("Processor", "_Total")), None);
        // What exporters call so is the machine.
        for whole in ["i-1", "10.0.0.7:9100", "web-1:9182"] {
            assert_eq!(of(&counter("x", whole)), None, "{whole}");
        }
    }
}
