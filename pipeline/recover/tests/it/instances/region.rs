//! DNS.

use super::launch_elsewhere::elsewhere;
use super::{done, launch, prepared, request};
use forewarn_domain::action::RecoveryAction::FailOverRegion;
use forewarn_domain::step::StepKind::{Launch, PointDns};
use forewarn_recover::aws::AwsRecovery;
use forewarn_recover::ports::{StepDriver, StepOutcome};
use forewarn_testkit::moto::REGION;
use forewarn_testkit::world::World;

#[test]
fn the_name_says_the_successors_address_and_how_it_was_is_kept() {
    let Some(world) = World::start(&["ec2", "route53"], &[]) else { return };
    let (aws, old) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    let zone = world.python(
        "c = aws('route53'); z = c.create_hosted_zone(Name='example.com', CallerReference='1')['HostedZone']['Id'].split('/')[-1]\n\
         c.change_resource_record_sets(HostedZoneId=z, ChangeBatch={'Changes': [{'Action': 'CREATE', 'ResourceRecordSet': \
         {'Name': 'app.example.com', 'Type': 'A', 'TTL': 300, 'ResourceRecords': [{'Value': '192.0.2.1'}]}}]}); print(z)",
    );
    let mut start = request(Launch, FailOverRegion, &old);
    elsewhere(&world, &mut start.policy);
    start.policy.targets.other_region.as_mut().unwrap().hosted_zone_id.clone_from(&zone);
    let successor = done(aws.perform(&prepared(&aws, start.clone())));
    let mut dns = request(PointDns, FailOverRegion, &old);
    (dns.policy, dns.successor) = (start.policy, Some(successor));
    let dns = prepared(&aws, dns);
    assert!(dns.before.contains("192.0.2.1") && dns.before.contains("300"), "{}", dns.before);
    let mut reply = aws.perform(&dns);
    // Moto may leave a change pending for one look.
    if matches!(reply, StepOutcome::Waiting(_)) {
        reply = aws.perform(&dns);
    }
    let ip = done(reply);
    let says = world.python(&format!(
        "r = aws('route53').list_resource_record_sets(HostedZoneId='{zone}')['ResourceRecordSets']\n\
         print([(x['TTL'], x['ResourceRecords'][0]['Value']) for x in r if x['Type'] == 'A'])"
    ));
    assert_eq!(says, format!("[(60, '{ip}')]"));
    // Once more, as after a crash, says the same.
    let again = aws.perform(&dns);
    assert!(matches!(&again, StepOutcome::Waiting(_)) || again == StepOutcome::Done(ip), "{again:?}");
}
