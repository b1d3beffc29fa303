//! Events of EBS about volumes.

use super::{Events, Head};
use crate::reason::Reason;
use forewarn_log::Event;
use forewarn_log::event::volume::VolumeChanged;

/// `EBS Volume Notification`: the volumes are named by their ARNs.
pub(super) fn notified(head: &Head<'_>) -> Events {
    let volumes = head.of_arns("volume", "vol-");
    if volumes.is_empty() {
        return Err(Reason::Missing { path: "resources (the ARN of a volume)".to_owned() });
    }
    let event = head.detail.need("event")?.name()?;
    let outcome = head.detail.need("result")?.name()?;
    let cause = head.detail.maybe("cause").map(|c| c.words()).transpose()?.filter(|c| !c.is_empty());
    let instances = head.of_arns("instance", "i-");
    let one = |volume: &&str| {
        let changed = VolumeChanged {
            volume_id: (*volume).to_owned(),
            instance_id: instances.first().map(|i| (*i).to_owned()),
            account: head.account.to_owned(),
            region: head.region.to_owned(),
            event: event.to_owned(),
            outcome: outcome.to_owned(),
            cause: cause.clone(),
        };
        ((*volume).to_owned(), Event::VolumeChanged(changed))
    };
    Ok(volumes.iter().map(one).collect())
}
