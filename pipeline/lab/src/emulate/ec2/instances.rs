//! `DescribeInstances`: who is there, and for an hour who was.

use super::super::Emulator;
use super::super::hash::mix2;
use super::super::refusal::{Kind, Refusal};
use super::super::token::{Token, Tokens};
use super::super::world::{EmulatedInstance, index};
use super::form::Form;
use super::xml::Xml;

/// How long a terminated instance is still shown.
const SHOWN_MS: i64 = 3_600_000;
/// Instances of a page where nobody says.
const PAGE: usize = 1000;

/// An instance at a time.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) number: usize,
    pub(super) machine: EmulatedInstance,
    pub(super) running: bool,
    tags: Vec<(String, String)>,
}

impl Seen {
    /// Looks at instance `i`; none where it isn't there yet or no longer.
    fn at(it: &Emulator, i: usize, now: i64) -> Option<Self> {
        let machine = it.world.machine(i);
        if machine.launched_at > now || machine.terminated_at.is_some_and(|t| now >= t + SHOWN_MS) {
            return None;
        }
        let running = machine.terminated_at.is_none_or(|t| now < t);
        let mut tags = vec![("Name".to_owned(), format!("node-{i}"))];
        if mix2(it.seed ^ 0x7A6, i as u64) % 10 < 9 {
            tags.push(("AutoRecovery".to_owned(), "enabled".to_owned()));
        }
        tags.extend(machine.group.as_ref().map(|g| ("aws:autoscaling:groupName".to_owned(), g.clone())));
        Some(Self { number: i, machine, running, tags })
    }

    pub(super) const fn state(&self) -> (&'static str, &'static str) {
        if self.running { ("16", "running") } else { ("48", "terminated") }
    }

    fn matches(&self, filter: &(String, Vec<String>)) -> bool {
        let any = |text: &str| filter.1.iter().any(|pattern| wild(pattern, text));
        match filter.0.as_str() {
            "instance-id" => any(&self.machine.id),
            "instance-state-name" => any(self.state().1),
            "instance-type" => any(self.machine.instance_type),
            "image-id" => any(&self.machine.image),
            "tag-key" => self.tags.iter().any(|(key, _)| any(key)),
            name => name
                .strip_prefix("tag:")
                .is_some_and(|wanted| self.tags.iter().any(|(key, value)| key == wanted && any(value))),
        }
    }
}

/// EC2's wildcards: `*` is any text, `?` one character.
fn wild(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // Where the last star was, and what it has swallowed: going back to it alone is enough.
    let (mut i, mut j, mut star) = (0, 0, None);
    while j < t.len() {
        match p.get(i) {
            Some('*') => {
                star = Some((i, j));
                i += 1;
            }
            Some(c) if *c == '?' || *c == t[j] => (i, j) = (i + 1, j + 1),
            Some(_) | None => match &mut star {
                Some((at, swallowed)) => {
                    *swallowed += 1;
                    (i, j) = (*at + 1, *swallowed);
                }
                None => return false,
            },
        }
    }
    p[i..].iter().all(|c| *c == '*')
}

/// The instances that a request is for, and the token with which the next go on.
pub(super) fn select(it: &Emulator, form: &Form, now: i64) -> Result<(Vec<Seen>, Option<String>), Refusal> {
    let (ids, filters) = (form.list("InstanceId"), form.filters());
    let known = ["instance-id", "instance-state-name", "instance-type", "image-id", "tag-key"];
    if let Some((name, _)) = filters.iter().find(|(n, _)| !known.contains(&n.as_str()) && !n.starts_with("tag:")) {
        return Err(Refusal::new(Kind::InvalidValue, format!("The filter '{name}' is invalid")));
    }
    let most = match form.get("MaxResults") {
        None => PAGE,
        Some(_) if !ids.is_empty() => {
            let message = "The parameter instancesSet cannot be used with the parameter maxResults";
            return Err(Refusal::new(Kind::InvalidCombination, message));
        }
        Some(text) => text.parse().ok().filter(|n| (5..=PAGE).contains(n)).ok_or_else(|| {
            Refusal::new(Kind::InvalidValue, format!("Value ( {text} ) for parameter maxResults is invalid."))
        })?,
    };
    let wanted = |seen: &Seen| filters.iter().all(|f| seen.matches(f));
    if !ids.is_empty() {
        let find = |id: &String| {
            let i = index(id).filter(|i| *i < it.world.instances());
            let seen = i.and_then(|i| Seen::at(it, i, now)).filter(|s| s.machine.id == *id);
            let gone = || Refusal::new(Kind::InvalidInstanceId, format!("The instance ID '{id}' does not exist"));
            seen.ok_or_else(gone)
        };
        let all = ids.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        return Ok((all.into_iter().filter(wanted).collect(), None));
    }
    let tokens = Tokens::new(it.seed, &format!("{filters:?}"));
    let from = match form.get("NextToken") {
        None => 0,
        Some(text) => {
            let bad = || Refusal::new(Kind::InvalidValue, "The nextToken value is not valid");
            tokens.read(text).ok_or_else(bad)?.item as usize
        }
    };
    let mut page = Vec::new();
    for i in from..it.world.instances() {
        let Some(seen) = Seen::at(it, i, now).filter(wanted) else { continue };
        if page.len() == most {
            return Ok((page, Some(tokens.write(Token { item: i as u64, within: 0 }))));
        }
        page.push(seen);
    }
    Ok((page, None))
}

/// Answers.
pub(super) fn describe(it: &Emulator, form: &Form, now: i64) -> Result<Vec<u8>, Refusal> {
    let (page, next) = select(it, form, now)?;
    let mut x = Xml::open("DescribeInstancesResponse", "http://ec2.amazonaws.com/doc/2016-11-15/");
    x.text("requestId", "00000000-0000-4000-8000-000000000000");
    x.within("reservationSet", |x| {
        for seen in &page {
            x.within("item", |x| {
                x.text("reservationId", &format!("r-{:017x}", seen.number));
                x.text("ownerId", &it.account);
                x.within("instancesSet", |x| x.within("item", |x| instance(it, x, seen)));
            });
        }
    });
    if let Some(token) = next {
        x.text("nextToken", &token);
    }
    Ok(x.close("DescribeInstancesResponse"))
}

fn instance(it: &Emulator, x: &mut Xml, seen: &Seen) {
    let m = &seen.machine;
    let launched = forewarn_runtime::time::format_ms(m.launched_at);
    x.text("instanceId", &m.id);
    x.text("imageId", &m.image);
    state(x, seen);
    x.text("instanceType", m.instance_type);
    x.text("launchTime", &launched);
    x.within("placement", |x| {
        x.text("availabilityZone", &zone(it, seen.number));
        x.text("tenancy", "default");
    });
    x.within("monitoring", |x| x.text("state", if it.world.span().step_ms < 300_000 { "enabled" } else { "disabled" }));
    x.text("architecture", "x86_64");
    x.text("rootDeviceType", "ebs");
    x.text("rootDeviceName", "/dev/xvda");
    x.within("blockDeviceMapping", |x| {
        // A terminated instance has let go of its volumes.
        if seen.running {
            x.within("item", |x| {
                x.text("deviceName", "/dev/xvda");
                x.within("ebs", |x| {
                    x.text("volumeId", &m.volume);
                    x.text("status", "attached");
                    x.text("attachTime", &launched);
                    x.text("deleteOnTermination", "true");
                });
            });
        }
    });
    x.within("tagSet", |x| {
        for (key, value) in &seen.tags {
            x.within("item", |x| {
                x.text("key", key);
                x.text("value", value);
            });
        }
    });
    if let Some(at) = m.terminated_at.filter(|_| !seen.running) {
        x.text("reason", &format!("User initiated ({})", forewarn_runtime::time::format_ms(at)));
        x.within("stateReason", |x| {
            x.text("code", "Client.UserInitiatedShutdown");
            x.text("message", "Client.UserInitiatedShutdown: User initiated shutdown");
        });
    }
}

/// The zone of an instance.
pub(super) fn zone(it: &Emulator, i: usize) -> String {
    format!("{}{}", it.region, ["a", "b", "c"][i % 3])
}

/// Writes the state of an instance.
pub(super) fn state(x: &mut Xml, seen: &Seen) {
    let (code, name) = seen.state();
    x.within("instanceState", |x| {
        x.text("code", code);
        x.text("name", name);
    });
}

#[cfg(test)]
mod tests {
    use super::wild;

    #[test]
    fn stars_and_question_marks_are_wild() {
        for (pattern, text) in [("*", ""), ("a*", "a"), ("a*c", "abbc"), ("?b*", "abc"), ("*ab", "aab"), ("a", "a")] {
            assert!(wild(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a", "ab"), ("?", ""), ("a*c", "ab"), ("*b", "abc")] {
            assert!(!wild(pattern, text), "{pattern} {text}");
        }
    }
}
