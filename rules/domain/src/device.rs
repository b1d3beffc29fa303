//! What of an instance a series measures: put together from the dimensions of a metric, or the columns of a file, that say so.

/// Dimensions and columns that tell devices apart, and as what; names as agents and exporters give them.
const PARTS: [(&str, &str); 17] = [
    ("volume_id", "volume"),
    ("VolumeId", "volume"),
    ("volume", "volume"),
    ("path", "path"),
    ("mountpoint", "path"),
    ("mount_point", "path"),
    ("mount", "path"),
    ("drive", "drive"),
    ("interface", "interface"),
    ("iface", "interface"),
    ("nic", "interface"),
    ("disk", "disk"),
    ("instance", "instance"),
    ("cpu", "cpu"),
    ("partition", "partition"),
    ("filesystem", "filesystem"),
    ("fstype", "fstype"),
];
/// What a path makes needless.
const OF_THE_PATH: [&str; 3] = ["device", "fstype", "filesystem"];

/// Says as what a dimension or column of this name tells devices apart; none where it is not known to.
pub fn part(name: &str) -> Option<&'static str> {
    PARTS.iter().find(|(known, _)| *known == name).map(|(_, part)| *part)
}

/// Puts together what is said of the device: what stands for it as it is, then the parts in order of their names, such as `path=/data`; none
/// for the whole instance, which is no part: all of a counter or of its cores, its id, or the address of its exporter.
pub fn device<'a>(
    instance_id: Option<&str>,
    said: Option<&str>,
    parts: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Option<String> {
    let mut known: Vec<(&str, &str)> = Vec::new();
    for (name, value) in parts {
        let name = part(name).unwrap_or(name);
        if !value.is_empty() && !is_whole(name, value, instance_id) && !known.contains(&(name, value)) {
            known.push((name, value));
        }
    }
    let has_path = known.iter().any(|(name, _)| *name == "path");
    // That it is an image says more than its path.
    known.retain(|(name, value)| !(has_path && OF_THE_PATH.contains(name)) || is_image(value));
    // A device that says by itself what it is stays.
    let said = said.filter(|d| !d.is_empty() && (!has_path || d.contains('=')));
    known.sort_unstable();
    let parts = known.into_iter().map(|(name, value)| format!("{name}={value}"));
    let all: Vec<String> = said.map(str::to_owned).into_iter().chain(parts).collect();
    (!all.is_empty()).then(|| all.join(","))
}

fn is_whole(name: &str, value: &str, instance_id: Option<&str>) -> bool {
    let has_port = value.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match name {
        "instance" => value == "_Total" || has_port || instance_id == Some(value),
        "cpu" => value == "cpu-total",
        _ => false,
    }
}

/// Takes a device apart again.
fn parts_of(device: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    device.into_iter().flat_map(|d| d.split(',')).filter_map(|part| part.split_once('='))
}

/// Says whether a series is one core of several, by its device such as `cpu=cpu3`, or `instance=3` of a counter of Windows: of cores only
/// the total speaks for the machine.
pub fn is_one_core(metric: &str, device: Option<&str>) -> bool {
    parts_of(device).any(|(name, value)| match name {
        "cpu" => value != "cpu-total",
        "instance" => metric.starts_with("Processor") && value != "_Total",
        _ => false,
    })
}

/// File systems that are images: written once, full from then on.
const IMAGES: [&str; 6] = ["squashfs", "iso9660", "erofs", "cramfs", "romfs", "udf"];
/// Where such images are mounted.
const OF_IMAGES: [&str; 4] = ["/snap/", "/var/lib/snapd/snap/", "/run/live/", "/run/initramfs/live"];

/// Says whether a file system of that type is a read-only image.
fn is_image(fstype: &str) -> bool {
    IMAGES.contains(&fstype)
}

/// Says whether a device is a read-only image, which is full by its nature, by its file system or where it is mounted.
pub fn is_of_image(device: Option<&str>) -> bool {
    parts_of(device).any(|(name, value)| match name {
        "fstype" | "filesystem" => is_image(value),
        "path" => OF_IMAGES.iter().any(|at| value.starts_with(at)),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_what_the_columns_say_but_for_the_whole_of_it() {
        let of = |said: Option<&str>, parts: &[(&str, &str)]| device(Some("i-1"), said, parts.iter().copied());
        assert_eq!(of(None, &[("VolumeId", "vol-1"), ("path", "")]).as_deref(), Some("volume=vol-1"));
        assert_eq!(of(Some("path=/"), &[]).as_deref(), Some("path=/"));
        let agent = [("path", "/data"), ("fstype", "xfs")];
        assert_eq!(of(Some("nvme1n1"), &agent).as_deref(), Some("path=/data"));
        assert_eq!(of(Some("nvme1n1"), &[("fstype", "xfs")]).as_deref(), Some("nvme1n1,fstype=xfs"));
        assert_eq!(of(None, &[("instance", "D:")]).as_deref(), Some("instance=D:"));
        for whole in ["i-1", "_Total", "10.0.0.1:9100"] {
            assert_eq!(of(None, &[("instance", whole)]), None, "{whole}");
        }
        assert_eq!(of(None, &[("cpu", "cpu-total")]), None);
        let image = of(None, &[("mountpoint", "/mnt"), ("fstype", "squashfs"), ("device", "loop0")]);
        assert_eq!(image.as_deref(), Some("fstype=squashfs,path=/mnt"));
        assert!(is_of_image(image.as_deref()));
        assert_eq!(of(None, &[("path", "/"), ("path", "/")]).as_deref(), Some("path=/"));
    }

    #[test]
    fn of_cores_only_the_total_speaks() {
        let windows = "Processor % Processor Time";
        assert!(is_one_core("cpu_usage_steal", Some("cpu=cpu3")) && is_one_core(windows, Some("instance=0")));
        for (metric, device) in [
            ("cpu_usage_steal", None),
            ("cpu_usage_steal", Some("cpu=cpu-total")),
            (windows, Some("instance=_Total")),
            ("LogicalDisk % Free Space", Some("instance=D:")),
            ("disk_used_percent", Some("path=/cpu")),
        ] {
            assert!(!is_one_core(metric, device), "{metric} {device:?}");
        }
    }

    #[test]
    fn images_are_known_by_their_file_system_or_where_they_are_mounted() {
        for device in ["path=/snap/core/1", "fstype=squashfs,path=/mnt", "path=/mnt,fstype=iso9660"] {
            assert!(is_of_image(Some(device)), "{device}");
        }
        for device in ["path=/", "path=/snap", "fstype=xfs,path=/data", "volume=squashfs"] {
            assert!(!is_of_image(Some(device)), "{device}");
        }
        assert!(!is_of_image(None));
    }
}
