//! Events of AWS Health.

use super::{Events, Head, region};
use crate::doc::{Doc, is_id};
use crate::reason::Reason;
use forewarn_log::Event;
use forewarn_log::event::health::{HealthEvent, HealthStatus};
use forewarn_runtime::time::format_ms;
use std::collections::BTreeMap;

/// Most entities that an event may name; Health pages beyond this.
const MAX_ENTITIES: usize = 1000;

/// `AWS Health Event`: the region is `detail.eventRegion`, the instances are among the entities. Whatever else is affected (volumes,
/// other services) is no instance and is passed over.
pub(super) fn announced(head: &Head<'_>) -> Events {
    let d = &head.detail;
    let arn = d.need("eventArn")?.name()?;
    let status = match d.maybe("statusCode") {
        None => HealthStatus::Open,
        Some(code) => match code.text()? {
            "open" => HealthStatus::Open,
            "upcoming" => HealthStatus::Upcoming,
            "closed" => HealthStatus::Closed,
            _ => return Err(code.bad_value("open, upcoming or closed")),
        },
    };
    let time = |key: &str| d.maybe(key).map(|t| t.time().map(format_ms)).transpose();
    let affected = affected(d)?;
    let event = HealthEvent {
        event_arn: arn.to_owned(),
        service: d.need("service")?.name()?.to_owned(),
        code: d.need("eventTypeCode")?.name()?.to_owned(),
        category: d.need("eventTypeCategory")?.name()?.to_owned(),
        status,
        account: head.account.to_owned(),
        region: d.maybe("eventRegion").map_or(Ok(head.region), |r| region(&r))?.to_owned(),
        start: time("startTime")?,
        end: time("endTime")?,
        instances: affected.iter().filter(|(_, over)| !**over).map(|(id, _)| id.clone()).collect(),
        resolved: affected.iter().filter(|(_, over)| **over).map(|(id, _)| id.clone()).collect(),
        description: None,
    };
    let mut ids = affected.into_keys();
    let subject = ids.next().filter(|_| ids.next().is_none()).unwrap_or_else(|| arn.to_owned());
    Ok(vec![(subject, Event::HealthEvent(event))])
}

/// Gives the instances among the entities, and whether it is over for each: an entity has a status of its own.
fn affected(detail: &Doc<'_>) -> Result<BTreeMap<String, bool>, Reason> {
    let Some(entities) = detail.maybe("affectedEntities") else { return Ok(BTreeMap::new()) };
    let mut ids = BTreeMap::new();
    for entity in entities.list(MAX_ENTITIES)? {
        let value = entity.need("entityValue")?;
        // An entity may be named by its ARN.
        let text = value.text()?;
        let id = text.rsplit(['/', ':']).next().unwrap_or_default();
        if is_id(id, "i-") {
            let status = entity.maybe("status").map(|s| s.text()).transpose()?;
            // One that is named twice is affected while either says so.
            *ids.entry(id.to_owned()).or_insert(true) &= matches!(status, Some("RESOLVED" | "UNIMPAIRED"));
        } else if text.starts_with("i-") {
            return Err(value.bad_id("instance id"));
        }
    }
    Ok(ids)
}
