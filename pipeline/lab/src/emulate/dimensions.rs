//! The dimensions that AWS and the agent give a metric, and the series that dimensions name.

use super::world::{Device, EmulatedInstance, Probe, World, index};

/// A name and a value.
pub(super) type Dimension = (String, String);

/// Gives the dimensions of a metric: what AWS measures has the instance or the volume, what the agent measures also has
/// what agents append.
pub(super) fn of(machine: &EmulatedInstance, probe: &Probe) -> Vec<Dimension> {
    let dim = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    if probe.device == Device::Volume {
        return vec![dim("VolumeId", &machine.volume)];
    }
    let mut out = vec![dim("InstanceId", &machine.id)];
    if probe.namespace == "CWAgent" {
        out.push(dim("ImageId", &machine.image));
        out.push(dim("InstanceType", machine.instance_type));
        out.extend(machine.group.as_ref().map(|g| dim("AutoScalingGroupName", g)));
    }
    if let Device::Path(path) = probe.device {
        let device = if path == "/" { "nvme0n1p1" } else { "nvme1n1" };
        out.extend([dim("path", path), dim("device", device), dim("fstype", "xfs")]);
    }
    out
}

/// Finds the instance that dimensions name, if they name one.
pub(super) fn instance(dimensions: &[Dimension]) -> Option<usize> {
    dimensions.iter().find(|(name, _)| name == "InstanceId" || name == "VolumeId").and_then(|(_, value)| index(value))
}

/// Finds a series: namespace and name must be equal, and so must the sets of dimensions.
pub(super) fn find(
    world: &dyn World,
    namespace: &str,
    metric: &str,
    dimensions: &[Dimension],
) -> Option<(usize, usize)> {
    let i = instance(dimensions).filter(|i| *i < world.instances())?;
    let machine = world.machine(i);
    let k = world
        .probes(i)
        .iter()
        .position(|p| p.namespace == namespace && p.metric == metric && same(&of(&machine, p), dimensions))?;
    Some((i, k))
}

fn same(a: &[Dimension], b: &[Dimension]) -> bool {
    a.len() == b.len() && a.iter().all(|d| b.contains(d))
}
