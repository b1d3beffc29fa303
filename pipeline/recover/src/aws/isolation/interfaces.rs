//! Network interfaces of an instance, their groups, and the groups that a tag remembers.

use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use super::super::ec2_reads;
use super::super::tags;
use aws_sdk_ec2::types::NetworkInterface;
use std::collections::BTreeMap;

/// The tag that remembers; a value holds 256 characters, so a long list goes on in further tags.
const KEPT: &str = "forewarn:groups-before";
/// Groups in one tag.
const A_TAG: usize = 10;
/// Tags in which the longest list that EC2 allows (16 groups) fits.
const TAGS: usize = 2;

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) id: String,
    pub(super) groups: Vec<String>,
    /// The groups that it had before a quarantine, if it is in one.
    pub(super) kept: Option<Vec<String>>,
}

/// Looks at the interfaces of an instance.
pub(super) async fn of_instance(aws: &AwsRecovery, instance: &str) -> Result<Vec<Interface>, CallError> {
    let call = aws.ec2.describe_network_interfaces();
    let call = call.filters(ec2_reads::filter("attachment.instance-id", [instance.to_owned()]));
    let found = ask("ec2:DescribeNetworkInterfaces", call.send()).await?;
    Ok(found.network_interfaces.unwrap_or_default().into_iter().filter_map(read).collect())
}

fn read(interface: NetworkInterface) -> Option<Interface> {
    let groups = interface.groups().iter().filter_map(|g| g.group_id().map(str::to_owned)).collect();
    let kept = remembered(&tags::by_key(interface.tag_set()));
    Some(Interface { id: interface.network_interface_id?, groups, kept })
}

/// Gives the keys of the tags that remember.
pub(super) fn keys() -> Vec<String> {
    (1..=TAGS).map(key).collect()
}

fn key(n: usize) -> String {
    if n == 1 { KEPT.to_owned() } else { format!("{KEPT}-{n}") }
}

/// Writes a list of groups as tags.
pub(super) fn groups_tags(groups: &[String]) -> Vec<(String, String)> {
    groups.chunks(A_TAG).enumerate().map(|(n, part)| (key(n + 1), part.join(","))).collect()
}

fn remembered(tags: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let all = keys().into_iter().filter_map(|k| tags.get(&k));
    let groups: Vec<String> = all.flat_map(|v| v.split(',')).filter(|g| !g.is_empty()).map(str::to_owned).collect();
    (!groups.is_empty()).then_some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_list_is_remembered_in_tags_that_ec2_takes() {
        let groups: Vec<String> = (0..16).map(|n| format!("sg-{n:017x}")).collect();
        let tags: BTreeMap<_, _> = groups_tags(&groups).into_iter().collect();
        assert!(tags.values().all(|v| v.len() <= 256));
        assert_eq!(remembered(&tags), Some(groups));
        assert_eq!(remembered(&BTreeMap::new()), None);
    }
}
