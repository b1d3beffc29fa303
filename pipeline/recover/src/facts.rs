//! Gathers what the gates look at: from AWS, from the policies, and from the log.

use super::ledger::Entry;
use super::policies::{self, Policies};
use super::ports::{FactReader, Place};
use super::store::Store;
use forewarn_domain::action::{RecoveryAction, Rung};
use forewarn_domain::prediction::Level;
use forewarn_domain::silence;
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_log::event::health::HealthStatus;
use forewarn_log::{LogError, Row, Table};
use forewarn_recovery::facts::{Facts, InstanceFacts, InstanceState, Read, still_down};
use forewarn_recovery::gate::{ActionRequest, refusals};
use forewarn_recovery::plan::{Plan, choose, plan, plan_home_unreachable};
use forewarn_recovery::policy::Policy;
use forewarn_recovery::refusal::Refusal;
use forewarn_recovery::state::Recovery;
use forewarn_recovery::trigger::{Cause, Trigger, is_fresh};
use forewarn_runtime::time::format_ms;

/// What would be done, what speaks against it, and what both rest on.
#[derive(Debug, Clone)]
pub struct Assessment {
    pub plan: Plan,
    /// Every reason against it, but for the account's admission.
    pub refusals: Vec<Refusal>,
    /// Where the instance stands among others.
    pub place: Read<Place>,
    /// What people allow; what is built in where it could not be read, and then a refusal says so.
    pub policy: Policy,
    /// What the gates looked at.
    pub facts: Facts,
}

/// What facts are read with.
#[derive(Debug, Clone, Copy)]
pub struct FactCollector<'a> {
    /// AWS, which is only read.
    pub reader: &'a dyn FactReader,
    pub policies: &'a dyn Policies,
    /// The log.
    pub store: &'a dyn Store,
}

/// Which recovery is assessed.
#[derive(Debug, Clone, Copy)]
pub struct AssessmentRequest<'a> {
    pub id: &'a str,
    /// The instance that it is about now.
    pub subject: &'a str,
    /// Where on the ladder it is.
    pub rung: Rung,
    /// The recovery, if it has begun.
    pub begun: Option<&'a Recovery>,
    /// Whether what triggered it is taken as it is: an earlier rung may have changed what shows it, or it is only being told.
    pub is_given: bool,
}

impl<'a> AssessmentRequest<'a> {
    /// One that has not begun.
    pub const fn new(subject: &'a str, rung: Rung) -> Self {
        Self { id: "-", subject, rung, begun: None, is_given: false }
    }
}

impl FactCollector<'_> {
    /// Reads the facts for a recovery as it stands, plans, and asks every gate.
    pub fn assess(&self, entry: &Entry, trigger: &Trigger, now: UnixMs) -> Assessment {
        let state = &entry.state;
        let request = AssessmentRequest {
            id: &entry.id,
            subject: &state.subject,
            rung: state.rung,
            begun: Some(state),
            // What an earlier rung stopped or moved no longer shows what it was stopped for.
            is_given: state.epoch() > 0,
        };
        self.about(request, trigger, now)
    }

    /// As [`FactCollector::assess`], for a recovery that need not exist.
    pub fn about(&self, request: AssessmentRequest<'_>, trigger: &Trigger, now: UnixMs) -> Assessment {
        let AssessmentRequest { id, subject, rung, begun, is_given } = request;
        let seen = self.reader.look(subject, now);
        let policy = policies::read(self.policies, subject);
        let policy_or_default = match &policy {
            Read::Known(policy) => policy.clone(),
            Read::Failed(_) | Read::Absent(_) => Policy::default(),
        };
        let has_other_region = policy_or_default.targets.other_region.is_some();
        let plan = match &seen.instance {
            Read::Known(instance) => plan(choose(trigger.cause, rung, instance, has_other_region), instance),
            Read::Failed(_)
                if trigger.cause.asks_for_unreachable_home() && rung == Rung::Region && has_other_region =>
            {
                plan_home_unreachable()
            }
            // Nothing can be planned for what can't be seen, and the gates say why.
            Read::Failed(_) | Read::Absent(_) => {
                Plan { action: RecoveryAction::NotifyOnly, steps: Vec::new(), forward_from: None }
            }
        };
        let plan = plan.at(policy_or_default.pace());
        let action = plan.action;
        let needs_room = action.launches() || action.stops_instance();
        let trigger_holds = match trigger.cause {
            _ if is_given => Read::Known(true),
            Cause::Predicted { .. } => self.is_predicted(trigger, now),
            Cause::ApplicationDown if policy_or_default.health_endpoint.is_some() => {
                still_down(&self.reader.is_well(subject, &policy_or_default))
            }
            Cause::CheckFailed { .. }
            | Cause::ApplicationDown
            | Cause::SpotWarned { .. }
            | Cause::RebalanceRecommended
            | Cause::Scheduled
            | Cause::Replaced
            | Cause::Operator { .. } => self.reader.still_holds(trigger),
        };
        let facts = Facts {
            trigger_holds,
            own_stop: self.stopped_by_us(id, subject, &seen.instance),
            aws_recovers_until: seen.aws_recovers_until,
            service_event: self.service_event(),
            silence: self.silence(subject, &seen.instance, trigger, now),
            capacity_check: if needs_room {
                self.reader.capacity_check(action, subject, &policy_or_default)
            } else {
                Read::Known(None)
            },
            instance: seen.instance,
            policy,
        };
        let approved = begun.is_some_and(|state| state.has_approved(action));
        let refusals = refusals(ActionRequest { action, cause: trigger.cause, approved, now_ms: now }, &facts);
        Assessment { plan, refusals, place: seen.place, policy: policy_or_default, facts }
    }

    /// Says whether an episode of the instance is still open at high; where this log knows none, whether the news of it is fresh.
    fn is_predicted(&self, trigger: &Trigger, now: UnixMs) -> Read<bool> {
        match self.store.row(Table::PredictionsCurrent, &trigger.instance_id) {
            Ok(Some(Row::Prediction(p))) => Read::Known(p.open && p.confidence == Level::High),
            Ok(_) => Read::Known(is_fresh(trigger.at_ms, now)),
            Err(e) => Read::Failed(e.to_string()),
        }
    }

    /// Says whether an instance that is down is down because another recovery of ours stopped it.
    fn stopped_by_us(&self, id: &str, subject: &str, instance: &Read<InstanceFacts>) -> Read<bool> {
        let Read::Known(instance) = instance else { return Read::Known(false) };
        if !matches!(instance.state, InstanceState::Stopped | InstanceState::Stopping) {
            return Read::Known(false);
        }
        let rows = match self.store.rows(Table::Recoveries) {
            Ok(rows) => rows,
            Err(e) => return Read::Failed(e.to_string()),
        };
        Read::Known(rows.iter().any(|row| {
            let Row::Recovery(r) = row else { return false };
            r.recovery_id != id && r.state.subject == subject && r.state.notes.contains_key(&StepKind::Stop)
        }))
    }

    /// Says whether AWS has trouble of its own with EC2 or EBS in the region.
    fn service_event(&self) -> Read<bool> {
        let (_, region) = self.reader.home();
        match self.store.rows(Table::HealthEvents) {
            Ok(rows) => Read::Known(rows.iter().any(|row| {
                let Row::Health(e) = row else { return false };
                let is_theirs = e.category == "issue" && matches!(e.service.as_str(), "EC2" | "EBS");
                is_theirs && e.status == HealthStatus::Open && e.region == region
            })),
            Err(e) => Read::Failed(e.to_string()),
        }
    }

    /// Gives the silence that holds the recovery of an instance back.
    fn silence(&self, id: &str, seen: &Read<InstanceFacts>, trigger: &Trigger, now: UnixMs) -> Read<Option<String>> {
        let read =
            || Ok::<_, LogError>((self.store.rows(Table::Silences)?, self.store.row(Table::PredictionsCurrent, id)?));
        let (silences, current) = match read() {
            Ok(read) => read,
            Err(e) => return Read::Failed(e.to_string()),
        };
        let silences = silences.iter().filter_map(|row| if let Row::Silence(s) = row { Some(s) } else { None });
        let group = if let Read::Known(instance) = seen { instance.group.as_ref() } else { None };
        let prediction = if let Some(Row::Prediction(p)) = &current { Some(&p.prediction) } else { None };
        let subject = silence::Subject {
            instance_id: id,
            group: group.map(|g| g.name.as_str()),
            prediction,
            is_predicted: matches!(trigger.cause, Cause::Predicted { .. }),
        };
        Read::Known(silence::of_recovery(silences, &subject, &format_ms(now.0)))
    }
}
