//! The Elastic IP.

use super::{done, fails, launch, prepared, request, waits};
use forewarn_domain::action::RecoveryAction::Replace;
use forewarn_domain::step::StepKind::MoveAddress;
use forewarn_recover::aws::AwsHands;
use forewarn_recover::hands::{Hands, StepRequest};
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
    let (hands, old, new) =
        (AwsHands::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""), launch(&world, ""));
    let (_, ip) = allocate(&world, &old);
    let moving = prepared(&hands, moving(&old, &new));
    assert_eq!(hands.find(&moving), Ok(None));
    let before = world.count("AssociateAddress");
    waits(&hands.perform(&moving));
    assert_eq!(hands.find(&moving), Ok(Some(ip.clone())));
    assert_eq!(done(hands.perform(&moving)), ip);
    assert_eq!(world.count("AssociateAddress"), before + 1);
}

#[test]
fn an_address_of_somebody_else_stays_where_it_is() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (hands, old, new, other) = (
        AwsHands::new(&world.aws(), REGION, None).unwrap(),
        launch(&world, ""),
        launch(&world, ""),
        launch(&world, ""),
    );
    let (allocation, _) = allocate(&world, &old);
    let settled = prepared(&hands, moving(&old, &new));
    take(&world, &allocation, &other);
    let before = world.count("AssociateAddress");
    fails(hands.perform(&settled), &format!("is {other}'s, which nobody expects"));
    assert_eq!(world.count("AssociateAddress"), before);
    let mut named = moving(&old, &new);
    assert!(hands.prepare(&named).unwrap_err().contains("has no Elastic IP"));
    named.policy.targets.replacement.allocation_id = Some(allocation.clone());
    assert!(hands.prepare(&named).unwrap_err().contains("which nobody expects"));
    // Nobody's is as good as the old one's.
    world.python(&format!(
        "c = aws('ec2'); c.disassociate_address(AssociationId=c.describe_addresses(AllocationIds=['{allocation}'])['Addresses'][0]\
         ['AssociationId'])"
    ));
    waits(&hands.perform(&settled));
    done(hands.perform(&settled));
}
