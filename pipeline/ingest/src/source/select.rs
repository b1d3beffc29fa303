//! Decides which instances are observed.

use super::api::Instance;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// The forms that a selection can have, for people.
const FORMS: &str = "all, metrics, tag:NAME=VALUE[|VALUE], asg:NAME, or ids:FILE, comma-separated";

/// Explains why a selection cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// It is none of the forms.
    #[error("selection {0:?} is none of: {FORMS}")]
    Form(String),
    /// A line of an id file is no instance id.
    #[error("{file}:{line}: {found:?} is no instance id, such as i-0123456789abcdef0")]
    Id {
        file: String,
        /// The line, from 1.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// What follows an instance id in an id file is no volume id.
    #[error("{file}:{line}: {found:?} is no volume id, such as vol-0123456789abcdef0; a line is INSTANCE [VOLUME…]")]
    Volume {
        file: String,
        /// The line, from 1.
        line: usize,
        /// What stands there.
        found: String,
    },
}

/// One way to choose instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Every instance of the account.
    All,
    /// Every instance that `ListMetrics` names; EC2 is not asked.
    Metrics,
    /// Instances with one of these values of a tag.
    Tag(String, Vec<String>),
    /// Members of an Auto Scaling group.
    Group(String),
    /// The instances that a file names.
    Ids(String),
}

/// Which instances are observed: the union of its choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    choices: Vec<Choice>,
    ids: BTreeSet<String>,
    volumes: BTreeMap<String, String>,
    text: String,
}

impl Default for Selection {
    fn default() -> Self {
        Self { choices: vec![Choice::All], ids: BTreeSet::new(), volumes: BTreeMap::new(), text: "all".to_owned() }
    }
}

impl FromStr for Selection {
    type Err = SelectError;

    fn from_str(text: &str) -> Result<Self, SelectError> {
        let choices: Vec<Choice> = text.split(',').map(|part| choice(part.trim())).collect::<Result<_, _>>()?;
        Ok(Self { choices, ids: BTreeSet::new(), volumes: BTreeMap::new(), text: text.to_owned() })
    }
}

fn choice(text: &str) -> Result<Choice, SelectError> {
    let bad = || SelectError::Form(text.to_owned());
    if text == "all" {
        return Ok(Choice::All);
    }
    if text == "metrics" {
        return Ok(Choice::Metrics);
    }
    let (kind, rest) = text.split_once(':').ok_or_else(bad)?;
    if rest.is_empty() {
        return Err(bad());
    }
    match kind {
        "asg" => Ok(Choice::Group(rest.to_owned())),
        "ids" => Ok(Choice::Ids(rest.to_owned())),
        "tag" => {
            // A tag's name may hold colons and slashes, and even the value may hold `=`.
            let (name, values) = rest.split_once('=').ok_or_else(bad)?;
            if name.is_empty() {
                return Err(bad());
            }
            Ok(Choice::Tag(name.to_owned(), values.split('|').map(str::to_owned).collect()))
        }
        _ => Err(bad()),
    }
}

impl Selection {
    /// Gives the files of ids that it names.
    pub fn id_files(&self) -> impl Iterator<Item = &str> {
        self.choices.iter().filter_map(|c| match c {
            Choice::Ids(file) => Some(file.as_str()),
            Choice::All | Choice::Metrics | Choice::Tag(..) | Choice::Group(_) => None,
        })
    }

    /// Adds the ids of a file's text: an instance a line, and after it the volumes that it had, which EC2 no longer knows once it is
    /// gone; `#` begins a comment.
    ///
    /// # Errors
    /// When a line is no instance id, or what follows is no volume id.
    pub fn add_ids(&mut self, file: &str, text: &str) -> Result<(), SelectError> {
        for (i, line) in text.lines().enumerate() {
            let mut words =
                line.split('#').next().unwrap_or_default().trim_start_matches('\u{feff}').split_whitespace();
            let Some(id) = words.next() else { continue };
            if !is_instance_id(id) {
                return Err(SelectError::Id { file: file.to_owned(), line: i + 1, found: id.to_owned() });
            }
            self.ids.insert(id.to_owned());
            for volume in words {
                if !is_aws_id(volume, "vol-") {
                    let found = volume.to_owned();
                    return Err(SelectError::Volume { file: file.to_owned(), line: i + 1, found });
                }
                self.volumes.insert(volume.to_owned(), id.to_owned());
            }
        }
        Ok(())
    }

    /// Gives the ids that files named.
    pub const fn ids(&self) -> &BTreeSet<String> {
        &self.ids
    }

    /// Gives the instance that each volume belonged to, as files say.
    pub const fn volumes(&self) -> &BTreeMap<String, String> {
        &self.volumes
    }

    /// Says whether EC2 has to be asked.
    pub fn asks_ec2(&self) -> bool {
        self.choices.iter().any(|c| !matches!(c, Choice::Metrics | Choice::Ids(_)))
    }

    /// Says whether an instance that EC2 has described, now or once, is observed.
    pub fn chooses(&self, instance: &Instance) -> bool {
        self.chooses_unknown(&instance.id)
            || self.choices.iter().any(|c| match c {
                Choice::All | Choice::Metrics | Choice::Ids(_) => false,
                Choice::Tag(name, values) => instance.tags.get(name).is_some_and(|v| values.contains(v)),
                Choice::Group(name) => instance.tags.get("aws:autoscaling:groupName") == Some(name),
            })
    }

    /// Says whether an instance is observed of which nothing but its id is known: the dead are chosen with `all`.
    pub fn chooses_unknown(&self, id: &str) -> bool {
        self.ids.contains(id) || self.choices.iter().any(|c| matches!(c, Choice::All | Choice::Metrics))
    }
}

impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Says whether a text has the form of an instance id.
pub fn is_instance_id(text: &str) -> bool {
    is_aws_id(text, "i-")
}

fn is_aws_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        (8..=32).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(id: &str, tags: &[(&str, &str)]) -> Instance {
        let tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Instance { id: id.to_owned(), tags, ..Instance::default() }
    }

    #[test]
    fn a_union_chooses_by_tag_group_or_id() {
        let mut s: Selection = "tag:env=prod|staging, asg:web,ids:F".parse().unwrap();
        s.add_ids("F", "# ours\ni-00000001 vol-00000001 vol-00000002 # old\n\n").unwrap();
        assert_eq!(s.volumes().keys().collect::<Vec<_>>(), ["vol-00000001", "vol-00000002"]);
        for (yes, i) in [
            (true, instance("i-0000000a", &[("env", "prod")])),
            (true, instance("i-0000000b", &[("env", "staging")])),
            (false, instance("i-0000000c", &[("env", "dev")])),
            (true, instance("i-0000000d", &[("aws:autoscaling:groupName", "web")])),
            (false, instance("i-0000000e", &[("aws:autoscaling:groupName", "web2")])),
            (true, instance("i-00000001", &[])),
        ] {
            assert_eq!(s.chooses(&i), yes, "{i:?}");
        }
        assert!(s.asks_ec2());
        assert!(!s.chooses_unknown("i-0000000a"), "a dead instance is known by tags that were seen");
        assert!(s.chooses_unknown("i-00000001"));
        assert_eq!(s.id_files().collect::<Vec<_>>(), ["F"]);
    }

    #[test]
    fn metrics_alone_never_asks_ec2_and_takes_whatever_is_named() {
        let s: Selection = "metrics".parse().unwrap();
        assert!(!s.asks_ec2() && s.chooses_unknown("i-0000000a"));
        assert!("all".parse::<Selection>().unwrap().asks_ec2());
    }

    #[test]
    fn what_is_no_selection_is_refused_with_the_forms() {
        for text in ["", "every", "tag:env", "tag:=x", "asg:", "ids:", "all,", "vpc:x"] {
            let e = text.parse::<Selection>().unwrap_err();
            assert!(e.to_string().contains("tag:NAME=VALUE"), "{text}: {e}");
        }
        let e = Selection::default().add_ids("F", "i-00000001\nserver7\n").unwrap_err();
        assert_eq!(e.to_string(), "F:2: \"server7\" is no instance id, such as i-0123456789abcdef0");
        let e = Selection::default().add_ids("F", "i-00000001 vol-00000001 sda1\n").unwrap_err();
        assert!(e.to_string().starts_with("F:1: \"sda1\" is no volume id"), "{e}");
    }
}
