//! From the bytes of a message to typed events.

mod alarm;
mod change;
mod ec2;
mod group;
mod health;
mod volume;

use super::doc::{Doc, is_id};
use super::reason::{Reason, quoted};
use super::unwrap::unwrap;
use forewarn_log::{Event, NewEvent};
use forewarn_runtime::time::format_ms;
use jiff::Timestamp;

/// Most ARNs that an event may name.
const MAX_RESOURCES: usize = 1000;

/// Parses a message: an event as EventBridge delivers it, or what an alarm or an Auto Scaling group notifies by itself; plain, as the body of
/// an SQS message, or as an SNS notification in one.
///
/// The events' ids come from the id that EventBridge gave, so a message that comes twice gives the same events. An event that is
/// understood and says nothing of interest, such as a deployment that begins, gives none.
///
/// # Errors
/// The first reason why it can't be understood.
pub fn parse(raw: &[u8]) -> Result<Vec<NewEvent>, Reason> {
    let value = unwrap(raw)?;
    let doc = Doc::root(&value);
    if alarm::is_notification(&doc) {
        return alarm::notified(&doc);
    }
    if group::is_notification(&doc) {
        return group::notified(&doc);
    }
    let head = Head::read(&doc)?;
    let events = match (head.source, head.detail_type) {
        ("aws.ec2", "EC2 Instance State-change Notification") => ec2::state(&head),
        ("aws.ec2", "EC2 Spot Instance Interruption Warning") => ec2::interruption(&head),
        ("aws.ec2", "EC2 Instance Rebalance Recommendation") => ec2::rebalance(&head),
        ("aws.ec2", "EBS Volume Notification") => volume::notified(&head),
        ("aws.autoscaling", _) => group::activity(&head),
        ("aws.cloudwatch", "CloudWatch Alarm State Change") => alarm::changed(&head),
        ("aws.health", "AWS Health Event") => health::announced(&head),
        ("aws.codedeploy", _) => change::deployment(&head),
        ("aws.ssm", _) => change::systems_manager(&head),
        _ => Err(head.unknown()),
    }?;
    head.events(events)
}

/// What an event is about, and the event.
type Said = (String, Event);
/// What a parser makes of an event.
type Events = Result<Vec<Said>, Reason>;

/// What every event of EventBridge begins with.
#[derive(Debug)]
struct Head<'a> {
    /// What the ids of its events begin with.
    id: String,
    source: &'a str,
    detail_type: &'a str,
    account: &'a str,
    region: &'a str,
    /// Milliseconds.
    time: i64,
    resources: Vec<&'a str>,
    detail: Doc<'a>,
}

impl<'a> Head<'a> {
    fn read(doc: &Doc<'a>) -> Result<Self, Reason> {
        let id = doc.need("id")?;
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !plain(id.name()?) || id.name()?.len() > 128 {
            return Err(id.bad_id("event id"));
        }
        // Emulators leave the account out.
        let account = doc.maybe("account").map_or(Ok("unknown"), |a| account(&a))?;
        let resources = doc.maybe("resources").map(|r| r.list(MAX_RESOURCES)).transpose()?.unwrap_or_default();
        let detail = doc.need("detail")?;
        if !detail.value.is_object() {
            return Err(detail.wrong("an object"));
        }
        Ok(Self {
            id: format!("eventbridge/{}", id.name()?),
            source: doc.need("source")?.name()?,
            detail_type: doc.need("detail-type")?.name()?,
            account,
            region: doc.maybe("region").map_or(Ok("unknown"), |r| region(&r))?,
            time: doc.need("time")?.time()?,
            resources: resources.iter().map(Doc::text).collect::<Result<_, _>>()?,
            detail,
        })
    }

    fn unknown(&self) -> Reason {
        Reason::UnknownType { origin: quoted(self.source), detail_type: quoted(self.detail_type) }
    }

    /// Gives the ids of a kind that the ARNs in `resources` end with, such as `instance/i-…`.
    fn of_arns(&self, kind: &str, prefix: &str) -> Vec<&'a str> {
        let id = |arn: &&'a str| arn.rsplit(':').next()?.strip_prefix(kind)?.strip_prefix('/');
        let mut ids: Vec<&str> = self.resources.iter().filter_map(id).filter(|i| is_id(i, prefix)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn time_text(&self) -> String {
        format_ms(self.time)
    }

    fn events(&self, said: Vec<Said>) -> Result<Vec<NewEvent>, Reason> {
        said.into_iter().enumerate().map(|(n, (subject, event))| self.event(n, subject, event)).collect()
    }

    /// The first event of a message takes its id; those that follow from it have it with a number.
    fn event(&self, n: usize, subject: String, event: Event) -> Result<NewEvent, Reason> {
        let id = if n == 0 { self.id.clone() } else { format!("{}/{n}", self.id) };
        let time =
            Timestamp::from_millisecond(self.time).map_err(|e| Reason::Damaged { what: quoted(&e.to_string()) })?;
        Ok(NewEvent { id, source: self.source.to_owned(), subject, time, event })
    }
}

/// Reads an account id.
fn account<'a>(doc: &Doc<'a>) -> Result<&'a str, Reason> {
    let text = doc.text()?;
    let fine = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    if fine { Ok(text) } else { Err(doc.bad_id("account id")) }
}

/// Reads a region's name.
fn region<'a>(doc: &Doc<'a>) -> Result<&'a str, Reason> {
    let text = doc.text()?;
    if is_region(text) { Ok(text) } else { Err(doc.bad_id("region")) }
}

fn is_region(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(plain)
}
