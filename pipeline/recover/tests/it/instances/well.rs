//! Health.

use super::{MINUTE, done, fails, launch, prepared, request, waits};
use forewarn_domain::action::RecoveryAction::{Replace, SafeRestart};
use forewarn_domain::step::StepKind::AwaitHealthy;
use forewarn_recover::aws::AwsRecovery;
use forewarn_recover::ports::{FactReader, StepDriver};
use forewarn_recovery::facts::Read;
use forewarn_recovery::policy::Policy;
use forewarn_testkit::moto::REGION;
use forewarn_testkit::world::World;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An application that answers with one status after the other, the last for ever; where it is asked, and how often it was.
fn application(statuses: &'static [u16]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.2:0").unwrap();
    let url = format!("http://{}/health", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let n = count.fetch_add(1, Ordering::SeqCst);
            let status = statuses[n.min(statuses.len() - 1)];
            let mut lines = BufReader::new(&stream).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|l| !l.is_empty())) {}
            drop(write!(&stream, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        }
    });
    (url, asked)
}

#[test]
fn initializing_waits_until_every_check_is_ok() {
    let Some(world) = World::start(&["ec2"], &["--lag-ms", "60000:60000", "--hide-ms", "60000:60000"]) else { return };
    let aws = AwsRecovery::new(&world.aws(), REGION, None).unwrap();
    world.script(&json!({"kind": "new_status", "ok_after_ms": 5 * MINUTE}));
    let id = launch(&world, "");
    let mut wait = request(AwaitHealthy, Replace, "i-0123456789abcdef0");
    wait.successor = Some(id.clone());
    let wait = prepared(&aws, wait);
    // It can't be seen yet, then it is pending, then its checks begin.
    for _ in 0..3 {
        waits(&aws.perform(&wait));
        assert_eq!(aws.is_well(&id, &wait.policy), Read::Known(false));
        world.advance(MINUTE);
    }
    world.advance(5 * MINUTE);
    assert!(done(aws.perform(&wait)).contains(&id));
    assert_eq!(aws.is_well(&id, &wait.policy), Read::Known(true));
    world.script(&json!({"kind": "status", "instance": id, "checks": {"attached_ebs": "impaired"}}));
    waits(&aws.perform(&wait));
    assert_eq!(aws.is_well(&id, &wait.policy), Read::Known(false));
    world.python(&format!("aws('ec2').terminate_instances(InstanceIds=['{id}'])"));
    fails(aws.perform(&wait), "has ended");
}

#[test]
fn an_application_answers_three_times_in_a_row() {
    let Some(world) = World::start(&["ec2"], &[]) else { return };
    let (aws, id) = (AwsRecovery::new(&world.aws(), REGION, None).unwrap(), launch(&world, ""));
    let (url, asked) = application(&[200, 200, 503, 200]);
    let mut wait = request(AwaitHealthy, SafeRestart, &id);
    wait.policy.health_endpoint = Some(url);
    waits(&aws.perform(&wait));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert!(done(aws.perform(&wait)).contains("\"passes\":3"));
    assert_eq!(asked.load(Ordering::SeqCst), 6);
    assert_eq!(aws.is_well(&id, &wait.policy), Read::Known(true));
    wait.policy.health_endpoint = Some("https://{host}/".to_owned());
    fails(aws.perform(&wait), "only http://");
    let silent = Policy { health_endpoint: Some("http://127.0.0.2:9/".to_owned()), ..Policy::default() };
    assert_eq!(aws.is_well(&id, &silent), Read::Known(false));
}
