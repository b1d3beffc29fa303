//! Makes the calls: each needs a permission that forewarn needs, and changes nothing.

use super::Finding;
use super::judge::{self, Outcome};
use aws_config::SdkConfig;
use aws_sdk_cloudwatch::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Metric, MetricDataQuery, MetricStat, RecentlyActive};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_sdk_sts::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::BoxError;
use forewarn_runtime::aws::Aws;
use forewarn_runtime::settings::Live;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Pages that are read of any list.
const PAGES: usize = 200;

/// Examines everything that the settings name. `now_ms` is this machine's time.
pub fn examine(live: &Live, now_ms: &dyn Fn() -> i64) -> Vec<Finding> {
    let aws = match Aws::load() {
        Ok(aws) => aws,
        Err(e) => return vec![Finding::fault("AWS", e.to_string(), "give the process more threads and memory")],
    };
    // Each setting is examined here, or says here why it is not: what names no place in AWS, and what `respond` and its policies examine
    // when they begin.
    let Live {
        regions,
        stream,
        queue,
        eventbridge,
        budget,
        select: _,
        accounts: _,
        metric_stream: _,
        compact_files: _,
        retain_history: _,
        retain_predictions: _,
        retain_log: _,
        retain_dead_letters: _,
        retain_set_aside: _,
        disk_low: _,
        stale_after: _,
        plans: _,
        plans_external_id: _,
        shadow: _,
        recovery_log: _,
        policies: _,
        threads: _,
        metrics_listen: _,
    } = live;
    let regions: Vec<String> = match regions {
        Some(text) => text.split(',').map(|r| r.trim().to_owned()).filter(|r| !r.is_empty()).collect(),
        None => aws.region().map(|r| vec![r.to_owned()]).unwrap_or_default(),
    };
    let Some(home) = regions.first().cloned() else {
        let fix = "set AWS_REGION, the setting `regions`, or a region in the profile";
        return vec![Finding::fault("region", "none is set", fix)];
    };
    if let Err(e) = aws.check_credentials(aws.base()) {
        let fix = "set AWS_PROFILE, log in, or give the machine a role; then run doctor again";
        return vec![Finding::fault("credentials", e.to_string(), fix)];
    }
    let probe = Probe { aws: &aws };
    let mut findings = probe.identity(&aws.config(&home, None), now_ms);
    for region in &regions {
        findings.extend(probe.region(&aws.config(region, None), region, now_ms()));
    }
    if let Some(name) = stream.as_deref().and_then(|s| s.trim().strip_prefix("kinesis:")) {
        findings.extend(probe.stream(&aws.config(&home, None), name));
    }
    for url in queue.iter().flat_map(|urls| urls.split(',')).map(str::trim).filter(|u| !u.is_empty()) {
        let region = queue_region(url).unwrap_or(&home);
        findings.extend(probe.queue(&aws.config(region, None), url));
    }
    if let Some(bus) = eventbridge {
        let region = forewarn_deliver::eventbridge::sdk::region_of(bus).unwrap_or(&home);
        findings.push(probe.bus(&aws.config(region, None), bus));
    }
    findings.push(judge::budget(budget.as_deref()));
    findings
}

/// Gives the region in a queue's URL.
fn queue_region(url: &str) -> Option<&str> {
    url.split_once("://sqs.")?.1.split_once(".amazonaws.").map(|(region, _)| region)
}

/// Says what a failed call came to.
fn outcome<E: ProvideErrorMetadata + std::error::Error + 'static, R: std::fmt::Debug>(e: &SdkError<E, R>) -> Outcome {
    match e.as_service_error() {
        Some(s) => Outcome::of_error(s.code(), s.message().unwrap_or("no reason given")),
        None => Outcome::Failed(DisplayErrorContext(e).to_string()),
    }
}

struct Probe<'a> {
    aws: &'a Aws,
}

impl Probe<'_> {
    /// Asks who we are, and sees by the way what time it is at AWS.
    fn identity(&self, config: &SdkConfig, now_ms: &dyn Fn() -> i64) -> Vec<Finding> {
        let seen = DateSeen::default();
        let client = aws_sdk_sts::Client::from_conf(
            aws_sdk_sts::config::Builder::from(config).interceptor(seen.clone()).build(),
        );
        let mut findings = match self.aws.block_on(client.get_caller_identity().send()) {
            Ok(who) => {
                let (arn, account) = (who.arn().unwrap_or("unknown"), who.account().unwrap_or("unknown"));
                vec![Finding::good("credentials", format!("{arn} in account {account}"))]
            }
            Err(e) => vec![judge::permission("sts:GetCallerIdentity", "", &outcome(&e), "")],
        };
        findings.push(match seen.millis() {
            Some(aws_ms) => judge::skew(now_ms(), aws_ms),
            None => Finding::absent("clock skew", "no answer of AWS said its time"),
        });
        findings
    }

    fn region(&self, config: &SdkConfig, region: &str, now_ms: i64) -> Vec<Finding> {
        let ec2 = aws_sdk_ec2::Client::new(config);
        let cloudwatch = aws_sdk_cloudwatch::Client::new(config);
        let dry = self.aws.block_on(ec2.describe_instances().dry_run(true).send());
        let dry = dry.map_or_else(|e| outcome(&e), |_| Outcome::Allowed);
        let data = self.data(&cloudwatch, now_ms);
        let credits = self.aws.block_on(ec2.describe_instance_credit_specifications().dry_run(true).send());
        let credits = credits.map_or_else(|e| outcome(&e), |_| Outcome::Allowed);
        let mut findings = vec![
            judge::permission("ec2:DescribeInstances", region, &dry, ""),
            judge::permission("ec2:DescribeInstanceCreditSpecifications", region, &credits, ""),
            judge::permission("cloudwatch:GetMetricData", region, &data, ""),
        ];
        match self.reporting(&cloudwatch) {
            Err(refused) => findings.push(judge::permission("cloudwatch:ListMetrics", region, &refused, "")),
            Ok(reporting) => {
                findings.push(judge::permission("cloudwatch:ListMetrics", region, &Outcome::Allowed, ""));
                // A refusal was found above already.
                if let Ok(running) = self.running(&ec2) {
                    findings.push(judge::agent(region, &running, &reporting));
                }
            }
        }
        findings
    }

    /// Asks for one metric of the last five minutes, which costs a thousandth of a cent.
    fn data(&self, cloudwatch: &aws_sdk_cloudwatch::Client, now_ms: i64) -> Outcome {
        let metric = Metric::builder().namespace("AWS/EC2").metric_name("CPUUtilization").build();
        let stat = MetricStat::builder().metric(metric).period(300).stat("Average").build();
        let query = MetricDataQuery::builder().id("q").metric_stat(stat).build();
        let end = now_ms.div_euclid(300_000) * 300;
        let call = cloudwatch
            .get_metric_data()
            .start_time(DateTime::from_secs(end - 300))
            .end_time(DateTime::from_secs(end))
            .metric_data_queries(query);
        self.aws.block_on(call.send()).map_or_else(|e| outcome(&e), |_| Outcome::Allowed)
    }

    /// Lists the instances from which the agent has reported within three hours.
    fn reporting(&self, cloudwatch: &aws_sdk_cloudwatch::Client) -> Result<BTreeSet<String>, Outcome> {
        self.aws.block_on(async {
            let call = cloudwatch.list_metrics().namespace("CWAgent").recently_active(RecentlyActive::Pt3H);
            let mut pages = call.into_paginator().send();
            let mut found = BTreeSet::new();
            for _ in 0..PAGES {
                let Some(page) = pages.next().await else { break };
                let page = page.map_err(|e| outcome(&e))?;
                let dimensions = page.metrics().iter().flat_map(Metric::dimensions);
                let ids = dimensions.filter(|d| d.name() == Some("InstanceId")).filter_map(|d| d.value());
                found.extend(ids.map(str::to_owned));
            }
            Ok(found)
        })
    }

    fn running(&self, ec2: &aws_sdk_ec2::Client) -> Result<BTreeSet<String>, Outcome> {
        let state = aws_sdk_ec2::types::Filter::builder().name("instance-state-name").values("running").build();
        self.aws.block_on(async {
            let mut pages = ec2.describe_instances().filters(state).into_paginator().send();
            let mut found = BTreeSet::new();
            for _ in 0..PAGES {
                let Some(page) = pages.next().await else { break };
                let page = page.map_err(|e| outcome(&e))?;
                let instances = page.reservations().iter().flat_map(aws_sdk_ec2::types::Reservation::instances);
                found.extend(instances.filter_map(|i| i.instance_id()).map(str::to_owned));
            }
            Ok(found)
        })
    }

    fn stream(&self, config: &SdkConfig, name: &str) -> Vec<Finding> {
        let missing = format!("make the Kinesis stream {name}, or name another in the setting `stream`");
        let client = aws_sdk_kinesis::Client::new(config);
        let summary = match self.aws.block_on(client.describe_stream_summary().stream_name(name).send()) {
            Ok(reply) => reply.stream_description_summary().map_or_else(
                || Finding::fault(format!("stream {name}"), "AWS said nothing of it", &missing),
                |s| judge::stream(name, s.stream_status().as_str(), s.open_shard_count()),
            ),
            Err(e) => judge::permission("kinesis:DescribeStreamSummary", name, &outcome(&e), &missing),
        };
        let shards = self.aws.block_on(client.list_shards().stream_name(name).max_results(1).send());
        let shards = shards.map_or_else(|e| outcome(&e), |_| Outcome::Allowed);
        vec![summary, judge::permission("kinesis:ListShards", name, &shards, &missing)]
    }

    fn queue(&self, config: &SdkConfig, url: &str) -> Vec<Finding> {
        let missing = "make the queue with an EventBridge rule that feeds it, or mend the setting `queue`";
        let client = aws_sdk_sqs::Client::new(config);
        let call = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let reply = match self.aws.block_on(call.send()) {
            Ok(reply) => reply,
            Err(e) => return vec![judge::permission("sqs:GetQueueAttributes", url, &outcome(&e), missing)],
        };
        let attributes: BTreeMap<String, String> =
            reply.attributes().into_iter().flatten().map(|(k, v)| (k.as_str().to_owned(), v.clone())).collect();
        let empty = attributes.get("ApproximateNumberOfMessages").is_some_and(|n| n == "0");
        let mut findings = vec![judge::queue(url, &attributes)];
        // Receiving counts against a message, so it is tried on an empty queue only.
        if empty {
            let call = client.receive_message().queue_url(url).visibility_timeout(0).wait_time_seconds(0);
            let received = self.aws.block_on(call.send()).map_or_else(|e| outcome(&e), |_| Outcome::Allowed);
            findings.push(judge::permission("sqs:ReceiveMessage", url, &received, missing));
        }
        findings
    }

    fn bus(&self, config: &SdkConfig, bus: &str) -> Finding {
        let client = aws_sdk_eventbridge::Client::new(config);
        let found = self.aws.block_on(client.describe_event_bus().name(bus).send());
        let found = found.map_or_else(|e| outcome(&e), |_| Outcome::Allowed);
        let missing = "make the event bus, or name another in the setting `eventbridge`: events for a bus that is not there are lost";
        judge::permission("events:DescribeEventBus", bus, &found, missing)
    }
}

/// Remembers the time that AWS's answer carries.
#[derive(Debug, Clone, Default)]
struct DateSeen(Arc<Mutex<Option<String>>>);

impl DateSeen {
    fn millis(&self) -> Option<i64> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jiff::fmt::rfc2822::parse(seen.as_deref()?).ok().map(|t| t.timestamp().as_millisecond())
    }
}

impl Intercept for DateSeen {
    fn name(&self) -> &'static str {
        "DateSeen"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}
