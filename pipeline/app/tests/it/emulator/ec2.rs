//! EC2 and STS on the same address, and the commands as a person gives them.

use super::*;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::operation::describe_instances::DescribeInstancesOutput;
use aws_sdk_ec2::types::{Filter, Instance};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn all(s: &Served, filters: &[(&str, &str)]) -> Vec<Instance> {
    let client = aws_sdk_ec2::Client::new(&s.config(1));
    let filters = filters.iter().map(|(name, value)| Filter::builder().name(*name).values(*value).build()).collect();
    let request = client.describe_instances().set_filters(Some(filters)).max_results(7);
    let pages = s.block_on(request.into_paginator().send().collect::<Result<Vec<_>, _>>()).unwrap();
    assert!(pages.iter().all(|p| p.reservations().len() <= 7));
    let reservations = pages.iter().flat_map(DescribeInstancesOutput::reservations);
    reservations.flat_map(|r| r.instances().iter().cloned()).collect()
}

#[test]
fn instances_are_described_page_by_page_and_are_those_that_are_measured() {
    let s = Served::start(&options(), START + 2 * DAY);
    let here = all(&s, &[]);
    let measured = list_all(&s, false);
    let volumes: Vec<&str> = measured.iter().filter_map(|m| dimension(m, "VolumeId")).collect();
    for instance in &here {
        let id = instance.instance_id().unwrap();
        let volume = instance.block_device_mappings()[0].ebs().unwrap().volume_id().unwrap();
        assert!(volumes.contains(&volume));
        let image =
            measured.iter().find_map(|m| (dimension(m, "InstanceId") == Some(id)).then(|| dimension(m, "ImageId"))?);
        assert_eq!(image, instance.image_id());
        assert!(instance.launch_time().is_some() && instance.placement().is_some());
    }
    let running = all(&s, &[("instance-state-name", "running")]);
    assert!(running.len() < 40 && running.len() > 20, "a third has ended: {}", running.len());
    let tagged = all(&s, &[("tag:AutoRecovery", "enabled")]).len();
    assert!(tagged > 15 && tagged < here.len());
    let group = all(&s, &[("tag:aws:autoscaling:groupName", "asg-1")]);
    assert!(!group.is_empty() && group.len() <= 16);
    assert!(all(&s, &[("tag:aws:autoscaling:groupName", "asg-*")]).len() > group.len());
}

#[test]
fn a_terminated_instance_is_shown_for_an_hour() {
    let s = Served::start(&options(), START);
    let mut seen = BTreeMap::new();
    for step in 0..24 * 6 {
        for instance in all(&s, &[("instance-state-name", "terminated")]) {
            assert!(instance.block_device_mappings().is_empty() && instance.state_reason().is_some());
            seen.entry(instance.instance_id().unwrap().to_owned()).or_insert_with(Vec::new).push(step);
        }
        s.clock.advance(20 * MINUTE);
    }
    assert!(seen.len() > 4, "{}", seen.len());
    assert!(seen.values().all(|steps| steps.len() <= 3), "{seen:?}");
}

#[test]
fn credits_are_told_of_those_that_are_unlimited_or_of_whom_somebody_asks_for() {
    let s = Served::start(&Options { instances: 150, ..options() }, START + 2 * DAY);
    let client = aws_sdk_ec2::Client::new(&s.config(1));
    let burstable = |i: &Instance| i.instance_type().is_some_and(|t| t.as_str().starts_with('t'));
    let (mut ids, mut others) = (Vec::new(), 0);
    for instance in all(&s, &[("instance-state-name", "running")]) {
        if burstable(&instance) {
            ids.push(instance.instance_id().unwrap().to_owned());
        } else {
            others += 1;
        }
    }
    let pages = client.describe_instance_credit_specifications().max_results(7).into_paginator().items().send();
    let unlimited = s.block_on(pages.collect::<Result<Vec<_>, _>>()).unwrap();
    assert!(unlimited.iter().all(|c| c.cpu_credits() == Some("unlimited")));
    let asked = client.describe_instance_credit_specifications().set_instance_ids(Some(ids.clone())).send();
    let told = s.block_on(asked).unwrap().instance_credit_specifications.unwrap();
    assert_eq!(told.len(), ids.len());
    let of = |credits: &str| told.iter().filter(|c| c.cpu_credits() == Some(credits)).count();
    assert!(of("unlimited") > 0 && of("standard") > 0 && others > 0, "{told:?}");
    assert!(unlimited.len() >= of("unlimited"));
}

#[test]
fn status_identity_and_refusals_speak_the_query_protocol() {
    let s = Served::start(&options(), START + DAY);
    let client = aws_sdk_ec2::Client::new(&s.config(1));
    let status = s.block_on(client.describe_instance_status().send()).unwrap();
    assert!(
        status.instance_statuses().iter().all(|x| x.system_status().is_some())
            && !status.instance_statuses().is_empty()
    );
    let gone = client.describe_instances().instance_ids("i-0ffffffffffffffff");
    let code = |e: Option<&str>| e.unwrap_or_default().to_owned();
    assert_eq!(code(s.block_on(gone.send()).unwrap_err().code()), "InvalidInstanceID.NotFound");
    let unknown = s.block_on(client.describe_volumes().send()).unwrap_err();
    assert_eq!(code(unknown.code()), "InvalidAction");
    let few = s.block_on(client.describe_instances().max_results(2).send()).unwrap_err();
    assert_eq!(code(few.code()), "InvalidParameterValue");
    let faults = Faults { throttle: 1.0, ..Faults::default() };
    let s = Served::start(&Options { faults, ..options() }, START + DAY);
    let client = aws_sdk_ec2::Client::new(&s.config(1));
    assert_eq!(code(s.block_on(client.describe_instances().send()).unwrap_err().code()), "RequestLimitExceeded");
}

#[test]
fn the_command_serves_a_simulated_fleet_and_writes_what_exists() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_forewarn"))
        .args(["simulate", "--instances", "3", "--days", "2", "--serve", "127.0.0.1:0"])
        .args(["--truth", "truth.parquet", "--truth-incidents", "incidents.parquet", "--start", "2026-01-01T00:00:00Z"])
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().ends_with("points in truth.parquet"));
    assert!(lines.next().unwrap().ends_with("incidents in incidents.parquet"));
    let line = lines.next().unwrap();
    let address = line.strip_prefix("serving CloudWatch and EC2 on http://").unwrap();
    let mut stats = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut stats, b"GET /_emulator/stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    let reply = std::io::read_to_string(&mut stats).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200") && reply.contains("\"throttles\":0"), "{reply}");
    // Its clock can be set: what it tells of the time goes on from there.
    let told = |request: &str| {
        let mut there = std::net::TcpStream::connect(address).unwrap();
        std::io::Write::write_all(&mut there, request.as_bytes()).unwrap();
        std::io::read_to_string(&mut there).unwrap()
    };
    let set = |body: &str| {
        let length = body.len();
        told(&format!(
            "PUT /_emulator/clock HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    };
    assert!(set("1767312000000").starts_with("HTTP/1.1 204") && set("soon").starts_with("HTTP/1.1 400"));
    let reply = told("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    assert!(reply.to_lowercase().contains("date: fri, 02 jan 2026 00:00:0"), "{reply}");
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success() && child.wait().unwrap().success());
    assert!(dir.path().join("incidents.parquet").exists());
    let points = |name: &str| {
        let file = std::fs::File::open(dir.path().join(name)).unwrap();
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().metadata().file_metadata().num_rows()
    };
    assert!(points("truth.parquet") > 3 * 7 * 500);
}
