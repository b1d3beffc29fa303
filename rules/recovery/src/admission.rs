//! What may go on at once in one account and region: the stream that every recovery there has to pass, so that caps hold however many
//! executors ask at the same time.

use super::event::Outcome;
use super::refusal::Refusal;
use forewarn_domain::action::{RecoveryAction, Rung};
use forewarn_domain::time::{DAY_MS, HOUR_MS, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A failure so long after the last goes on with the ladder where that ended, milliseconds.
const LADDER_MS: i64 = DAY_MS;
/// How long a storm must be over before anything new begins, milliseconds.
const STORM_HOLD_MS: i64 = 10 * 60_000;

/// How much may go on at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Caps {
    /// Share of a group that may be under recovery; at least one always may.
    pub share: f64,
    /// Recoveries in the account and region.
    pub open: u32,
    /// Recoveries begun within an hour.
    pub hourly: u32,
    /// Recoveries of one action.
    pub by_action: u32,
    /// Share of a group or of the fleet whose impairment is a storm.
    pub storm_share: f64,
    /// Impaired instances below which nothing is a storm.
    pub storm_least: u32,
}

impl Default for Caps {
    fn default() -> Self {
        Self { share: 0.1, open: 5, hourly: 10, by_action: 3, storm_share: 0.3, storm_least: 3 }
    }
}

impl Caps {
    /// Checks that every cap makes sense.
    ///
    /// # Errors
    /// Which does not, and what it may be.
    pub fn check(&self) -> Result<(), String> {
        for (name, share) in [("share", self.share), ("storm_share", self.storm_share)] {
            if !(share > 0.0 && share <= 1.0) {
                return Err(format!("{name} is {share}, expected a share above 0 and at most 1"));
            }
        }
        for (name, count) in [("open", self.open), ("hourly", self.hourly), ("by_action", self.by_action)] {
            if count == 0 {
                return Err(format!("{name} is 0: nothing would ever be done; say so by the policies' mode instead"));
            }
        }
        Ok(())
    }
}

/// How well a set of instances is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Health {
    /// How many there are.
    pub members: u32,
    /// How many of them are impaired.
    pub impaired: u32,
}

/// A recovery that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Slot")]
pub struct InFlight {
    /// The first of the instances that replaced one another.
    pub lineage: String,
    /// Its group, if it has one.
    pub group: Option<String>,
    /// Its zone.
    pub zone: String,
    /// What is done.
    pub action: RecoveryAction,
}

/// Asks for admission.
#[derive(Debug, Clone, PartialEq)]
pub struct AdmissionRequest {
    /// The recovery.
    pub recovery_id: String,
    /// What it would be.
    pub slot: InFlight,
    /// How the group is; absent for an instance without one.
    pub group: Option<Health>,
    /// How the zone is.
    pub zone: Health,
    /// How all is.
    pub fleet: Health,
    /// How long after the lineage's last recovery the next may begin, milliseconds.
    pub cooldown_ms: i64,
    /// How many of a lineage within a day.
    pub daily_budget: u32,
}

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum AdmissionEvent {
    /// A recovery goes on.
    Admitted {
        /// Which.
        recovery_id: String,
        /// What it is.
        slot: InFlight,
        /// When, milliseconds.
        at_ms: UnixMs,
    },
    /// It is over.
    Released {
        /// Which.
        recovery_id: String,
        /// How.
        outcome: Outcome,
        /// The rung it ended on.
        rung: Rung,
        /// When, milliseconds.
        at_ms: UnixMs,
    },
    /// An instance took the place of another.
    Succeeded {
        /// The old one.
        old: String,
        /// The new one.
        new: String,
    },
    /// So much is impaired that nothing new begins.
    StormSeen {
        /// When last, milliseconds.
        at_ms: UnixMs,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Past {
    begun: Vec<UnixMs>,
    ended_ms: Option<UnixMs>,
    rung: Option<Rung>,
}

/// What goes on, and what went on within a day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admission {
    open: BTreeMap<String, InFlight>,
    begun: Vec<UnixMs>,
    lineages: BTreeMap<String, Past>,
    successors: BTreeMap<String, String>,
    storm_ms: Option<UnixMs>,
}

impl AdmissionEvent {
    /// Gives the event's name, as in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Admitted { .. } => "admitted",
            Self::Released { .. } => "released",
            Self::Succeeded { .. } => "succeeded",
            Self::StormSeen { .. } => "storm_seen",
        }
    }
}

impl Admission {
    /// Moves on by one event.
    #[must_use]
    pub fn evolve(mut self, event: &AdmissionEvent) -> Self {
        match event {
            AdmissionEvent::Admitted { recovery_id, slot, at_ms } => {
                self.begun.retain(|t| at_ms.since(*t) < DAY_MS);
                self.begun.push(*at_ms);
                let past = self.lineages.entry(slot.lineage.clone()).or_default();
                past.begun.retain(|t| at_ms.since(*t) < DAY_MS);
                past.begun.push(*at_ms);
                self.open.insert(recovery_id.clone(), slot.clone());
            }
            AdmissionEvent::Released { recovery_id, rung, at_ms, .. } => {
                if let Some(slot) = self.open.remove(recovery_id) {
                    let past = self.lineages.entry(slot.lineage).or_default();
                    (past.ended_ms, past.rung) = (Some(*at_ms), Some(*rung));
                }
            }
            AdmissionEvent::Succeeded { old, new } => {
                let lineage = self.lineage(old).to_owned();
                self.successors.insert(new.clone(), lineage);
            }
            AdmissionEvent::StormSeen { at_ms } => self.storm_ms = Some(*at_ms),
        }
        self
    }

    /// Gives the first of the instances that led to this one: counters are its.
    pub fn lineage<'a>(&'a self, instance: &'a str) -> &'a str {
        self.successors.get(instance).map_or(instance, String::as_str)
    }

    /// Gives the rung on which a new failure of a lineage begins: where the last recovery ended, one further, within a day of it.
    pub fn first_rung(&self, lineage: &str, wanted: Rung, now: UnixMs) -> Rung {
        let past = self.lineages.get(lineage);
        let last = past.filter(|p| p.ended_ms.is_some_and(|t| now.since(t) < LADDER_MS)).and_then(|p| p.rung);
        last.map_or(wanted, |rung| rung.above().unwrap_or(Rung::Notify).max(wanted))
    }

    /// Gives the recoveries that go on.
    pub fn open_ids(&self) -> impl Iterator<Item = &str> {
        self.open.keys().map(String::as_str)
    }

    /// Counts the recoveries that go on.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Gives the open recovery of a lineage.
    pub fn open_of(&self, lineage: &str) -> Option<&str> {
        self.open.iter().find(|(_, slot)| slot.lineage == lineage).map(|(id, _)| id.as_str())
    }

    /// Decides about one that asks. The same that has been admitted is admitted again, without an event.
    ///
    /// # Errors
    /// With every reason against it, and with what is to be noted all the same.
    pub fn decide(&self, ask: &AdmissionRequest, caps: &Caps, now: UnixMs) -> Result<Vec<AdmissionEvent>, Refused> {
        if self.open.contains_key(&ask.recovery_id) {
            return Ok(Vec::new());
        }
        let mut reasons = Vec::new();
        let mut note = Vec::new();
        if ask.slot.action == RecoveryAction::DrainSpot {
            // AWS ends it within two minutes whatever we do: emptying it harms nobody, however many they are.
            return self.one_of_lineage(ask, now);
        }
        let sets = [Some(ask.fleet), ask.group];
        let storm = sets.into_iter().flatten().find(|h| is_storm(*h, caps));
        if let Some(health) = storm {
            reasons.push(Refusal::Storm { impaired: health.impaired, members: health.members });
            note.push(AdmissionEvent::StormSeen { at_ms: now });
        } else if self.storm_ms.is_some_and(|seen| now.since(seen) < STORM_HOLD_MS) {
            reasons.push(Refusal::Storm { impaired: ask.fleet.impaired, members: ask.fleet.members });
        }
        self.by_lineage(ask, now, &mut reasons);
        self.by_caps(ask, caps, now, &mut reasons);
        if reasons.is_empty() {
            return Ok(vec![admitted(ask, now)]);
        }
        Err(Refused { reasons, note })
    }

    fn one_of_lineage(&self, ask: &AdmissionRequest, now: UnixMs) -> Result<Vec<AdmissionEvent>, Refused> {
        match self.open_of(&ask.slot.lineage) {
            None => Ok(vec![admitted(ask, now)]),
            Some(id) => {
                let reasons = vec![Refusal::OpenIncident { recovery_id: id.to_owned() }];
                Err(Refused { reasons, note: Vec::new() })
            }
        }
    }

    fn by_lineage(&self, ask: &AdmissionRequest, now: UnixMs, out: &mut Vec<Refusal>) {
        if let Some(id) = self.open_of(&ask.slot.lineage) {
            out.push(Refusal::OpenIncident { recovery_id: id.to_owned() });
        }
        let Some(past) = self.lineages.get(&ask.slot.lineage) else { return };
        let until = past.ended_ms.map(|t| t.saturating_add(ask.cooldown_ms));
        if let Some(until_ms) = until.filter(|t| now < *t) {
            out.push(Refusal::Cooldown { until_ms });
        }
        let spent = count(past.begun.iter().filter(|t| now.since(**t) < DAY_MS));
        if spent >= ask.daily_budget {
            out.push(Refusal::Budget { spent });
        }
    }

    fn by_caps(&self, ask: &AdmissionRequest, caps: &Caps, now: UnixMs, out: &mut Vec<Refusal>) {
        let mut scope = |name: String, open: u32, cap: u32| {
            if open >= cap {
                out.push(Refusal::BlastRadius { scope: name, open });
            }
        };
        let slots = || self.open.values();
        scope("account".to_owned(), count(slots()), caps.open);
        scope(
            format!("action {}", ask.slot.action),
            count(slots().filter(|s| s.action == ask.slot.action)),
            caps.by_action,
        );
        let zone = count(slots().filter(|s| s.zone == ask.slot.zone));
        // Of a region that answers nothing no zone is known.
        if ask.zone.members > 0 {
            scope(format!("zone {}", ask.slot.zone), zone, share_of(ask.zone.members, caps.share));
        }
        if let (Some(group), Some(health)) = (&ask.slot.group, ask.group) {
            let open = count(slots().filter(|s| s.group.as_ref() == Some(group)));
            scope(format!("group {group}"), open, share_of(health.members, caps.share));
        }
        let begun = count(self.begun.iter().filter(|t| now.since(**t) < HOUR_MS));
        if begun >= caps.hourly {
            out.push(Refusal::HourlyCap { begun });
        }
    }
}

fn admitted(ask: &AdmissionRequest, now: UnixMs) -> AdmissionEvent {
    AdmissionEvent::Admitted { recovery_id: ask.recovery_id.clone(), slot: ask.slot.clone(), at_ms: now }
}

/// Why something is not admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The reasons.
    pub reasons: Vec<Refusal>,
    /// What is appended all the same.
    pub note: Vec<AdmissionEvent>,
}

fn count<T>(of: impl Iterator<Item = T>) -> u32 {
    u32::try_from(of.count()).unwrap_or(u32::MAX)
}

/// Gives how many of so many a share is: at least one (medik8s and Karpenter let a share of a small group come to nothing).
fn share_of(members: u32, share: f64) -> u32 {
    ((f64::from(members) * share) as u32).max(1)
}

fn is_storm(health: Health, caps: &Caps) -> bool {
    health.impaired >= caps.storm_least && f64::from(health.impaired) > caps.storm_share * f64::from(health.members)
}
