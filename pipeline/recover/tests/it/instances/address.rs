//! The Elastic IP.

use super::{done, fails, launch, prepared, request, waits};
use forewarn_domain::action::RecoveryAction::Replace;
use forewarn_domain::step::StepKind::MoveAddress;
use forewarn_recover::aws::AwsRecovery;
use forewarn_recover::ports::{StepDriver, StepRequest};
use forewarn_testkit::moto::REGION;
use forewarn_testkit::world::World;

/// Gives an instance an address of its own: the allocation and the address.
fn allocate(world: &World, owner: &str) -> (String, String) {
    let made = world.python(&format!(
        "c = aws('ec2'); a = c.allocate_address(Domain='vpc')\n\
         c.associate_address(AllocationId=a['AllocationId'], InstanceId='{owner}'); print(a['AllocationId'], a['PublicIp'])"
    ));
    let (allocation, ip) = made.split_once(' ').unwrap();
    (allocation.to_owned(), ip.to_owned())
}

fn take(world: &World, allocation: &str, owner: &str) {
    world.python(&format!(
        "aws('ec2').associate_address(AllocationId='{allocation}', InstanceId='{owner}', AllowReassociation=True)"
    ));
}

fn moving(from: &str, to: &str) -> StepRequest {
    let mut request = request(MoveAddress, Replace, from);
    request.successor = Some(to.to_owned());
    request
}

#[test]
fn the_address_moves_once_from_whom_we_expect() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, old, new) =
        (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""), launch(&world, ""));
    let (_, ip) = allocate(&world, &old);
    let moving = prepared(&aws, moving(&old, &new));
    assert_eq!(aws.find(&moving), Ok(None));
    let before = world.count("AssociateAddress");
    waits(&aws.perform(&moving));
    assert_eq!(aws.find(&moving), Ok(Some(ip.clone())));
    assert_eq!(done(aws.perform(&moving)), ip);
    assert_eq!(world.count("AssociateAddress"), before + 1);
}

#[test]
fn an_address_of_somebody_else_stays_where_it_is() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, old, new, other) = (
        AwsRecovery::new(&world.aws(), REGION, None).unwrap(),
        launch(&world, ""),
        launch(&world, ""),
        launch(&world, ""),
    );
    let (allocation, _) = allocate(&world, &old);
    let settled = prepared(&aws, moving(&old, &new));
    take(&world, &allocation, &other);
    let before = world.count("AssociateAddress");
    fails(aws.perform(&settled), &format!("is {other}'s, which nobody expects"));
    assert_eq!(world.count("AssociateAddress"), before);
    let mut named = moving(&old, &new);
    assert!(aws.prepare(&named).unwrap_err().contains("has no Elastic IP"));
    named.policy.targets.replacement.allocation_id = Some(allocation.clone());
    assert!(aws.prepare(&named).unwrap_err().contains("which nobody expects"));
    // Nobody's is as good as the old one's.
    world.python(&format!(
        "c = aws('ec2'); c.disassociate_address(AssociationId=c.describe_addresses(AllocationIds=['{allocation}'])['Addresses'][0]\
         ['AssociationId'])"
    ));
    waits(&aws.perform(&settled));
    done(aws.perform(&settled));
}
