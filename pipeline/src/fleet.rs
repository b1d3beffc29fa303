//! What is known of the fleet besides its metrics: attributes, scheduled events and declared changes.

use crate::history::{History, Result};
use forewarn_rules::instance::Attributes;
use forewarn_rules::predict::Identity;
use std::collections::BTreeMap;

/// Attributes of every instance that a history or a log speaks of.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    known: BTreeMap<String, (Attributes, Option<String>)>,
    nothing: Attributes,
}

/// A declared change, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredChange {
    /// The instance or the workload that changed.
    pub target: String,
    /// When, milliseconds.
    pub ts: i64,
}

impl Fleet {
    /// Reads instances and events of a history, and joins the declared changes.
    ///
    /// Nothing that became known after `as_of` is taken up.
    ///
    /// # Errors
    /// When the history does not read.
    pub fn read(history: &History, changes: &[DeclaredChange], as_of: i64) -> Result<Self> {
        let mut fleet = Self::default();
        for (id, instance) in history.instances()? {
            let attributes = Attributes {
                launched_at: instance.launched_at,
                instance_type: instance.instance_type,
                ..Attributes::default()
            };
            fleet.known.insert(id, (attributes, instance.workload));
        }
        for event in history.events()? {
            let known_at = event.ingested_at.unwrap_or(event.ts);
            if event.is_maintenance() && known_at <= as_of
                && let Some(due) = event.starts_at
            {
                fleet.known.entry(event.instance_id).or_default().0.maintenance.push((known_at, due));
            }
        }
        for change in changes.iter().filter(|c| c.ts <= as_of) {
            for (id, (attributes, workload)) in &mut fleet.known {
                if *id == change.target || workload.as_deref() == Some(change.target.as_str()) {
                    attributes.changes.push(change.ts);
                }
            }
        }
        Ok(fleet)
    }

    /// Gives the attributes of an instance; empty ones where nothing is known.
    pub fn attributes(&self, instance_id: &str) -> &Attributes {
        self.known.get(instance_id).map_or(&self.nothing, |(a, _)| a)
    }

    /// Gives account, region and workload of an instance.
    pub fn identity(&self, instance_id: &str, account: &str, region: &str) -> Identity {
        let workload = self.known.get(instance_id).and_then(|(_, w)| w.clone());
        Identity { account: account.to_owned(), region: region.to_owned(), workload }
    }
}
