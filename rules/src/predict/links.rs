//! Makes links to the consoles in which a person looks next.

use forewarn_domain::signal::{SOURCES, Signal};
use std::collections::BTreeMap;

const WEEK_MS: i64 = 168 * 3_600_000;

/// Gives links by title: the instance, and the chart of the signal over the seven days that were read. Empty when region or
/// instance id are not what AWS would call one, so that nothing foreign gets into a link.
pub(super) fn links(region: &str, instance_id: &str, as_of: i64, signal: Option<Signal>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let Some(domain) = console(region) else { return out };
    if !is_instance_id(instance_id) {
        return out;
    }
    out.insert(
        "instance".to_owned(),
        format!("https://{domain}/ec2/home?region={region}#InstanceDetails:instanceId={instance_id}"),
    );
    // Agent and volume metrics have dimensions that aren't known here; those of AWS/EC2 have the instance alone.
    let source = SOURCES.iter().find(|s| Some(s.signal) == signal && s.namespace == "AWS/EC2");
    let (metric, stat) = source.map_or(("CPUUtilization", "Average"), |s| (s.metric, s.stat));
    let time = |ms: i64| forewarn_domain::time::rfc3339(ms).replace(':', "*3a");
    let metric = metric.replace('%', "*25");
    let (start, end) = (time(as_of.saturating_sub(WEEK_MS)), time(as_of));
    out.insert(
        "chart".to_owned(),
        format!(
            "https://{domain}/cloudwatch/home?region={region}#metricsV2:graph=~(view~'timeSeries~stacked~false\
             ~metrics~(~(~'AWS*2fEC2~'{metric}~'InstanceId~'{instance_id}))~region~'{region}~stat~'{stat}~period~300\
             ~start~'{start}~end~'{end})"
        ),
    );
    out
}

fn console(region: &str) -> Option<String> {
    let plain = region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !plain || region.split('-').count() < 3 || !region.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let domain = if region.starts_with("cn-") {
        "console.amazonaws.cn"
    } else if region.starts_with("us-gov-") {
        "console.amazonaws-us-gov.com"
    } else {
        "console.aws.amazon.com"
    };
    Some(format!("{region}.{domain}"))
}

fn is_instance_id(id: &str) -> bool {
    id.strip_prefix("i-").is_some_and(|h| (8..=17).contains(&h.len()) && h.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_name_the_metric_of_the_signal() {
        let l = links("eu-west-1", "i-0123456789abcdef0", 1_771_113_600_000, Some(Signal::Ebs));
        assert!(l["instance"].ends_with("region=eu-west-1#InstanceDetails:instanceId=i-0123456789abcdef0"));
        assert!(l["chart"].contains("~'AWS*2fEC2~'EBSIOBalance*25~'InstanceId~'i-0123456789abcdef0))"));
        assert!(l["chart"].contains("start~'2026-02-08T00*3a00*3a00Z~end~'2026-02-15T00*3a00*3a00Z"));
    }

    #[test]
    fn nothing_foreign_gets_into_a_link() {
        assert!(links("unknown", "i-0123456789abcdef0", 0, None).is_empty());
        assert!(links("eu-west-1/evil?", "i-0123456789abcdef0", 0, None).is_empty());
        assert!(links("eu-west-1", "server-1", 0, None).is_empty());
        assert!(
            links("cn-north-1", "i-01234567", 0, None)["instance"]
                .starts_with("https://cn-north-1.console.amazonaws.cn/")
        );
    }
}
