//! Makes findings of what calls came to; pure.

use super::Finding;
use forewarn_ingest::source::breaker::Position;
use forewarn_ingest::source::state::FailingPlace;
use std::collections::{BTreeMap, BTreeSet};

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Allowed,
    /// It is not allowed.
    Denied(String),
    /// The credentials are not good.
    Credentials(String),
    /// What it was about does not exist.
    Missing(String),
    /// It was throttled, which only somebody allowed is.
    Throttled,
    /// Nothing answered, or something else than AWS.
    Failed(String),
}

impl Outcome {
    /// Reads AWS's error code.
    pub fn of_error(code: Option<&str>, message: &str) -> Self {
        let Some(code) = code.filter(|c| !c.is_empty()) else { return Self::Failed(message.to_owned()) };
        let said = format!("{code}: {message}");
        let any = |parts: &[&str]| parts.iter().any(|p| code.contains(p));
        if code == "DryRunOperation" {
            Self::Allowed
        } else if any(&["Throttl", "RequestLimitExceeded", "TooManyRequests"]) {
            Self::Throttled
        } else if any(&[
            "ExpiredToken",
            "InvalidClientTokenId",
            "UnrecognizedClient",
            "SignatureDoesNotMatch",
            "AuthFailure",
        ]) {
            Self::Credentials(said)
        } else if any(&["AccessDenied", "UnauthorizedOperation", "NotAuthorized"]) {
            Self::Denied(said)
        } else if any(&["NotFound", "NonExistent", "DoesNotExist"]) {
            Self::Missing(said)
        } else {
            Self::Failed(said)
        }
    }
}

/// Judges a call that needs a permission; `missing` is the fix where what it is about does not exist.
pub fn permission(action: &str, place: &str, outcome: &Outcome, missing: &str) -> Finding {
    let check = format!("{action} {place}");
    match outcome {
        Outcome::Allowed => Finding::good(check, "allowed"),
        Outcome::Throttled => Finding::good(check, "allowed (throttled just now)"),
        Outcome::Denied(said) => Finding::fault(
            check,
            said,
            format!("allow {action} in the policy of the role or user that forewarn runs as"),
        ),
        Outcome::Credentials(said) => Finding::fault(
            check,
            said,
            "renew the credentials: log in again, or check AWS_PROFILE and the machine's role",
        ),
        Outcome::Missing(said) => Finding::fault(check, said, missing),
        Outcome::Failed(said) => Finding::fault(
            check,
            said,
            "check the network, the region and AWS_ENDPOINT_URL; a VPC without internet needs an endpoint for this service",
        ),
    }
}

/// Judges this machine's clock against AWS's.
pub fn skew(local_ms: i64, aws_ms: i64) -> Finding {
    let seconds = (local_ms - aws_ms) / 1000;
    let text = format!("{} s {} AWS's clock", seconds.abs(), if seconds < 0 { "behind" } else { "ahead of" });
    let fix = "let NTP set the clock (chrony with 169.254.169.123 on EC2)";
    match seconds.abs() {
        0..=30 => Finding::good("clock skew", text),
        31..=300 => Finding::warning("clock skew", text, fix),
        _ => Finding::fault("clock skew", format!("{text}; AWS refuses signatures"), fix),
    }
}

/// Judges which instances the CloudWatch agent reports from.
pub fn agent(place: &str, instances: &BTreeSet<String>, reporting: &BTreeSet<String>) -> Finding {
    let check = format!("agent metrics {place}");
    if instances.is_empty() {
        return Finding::absent(check, "no running instances");
    }
    let without: Vec<&str> = instances.difference(reporting).map(String::as_str).collect();
    if without.is_empty() {
        return Finding::good(check, format!("all {} running instances report", instances.len()));
    }
    let named = without.iter().take(50).copied().collect::<Vec<_>>().join(", ");
    let more = if without.len() > 50 { format!(" and {} more", without.len() - 50) } else { String::new() };
    Finding::warning(
        check,
        format!("{} of {} report no memory or disk: {named}{more}", without.len(), instances.len()),
        "install the CloudWatch agent there, with append_dimensions InstanceId in its configuration and \
         cloudwatch:PutMetricData in the instance's role; until then memory and disk failures are not foreseen",
    )
}

/// Judges a stream by its status.
pub fn stream(name: &str, status: &str, open_shards: i32) -> Finding {
    let check = format!("stream {name}");
    match status {
        "ACTIVE" | "UPDATING" => Finding::good(check, format!("{status}, {open_shards} open shards")),
        "CREATING" => Finding::warning(check, status, "wait until it is ACTIVE"),
        _ => Finding::fault(check, status, "make a stream, and name it in the setting `stream`"),
    }
}

/// Judges a queue by its attributes.
pub fn queue(url: &str, attributes: &BTreeMap<String, String>) -> Finding {
    let check = format!("queue {url}");
    let of = |name: &str| attributes.get(name).map_or("?", String::as_str);
    let text = format!(
        "{} messages wait, {} are being read",
        of("ApproximateNumberOfMessages"),
        of("ApproximateNumberOfMessagesNotVisible")
    );
    if attributes.contains_key("RedrivePolicy") {
        return Finding::good(check, text);
    }
    Finding::warning(
        check,
        format!("{text}; no dead-letter queue"),
        "set a RedrivePolicy with a dead-letter queue, so that a message nobody can read does not come back for days",
    )
}

/// Judges a place that could not be pulled.
pub fn failing_place(place: &FailingPlace, now_ms: i64) -> Finding {
    use forewarn_runtime::time::format_ms;
    let FailingPlace { label, region, breaker } = place;
    let next = match breaker.position(now_ms) {
        Position::Open { until } => format!("asked again after {}", format_ms(until)),
        Position::Closed | Position::HalfOpen => "asked again by the next round".to_owned(),
    };
    Finding::fault(
        format!("pulling {label} {region}"),
        format!("failed {} times since {}; {next}", breaker.failures, format_ms(breaker.since)),
        "the log of ingest or run says why (`not pulled`); a role must exist, trust this account, and allow reading CloudWatch and EC2",
    )
}

/// Judges the budget as it is set.
pub fn budget(setting: Option<&str>) -> Finding {
    match setting.map(|text| (text, text.replace('_', "").parse::<u64>())) {
        None => {
            Finding::warning("budget", "none set", "set `budget`: metrics that may be asked of CloudWatch in a month")
        }
        Some((_, Ok(n))) => Finding::good("budget", format!("{n} metrics a month for each account and region")),
        Some((text, Err(_))) => {
            Finding::fault("budget", format!("{text:?} is no number"), "give a whole number of metrics")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn every_refusal_has_its_own_fix() {
        let fix = |code: Option<&str>| {
            let found = permission("sqs:ReceiveMessage", "q", &Outcome::of_error(code, "no"), "make the queue");
            (found.verdict, found.fix.unwrap_or_default())
        };
        assert_eq!(fix(Some("DryRunOperation")).0, Verdict::Good);
        assert_eq!(fix(Some("ThrottlingException")).0, Verdict::Good);
        for (code, part) in [
            (Some("AccessDeniedException"), "allow sqs:ReceiveMessage"),
            (Some("UnauthorizedOperation"), "allow sqs:ReceiveMessage"),
            (Some("ExpiredTokenException"), "renew the credentials"),
            (Some("AWS.SimpleQueueService.NonExistentQueue"), "make the queue"),
            (Some("ResourceNotFoundException"), "make the queue"),
            (None, "check the network"),
        ] {
            let (verdict, fix) = fix(code);
            assert!(verdict == Verdict::Fault && fix.contains(part), "{code:?}: {fix}");
        }
    }

    #[test]
    fn a_clock_may_be_off_by_little() {
        let verdict = |seconds: i64| skew(1_000_000 + seconds * 1000, 1_000_000).verdict;
        assert_eq!([verdict(-30), verdict(31), verdict(-300)], [Verdict::Good, Verdict::Warning, Verdict::Warning]);
        assert_eq!([verdict(301), verdict(-4000)], [Verdict::Fault, Verdict::Fault]);
        assert!(skew(0, 400_000).text.starts_with("400 s behind"));
    }

    #[test]
    fn instances_without_an_agent_are_named_with_the_fix() {
        assert_eq!(agent("r", &set(&[]), &set(&[])).verdict, Verdict::Absent);
        assert_eq!(agent("r", &set(&["i-1"]), &set(&["i-1", "i-9"])).verdict, Verdict::Good);
        let found = agent("r", &set(&["i-1", "i-2", "i-3"]), &set(&["i-2"]));
        assert_eq!(found.text, "2 of 3 report no memory or disk: i-1, i-3");
        assert!(found.fix.unwrap().contains("append_dimensions"));
    }

    #[test]
    fn streams_queues_and_budgets_are_judged() {
        assert_eq!(stream("s", "ACTIVE", 2).verdict, Verdict::Good);
        assert_eq!(stream("s", "DELETING", 0).verdict, Verdict::Fault);
        let mut attributes = BTreeMap::from([("ApproximateNumberOfMessages".to_owned(), "3".to_owned())]);
        assert_eq!(queue("u", &attributes).verdict, Verdict::Warning);
        attributes.insert("RedrivePolicy".to_owned(), "{}".to_owned());
        assert!(queue("u", &attributes).text.starts_with("3 messages wait"));
        assert_eq!(budget(None).verdict, Verdict::Warning);
        assert_eq!(budget(Some("1_000")).verdict, Verdict::Good);
        assert_eq!(budget(Some("much")).verdict, Verdict::Fault);
    }
}
