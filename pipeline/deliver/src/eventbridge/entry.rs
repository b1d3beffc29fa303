//! Shapes an announcement as an entry of `PutEvents`, within AWS's sizes.

use crate::announcement::Announcement;
use crate::fault::Fault;
use crate::trim::trim;
use serde_json::Value;

/// What an entry may weigh, in bytes. AWS takes 256 KB; what it delivers has an envelope of its own around the detail, and must
/// fit into a queue's 256 KB with it.
pub const ENTRY_BYTES: usize = 240 * 1024;
/// What a call may weigh, in bytes: less than 256 KB.
pub const CALL_BYTES: usize = 256 * 1024 - 1;
/// How many entries a call may have.
pub const CALL_ENTRIES: usize = 10;
/// What a time weighs.
const TIME_BYTES: usize = 14;

/// An entry as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The id of the event in the log, which is in the detail too.
    pub id: String,
    /// What it is about: entries with the same key are never in flight together, so that their order holds.
    pub key: String,
    /// Who says it.
    pub source: String,
    /// What happened.
    pub detail_type: String,
    /// When (RFC 3339, UTC).
    pub time: String,
    /// The detail as JSON text.
    pub detail: String,
    /// The instances, as ARNs where account and region are known.
    pub resources: Vec<String>,
    /// True when the detail was trimmed to fit.
    pub trimmed: bool,
}

impl Entry {
    /// Makes the entry of an announcement, trimming its detail where it must.
    pub fn of(announcement: &Announcement) -> Self {
        let size = |detail: &Value| weight(announcement, &detail.to_string(), &resources(announcement, detail));
        let detail = trim(announcement.detail.clone(), ENTRY_BYTES, &size);
        Self {
            id: announcement.id.clone(),
            key: announcement.about().to_owned(),
            source: announcement.source.clone(),
            detail_type: announcement.detail_type.clone(),
            time: announcement.time.clone(),
            resources: resources(announcement, &detail),
            trimmed: detail != announcement.detail,
            detail: detail.to_string(),
        }
    }

    /// Says why no bus would take it, where that is known without asking.
    pub fn fault(&self) -> Option<Fault> {
        let too_large = self.bytes() > ENTRY_BYTES;
        too_large.then(|| {
            Fault::of_entry("TooLarge", &format!("{} bytes, also trimmed; {ENTRY_BYTES} are allowed", self.bytes()))
        })
    }

    /// Weighs it as AWS does: 14 bytes for the time, and the UTF-8 of everything else.
    pub fn bytes(&self) -> usize {
        let resources: usize = self.resources.iter().map(String::len).sum();
        TIME_BYTES + self.source.len() + self.detail_type.len() + self.detail.len() + resources
    }
}

fn weight(announcement: &Announcement, detail: &str, resources: &[String]) -> usize {
    let resources: usize = resources.iter().map(String::len).sum();
    TIME_BYTES + announcement.source.len() + announcement.detail_type.len() + detail.len() + resources
}

/// Names the instances that the detail still speaks of.
fn resources(announcement: &Announcement, detail: &Value) -> Vec<String> {
    let id = |v: &Value| v.get("instance_id").and_then(Value::as_str).map(str::to_owned);
    let members = detail.get("members").and_then(Value::as_array).into_iter().flatten().filter_map(id);
    id(detail).into_iter().chain(members).map(|i| arn(&announcement.account, &announcement.region, i)).collect()
}

/// Makes an instance's ARN; where account or region are unknown the id stays.
fn arn(account: &str, region: &str, instance: String) -> String {
    let known = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    if !known || region == "unknown" || !instance.starts_with("i-") {
        return instance;
    }
    let partition = match region {
        r if r.starts_with("cn-") => "aws-cn",
        r if r.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:ec2:{region}:{account}:instance/{instance}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_an_arn_where_its_place_is_known() {
        let of = |account: &str, region: &str, id: &str| arn(account, region, id.to_owned());
        assert_eq!(of("123456789012", "eu-central-1", "i-1"), "arn:aws:ec2:eu-central-1:123456789012:instance/i-1");
        assert_eq!(of("123456789012", "cn-north-1", "i-1"), "arn:aws-cn:ec2:cn-north-1:123456789012:instance/i-1");
        assert_eq!(of("unknown", "eu-central-1", "i-1"), "i-1");
        assert_eq!(of("123456789012", "unknown", "i-1"), "i-1");
        assert_eq!(of("123456789012", "eu-central-1", "host-1"), "host-1");
    }
}
