//! What tags say of an instance.

use super::super::tags::{SUCCESSOR, UNTIL};
use std::collections::BTreeMap;

/// Says whether people have enrolled an instance for recovery.
pub(super) fn is_enrolled(tags: &BTreeMap<String, String>) -> bool {
    is(tags, "AutoRecovery", &["enabled", "true"])
}

/// Says whether people let an instance be replaced, and nothing else.
pub(super) fn is_self_healing(tags: &BTreeMap<String, String>) -> bool {
    is(tags, "SelfHeal", &["true"])
}

fn is(tags: &BTreeMap<String, String>, key: &str, values: &[&str]) -> bool {
    tags.get(key).is_some_and(|v| values.iter().any(|wanted| v.trim().eq_ignore_ascii_case(wanted)))
}

/// Gives the controller that owns an instance by its tags.
pub(super) fn controller(tags: &BTreeMap<String, String>) -> Option<String> {
    let owner = |key: &str| {
        Some(match key {
            "AmazonECSManaged" => "ECS",
            "AWSBatchServiceTag" => "Batch",
            _ if key.starts_with("karpenter.sh/") => "Karpenter",
            _ if ["kubernetes.io/cluster/", "eks:", "aws:eks:"].iter().any(|p| key.starts_with(p)) => "EKS",
            _ if key.starts_with("aws:ecs:") => "ECS",
            _ if key.starts_with("aws:elasticmapreduce:") => "EMR",
            _ if key.starts_with("aws:batch:") => "Batch",
            _ if key.starts_with("elasticbeanstalk:") => "Elastic Beanstalk",
            _ => return None,
        })
    };
    let mut owners: Vec<&str> = tags.keys().filter_map(|key| owner(key)).collect();
    // What Karpenter makes for EKS carries the tags of both, and is Karpenter's.
    owners.sort_by_key(|name| *name != "Karpenter");
    owners.first().map(ToString::to_string)
}

/// Gives until when an instance that was replaced is kept, as it was written, and its successor.
pub(super) fn kept(tags: &BTreeMap<String, String>) -> Option<(&str, &str)> {
    Some((tags.get(UNTIL)?, tags.get(SUCCESSOR)?))
}

/// Gives what people say of whether an instance has data that its successor needs.
pub(super) fn stateful(tags: &BTreeMap<String, String>) -> Option<bool> {
    match tags.get("forewarn:stateful")?.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn enrolment_is_said_by_either_tag_in_any_case() {
        for (key, value, expected) in [
            ("AutoRecovery", "enabled", true),
            ("AutoRecovery", "TRUE", true),
            ("AutoRecovery", "no", false),
            ("AutoRecovery", "", false),
            ("SelfHeal", "True", true),
            ("SelfHeal", "enabled", false),
            ("autorecovery", "true", false),
        ] {
            let tags = tag(key, value);
            assert_eq!(is_enrolled(&tags), expected && key == "AutoRecovery", "{key}={value}");
            assert_eq!(is_self_healing(&tags), expected && key == "SelfHeal", "{key}={value}");
        }
    }

    #[test]
    fn a_controller_is_known_by_its_tags() {
        for (key, expected) in [
            ("kubernetes.io/cluster/blue", Some("EKS")),
            ("eks:nodegroup-name", Some("EKS")),
            ("aws:eks:cluster-name", Some("EKS")),
            ("karpenter.sh/nodepool", Some("Karpenter")),
            ("aws:ecs:clusterName", Some("ECS")),
            ("AmazonECSManaged", Some("ECS")),
            ("aws:elasticmapreduce:job-flow-id", Some("EMR")),
            ("AWSBatchServiceTag", Some("Batch")),
            ("elasticbeanstalk:environment-name", Some("Elastic Beanstalk")),
            ("aws:autoscaling:groupName", None),
            ("Name", None),
        ] {
            assert_eq!(controller(&tag(key, "x")).as_deref(), expected, "{key}");
        }
        let both =
            BTreeMap::from(["eks:cluster-name", "karpenter.sh/nodepool"].map(|k| (k.to_owned(), "x".to_owned())));
        assert_eq!(controller(&both).as_deref(), Some("Karpenter"));
    }

    #[test]
    fn what_people_say_of_data_is_yes_no_or_nothing() {
        assert_eq!(stateful(&tag("forewarn:stateful", "True")), Some(true));
        assert_eq!(stateful(&tag("forewarn:stateful", "false")), Some(false));
        assert_eq!(stateful(&tag("forewarn:stateful", "maybe")), None);
        assert_eq!(stateful(&BTreeMap::new()), None);
    }
}
