//! Finds a subnet in another zone.

use super::super::AwsRecovery;
use super::super::call::ask;
use super::super::ec2_reads::{ec2_in, filter, zone};
use aws_sdk_ec2::types::{Instance, LocationType, Subnet, SubnetState};
use std::collections::BTreeSet;

/// Gives the zones of a region in which a type is offered.
pub(in crate::aws) async fn zones_with(
    aws: &AwsRecovery,
    region: &str,
    kind: &str,
) -> Result<BTreeSet<String>, String> {
    let ec2 = ec2_in(aws, region);
    let call = ec2.describe_instance_type_offerings().location_type(LocationType::AvailabilityZone);
    let call = call.filters(filter("instance-type", [kind.to_owned()]));
    let reply = ask("ec2:DescribeInstanceTypeOfferings", call.send()).await?;
    let offers = reply.instance_type_offerings.unwrap_or_default().into_iter();
    let of_kind = offers.filter(|o| o.instance_type.as_ref().is_some_and(|t| t.as_str() == kind));
    Ok(of_kind.filter_map(|o| o.location).collect())
}

/// Gives the zone of a subnet.
pub(in crate::aws) async fn zone_of(aws: &AwsRecovery, region: &str, subnet: &str) -> Result<String, String> {
    let ec2 = ec2_in(aws, region);
    let reply = ask("ec2:DescribeSubnets", ec2.describe_subnets().subnet_ids(subnet).send()).await?;
    let zone = reply.subnets.unwrap_or_default().into_iter().find_map(|s| s.availability_zone);
    zone.ok_or_else(|| format!("EC2 names no zone for {subnet}"))
}

/// Gives the subnet that people chose, if it is in another zone than the old instance; else one of its VPC in a zone where the type is
/// offered, such as the old one's: with or without public addresses.
pub(super) async fn in_another_zone(
    aws: &AwsRecovery,
    old: &Instance,
    chosen: Option<&str>,
    kind: Option<&String>,
) -> Result<String, String> {
    let id = old.instance_id.as_deref().unwrap_or_default();
    let own = zone(old).ok_or_else(|| format!("EC2 names no zone for {id}"))?;
    if let Some(chosen) = chosen {
        let zone = zone_of(aws, &aws.region, chosen).await?;
        return if zone == own {
            Err(format!("subnet {chosen} is in {own}, the zone that is to be left"))
        } else {
            Ok(chosen.to_owned())
        };
    }
    let vpc = old.vpc_id.clone().ok_or_else(|| format!("EC2 names no VPC for {id}"))?;
    let call = aws.ec2.describe_subnets().filters(filter("vpc-id", [vpc.clone()]));
    let reply = ask("ec2:DescribeSubnets", call.send()).await?;
    let kind = kind.ok_or_else(|| format!("EC2 names no type of {id}"))?;
    let offered = zones_with(aws, &aws.region, kind).await?;
    best(reply.subnets(), own, old.subnet_id.as_deref(), &offered)
        .ok_or_else(|| format!("{vpc} has no subnet outside {own} where {kind} is offered"))
}

fn best(subnets: &[Subnet], own_zone: &str, own: Option<&str>, offered: &BTreeSet<String>) -> Option<String> {
    let is_public = |s: &Subnet| s.map_public_ip_on_launch.unwrap_or(false);
    let like = subnets.iter().find(|s| s.subnet_id.as_deref() == own).map(is_public);
    let fits = |s: &Subnet| {
        let zone = s.availability_zone.as_deref();
        zone.is_some_and(|z| z != own_zone && offered.contains(z))
            && s.state != Some(SubnetState::Pending)
            && s.available_ip_address_count != Some(0)
    };
    let order =
        |s: &Subnet| (like.is_some_and(|l| l != is_public(s)), s.availability_zone.clone(), s.subnet_id.clone());
    subnets.iter().filter(|s| fits(s)).min_by_key(|s| order(s)).and_then(|s| s.subnet_id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(id: &str, zone: &str, is_public: bool, free: i32) -> Subnet {
        let subnet = Subnet::builder().subnet_id(id).availability_zone(zone).map_public_ip_on_launch(is_public);
        subnet.available_ip_address_count(free).build()
    }

    #[test]
    fn the_subnet_is_like_the_old_one_with_room_where_the_type_is_offered() {
        let all = || {
            vec![
                subnet("s-old", "a", false, 9),
                subnet("s-public", "b", true, 9),
                subnet("s-full", "b", false, 0),
                subnet("s-same-zone", "a", false, 9),
                subnet("s-private", "c", false, 9),
                subnet("s-without-type", "d", false, 9),
            ]
        };
        let offered = |zones: &[&str]| zones.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let best = |zones: &[&str]| best(&all(), "a", Some("s-old"), &offered(zones));
        assert_eq!(best(&["a", "b", "c"]).as_deref(), Some("s-private"));
        assert_eq!(best(&["a", "b"]).as_deref(), Some("s-public"));
        assert_eq!(best(&["a"]), None);
    }
}
