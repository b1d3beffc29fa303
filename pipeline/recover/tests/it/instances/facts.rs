//! What is seen of an instance.

use super::{NOW, launch};
use forewarn_recover::aws::AwsRecovery;
use forewarn_recover::ports::{FactReader, Seen};
use forewarn_recovery::facts::{BrokenVolume, InstanceFacts, InstanceState, Market, Read};
use forewarn_testkit::moto::REGION;
use forewarn_testkit::world::World;
use serde_json::json;

/// What is to hold of the facts.
type Says = fn(&InstanceFacts) -> bool;

/// A root volume, which moto leaves out where a mapping does not name it, and another.
const WITH_DATA: &str = "'BlockDeviceMappings': [{'DeviceName': '/dev/sda1', 'Ebs': {'VolumeSize': 8}}, \
                         {'DeviceName': '/dev/sdf', 'Ebs': {'VolumeSize': 9}}]";

fn facts(seen: Seen) -> InstanceFacts {
    match seen.instance {
        Read::Known(facts) => facts,
        Read::Failed(why) | Read::Absent(why) => panic!("{why}"),
    }
}

fn tagged(key: &str, value: &str) -> String {
    format!("'TagSpecifications': [{{'ResourceType': 'instance', 'Tags': [{{'Key': '{key}', 'Value': '{value}'}}]}}]")
}

#[test]
fn an_instance_is_what_its_description_says() {
    let Some(world) = World::start(&["ec2", "autoscaling", "elbv2"], &[]) else { return };
    let aws = AwsRecovery::new(&world.aws(), REGION, None).unwrap();
    let data = WITH_DATA;
    let spot = |kind: &str| {
        format!("'InstanceMarketOptions': {{'MarketType': 'spot', 'SpotOptions': {{'SpotInstanceType': '{kind}'}}}}")
    };
    let table: [(String, Says); 13] = [
        (String::new(), |f| f.state == InstanceState::Running && f.market == Market::OnDemand && f.group.is_none()),
        (String::new(), |f| !f.enrolled && !f.stateful && !f.elastic_ip && !f.multi_attach && !f.last_target),
        (String::new(), |f| !f.stop_protection && !f.termination_protection && f.controller.is_none()),
        (tagged("AutoRecovery", "Enabled"), |f| f.enrolled),
        (tagged("SelfHeal", "true"), |f| f.self_heal && !f.enrolled),
        (tagged("eks:nodegroup-name", "blue"), |f| f.controller.as_deref() == Some("EKS")),
        ("'DisableApiStop': True, 'DisableApiTermination': True".to_owned(), |f| {
            f.stop_protection && f.termination_protection
        }),
        ("'InstanceType': 'm5d.large'".to_owned(), |f| f.instance_store),
        ("'InstanceType': 'm5.large'".to_owned(), |f| !f.instance_store),
        (data.to_owned(), |f| f.stateful),
        (format!("{data}, {}", tagged("forewarn:stateful", "false")), |f| !f.stateful),
        (tagged("forewarn:stateful", "true"), |f| f.stateful),
        (spot("one-time"), |f| f.market == Market::SpotOneTime),
    ];
    for (more, says) in table {
        let id = launch(&world, &more);
        let facts = facts(aws.look(&id, NOW));
        assert!(says(&facts), "{more}: {facts:?}");
    }
}

#[test]
fn a_persistent_spot_instance_is_known_by_its_request() {
    let Some(world) = World::start(&["ec2", "autoscaling", "elbv2"], &[]) else { return };
    for (kind, market) in [("persistent", Market::SpotPersistent), ("one-time", Market::SpotOneTime)] {
        let id = world.python(&format!(
            "c = aws('ec2'); r = c.request_spot_instances(Type='{kind}', LaunchSpecification={{'ImageId': '{}', \
             'InstanceType': 't3.micro'}})['SpotInstanceRequests'][0]['SpotInstanceRequestId']\n\
             print(c.describe_spot_instance_requests(SpotInstanceRequestIds=[r])['SpotInstanceRequests'][0]['InstanceId'])",
            super::IMAGE
        ));
        assert_eq!(
            facts(AwsRecovery::new(&world.aws(), REGION, None).unwrap().look(&id, NOW)).market,
            market,
            "{kind}"
        );
    }
}

#[test]
fn addresses_are_of_two_kinds() {
    let Some(world) = World::start(&["ec2", "autoscaling", "elbv2"], &[]) else { return };
    let (aws, id) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    let seen = facts(aws.look(&id, NOW));
    assert!(seen.assigned_public_ip && !seen.elastic_ip, "{seen:?}");
    world.python(&format!(
        "c = aws('ec2'); c.associate_address(AllocationId=c.allocate_address(Domain='vpc')['AllocationId'], InstanceId='{id}')"
    ));
    let seen = facts(aws.look(&id, NOW));
    assert!(!seen.assigned_public_ip && seen.elastic_ip, "{seen:?}");
}

#[test]
fn a_broken_volume_is_the_root_another_or_only_shut_off() {
    let Some(world) = World::start(&["ec2", "autoscaling", "elbv2"], &[]) else { return };
    let (aws, id) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, WITH_DATA));
    let volume = |is_root: &str| {
        world.python(&format!(
            "i = aws('ec2').describe_instances(InstanceIds=['{id}'])['Reservations'][0]['Instances'][0]\n\
             print([m['Ebs']['VolumeId'] for m in i['BlockDeviceMappings'] if (m['DeviceName'] == i['RootDeviceName']) is {is_root}][0])"
        ))
    };
    let (root, data) = (volume("True"), volume("False"));
    assert_eq!(facts(aws.look(&id, NOW)).broken_volume, None);
    for (volume, io_enabled, broken) in
        [(&data, true, BrokenVolume::Data), (&root, true, BrokenVolume::Root), (&data, false, BrokenVolume::IoDisabled)]
    {
        world.script(
            &json!({"kind": "volume_status", "volume": volume, "status": "impaired", "io_enabled": io_enabled}),
        );
        assert_eq!(facts(aws.look(&id, NOW)).broken_volume, Some(broken));
    }
}
