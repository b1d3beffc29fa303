//! Reads a metric's dimensions: whose it is, and what of the instance it measures.

/// Dimensions that say what the instance is, or which counter it is, not what of it is measured.
const OF_THE_INSTANCE: [&str; 5] = ["InstanceId", "ImageId", "InstanceType", "AutoScalingGroupName", "objectname"];
/// Gives what of the instance a metric measures, such as `path=/data`; none for the whole of it.
pub(crate) fn device<'a>(dimensions: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Option<String> {
    let instance_id = dimensions.clone().find(|(name, _)| *name == "InstanceId").map(|(_, id)| id);
    forewarn_domain::device::device(instance_id, None, dimensions.filter(|(name, _)| !OF_THE_INSTANCE.contains(name)))
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
