//! What of an instance a series measures, from the columns of a file that say so.

/// Columns that tell devices apart, and as what; names as agents and exporters give them.
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

/// Says as what a column of this name tells devices apart; none where it does not.
pub(super) fn part(column: &str) -> Option<&'static str> {
    PARTS.iter().find(|(name, _)| *name == column).map(|(_, part)| *part)
}

/// Puts together what a row says of the device: the column `device` as it stands, then the parts in order of their names. What names the
/// whole instance is no part: all of a counter or of its cores, its id, or the address of its exporter.
pub(super) fn device(instance_id: Option<&str>, said: Option<&str>, parts: &[(&str, Option<&str>)]) -> Option<String> {
    let mut known: Vec<(&str, &str)> = Vec::new();
    for (name, value) in parts {
        let Some(value) = value.filter(|v| !v.is_empty()) else { continue };
        if !is_whole(name, value, instance_id) && !known.contains(&(name, value)) {
            known.push((name, value));
        }
    }
    let has_path = known.iter().any(|(name, _)| *name == "path");
    known.retain(|(name, _)| !(has_path && OF_THE_PATH.contains(name)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_what_the_columns_say_but_for_the_whole_of_it() {
        let of = |said: Option<&str>, parts: &[(&str, Option<&str>)]| device(Some("i-1"), said, parts);
        assert_eq!(of(None, &[("volume", Some("vol-1")), ("path", None)]).as_deref(), Some("volume=vol-1"));
        assert_eq!(of(Some("path=/"), &[]).as_deref(), Some("path=/"));
        let agent = [("path", Some("/data")), ("fstype", Some("xfs"))];
        assert_eq!(of(Some("nvme1n1"), &agent).as_deref(), Some("path=/data"));
        assert_eq!(of(Some("nvme1n1"), &[("fstype", Some("xfs"))]).as_deref(), Some("nvme1n1,fstype=xfs"));
        assert_eq!(of(None, &[("instance", Some("D:"))]).as_deref(), Some("instance=D:"));
        for whole in ["i-1", "_Total", "10.0.0.1:9100"] {
            assert_eq!(of(None, &[("instance", Some(whole))]), None, "{whole}");
        }
        assert_eq!(of(None, &[("cpu", Some("cpu-total"))]), None);
        assert_eq!(of(None, &[("path", Some("/")), ("path", Some("/"))]).as_deref(), Some("path=/"));
    }
}
