//! Looks for instances and series, and remembers what is there.

use super::api::{Instance, ListRequest};
use super::call::{CallError, Caller, Need};
use super::discover::Listing;
use super::job::{Job, Mode};
use super::place::Place;
use super::report::MAX_PAGES;
use super::state::PlaceRow;
use crate::stream::InstanceSeen;
use forewarn_history::UNLIMITED;
use forewarn_runtime::metrics::Call;
use forewarn_runtime::time::DAY_MS;
use std::collections::{BTreeMap, BTreeSet};

const HOUR: i64 = 3_600_000;
/// Below this age `ListMetrics` still names everything that fell silent.
const REMEMBERED: i64 = 13 * DAY_MS;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Refreshed {
    /// The account, as far as it is known.
    pub(super) account: String,
    /// Observed instances of which something changed.
    pub(super) changed: Vec<InstanceSeen>,
    /// Which known instances are observed.
    pub(super) known: BTreeMap<String, Instance>,
    pub(super) new_series: u64,
    pub(super) unmapped: u64,
    pub(super) odd: u64,
    /// Listings that had more pages than are read.
    pub(super) cut: u64,
}

/// After so long a silence `ListMetrics` names a series no more.
const FORGOTTEN: i64 = 14 * DAY_MS;

/// Says what is looked for: when that changes, what was found before is no answer.
fn scope(job: &Job<'_>) -> String {
    let named = format!("{:?} {:?} {:?}", job.ids, job.selection.ids(), job.volumes);
    format!("{} | {:?} | {:016x}", job.selection, job.wanted, xxhash_rust::xxh64::xxh64(named.as_bytes(), 0))
}

/// Gives the time before which series that fell silent are no longer listed, where a range reaches further back.
pub(super) fn listed_since(mode: Mode, now: i64) -> Option<i64> {
    match mode {
        Mode::Once { range } => Some(now - FORGOTTEN).filter(|since| range.from < *since),
        Mode::Follow { .. } => None,
    }
}

fn is_fresh(job: &Job<'_>, row: &PlaceRow, now: i64) -> bool {
    let at = match job.mode {
        Mode::Follow { .. } => row.discovered_at,
        Mode::Once { .. } => row.discovered_all_at,
    };
    // Half a minute of grace: a round each hour with an age of an hour looks each time.
    let fresh = at.is_some_and(|at| at <= now && now - at + 30_000 < job.discovery_age_ms);
    fresh && row.scope.as_deref() == Some(scope(job).as_str())
}

/// Looks for instances and series where what is known is too old.
pub(super) fn refresh(
    caller: &Caller<'_>,
    place: &Place,
    job: &Job<'_>,
    row: &PlaceRow,
) -> Result<Refreshed, CallError> {
    let (state, now) = (caller.state, caller.clock.now_ms());
    let mut account = place.account.clone().or_else(|| row.account.clone());
    let fresh = is_fresh(job, row, now);
    let mut cut = 0;
    if !fresh && job.selection.asks_ec2() {
        let mut instances = describe(caller, place, &mut cut)?;
        ask_credits(caller, place, &mut instances, &mut cut)?;
        account = account.or_else(|| instances.iter().find_map(|i| i.account.clone()));
        state.remember(row.id, &instances, now).map_err(CallError::State)?;
        forewarn_runtime::failpoint::point("ingest.described");
    }
    let account = account.unwrap_or_else(|| "unknown".to_owned());
    if account != "unknown" && row.account.as_ref() != Some(&account) {
        state.set_account(row.id, &account).map_err(CallError::State)?;
    }
    let known = state.known(row.id).map_err(CallError::State)?;
    let mut out = Refreshed { account, known, cut, ..Refreshed::default() };
    if fresh {
        // What nobody could be found for last time is missing this time too.
        out.unmapped = if matches!(job.mode, Mode::Once { .. }) { row.unmapped_all } else { 0 };
        return Ok(out);
    }
    list(caller, place, job, row, now, &mut out)?;
    crash_listed();
    let seen = out.known.values().filter(|i| job.selection.chooses(i)).map(|i| InstanceSeen {
        account: i.account.clone().unwrap_or_else(|| out.account.clone()),
        region: place.region.clone(),
        instance_id: i.id.clone(),
        workload: i.workload().map(str::to_owned),
        instance_type: i.instance_type.clone(),
        launched_at: i.launched_at,
        seen_at: now,
        cpu_credits: i.cpu_credits.clone(),
    });
    out.changed = state.unsent(row.id, seen.collect()).map_err(CallError::State)?;
    Ok(out)
}

fn crash_listed() {
    forewarn_runtime::failpoint::point("ingest.discovered");
}

/// Reads all pages of a listing; gives whether there were more than are read. A page that names itself as the next is more, too.
fn pages(mut read: impl FnMut(Option<String>) -> Result<Option<String>, CallError>) -> Result<bool, CallError> {
    let mut token = None::<String>;
    for _ in 0..MAX_PAGES {
        let next = read(token.clone())?;
        if next.is_none() || next == token {
            return Ok(next.is_some());
        }
        token = next;
    }
    Ok(true)
}

/// Says what is left off; gives 1 where something is.
fn note_cut(is_cut: bool, operation: &'static str, of: &str, place: &Place) -> u64 {
    if is_cut {
        tracing::warn!(
            operation,
            region = place.region,
            "{of}: more than {MAX_PAGES} pages; what lies beyond is not observed"
        );
    }
    u64::from(is_cut)
}

fn describe(caller: &Caller<'_>, place: &Place, cut: &mut u64) -> Result<Vec<Instance>, CallError> {
    let call = Call { service: "ec2", operation: "DescribeInstances" };
    let mut all = Vec::new();
    let is_cut = pages(|token| {
        let page = caller.make(&call, Need::default(), || place.instances.describe_instances(token.as_deref()))?;
        all.extend(page.instances.into_iter().filter(|i| super::select::is_instance_id(&i.id)));
        Ok(page.next)
    })?;
    *cut += note_cut(is_cut, call.operation, "instances", place);
    Ok(all)
}

/// Asks how instances may spend CPU credits, where any has them. What nobody says is not known, and stops nothing.
fn ask_credits(caller: &Caller<'_>, place: &Place, instances: &mut [Instance], cut: &mut u64) -> Result<(), CallError> {
    if !instances.iter().any(Instance::is_burstable) {
        return Ok(());
    }
    let call = Call { service: "ec2", operation: "DescribeInstanceCreditSpecifications" };
    let mut unlimited = BTreeSet::new();
    let asked = pages(|token| {
        let page = caller.make(&call, Need::default(), || place.instances.unlimited_credits(token.as_deref()))?;
        unlimited.extend(page.ids);
        Ok(page.next)
    });
    match asked {
        Ok(is_cut) => *cut += note_cut(is_cut, call.operation, "credits", place),
        Err(why @ (CallError::Api(_) | CallError::GivenUp { .. })) => {
            tracing::warn!(region = place.region, "whose CPU credits are unlimited is not known: {why}");
            return Ok(());
        }
        Err(e) => return Err(e),
    }
    for instance in instances.iter_mut().filter(|i| i.is_burstable()) {
        let credits = if unlimited.contains(&instance.id) { UNLIMITED } else { "standard" };
        instance.cpu_credits = Some(credits.to_owned());
    }
    Ok(())
}

fn list(
    caller: &Caller<'_>,
    place: &Place,
    job: &Job<'_>,
    row: &PlaceRow,
    now: i64,
    out: &mut Refreshed,
) -> Result<(), CallError> {
    let (state, wanted) = (caller.state, &job.wanted);
    let mut volumes = job.volumes.clone();
    // EC2's own word goes before a file's.
    volumes.extend(state.volumes(row.id).map_err(CallError::State)?);
    let chosen = |id: &str| is_chosen(job, &out.known, id);
    // What was looked at within three hours needs no look at what fell silent before.
    let scoped = row.scope.as_deref() == Some(scope(job).as_str());
    let last = row.discovered_at.filter(|_| scoped);
    let once = matches!(job.mode, Mode::Once { .. });
    let recently_active = !once && last.is_some_and(|at| now - at < 2 * HOUR);
    let mut listing = Listing::new(wanted, &volumes);
    let mut cut = 0;
    for namespace in &wanted.namespaces {
        for metric in wanted.names(namespace) {
            let call = Call { service: "cloudwatch", operation: "ListMetrics" };
            let is_cut = pages(|token| {
                let request = ListRequest { namespace, metric, recently_active, token };
                let page = caller.make(&call, Need::default(), || place.metrics.list_metrics(&request))?;
                for metric in page.metrics {
                    listing.add(metric, &chosen);
                }
                Ok(page.next)
            })?;
            cut += note_cut(is_cut, call.operation, metric.unwrap_or(namespace), place);
        }
    }
    if let Mode::Once { range } = job.mode {
        let mut forgotten: BTreeSet<String> = job.ids.iter().cloned().collect();
        if range.from < now - REMEMBERED {
            forgotten.extend(out.known.keys().filter(|id| chosen(id)).cloned());
        }
        listing.add_forgotten(&forgotten);
    }
    (out.unmapped, out.odd) = (listing.unmapped.len() as u64, listing.odd);
    out.cut += cut;
    if once {
        state.note_unmapped(row.id, out.unmapped).map_err(CallError::State)?;
    }
    // A state that fails here fails again a few lines further on, where that is said.
    let silent = |metric: &super::api::MetricName| state.is_silent(row.id, metric, HOUR / 2).unwrap_or(false);
    let found = listing.finish(once, &silent);
    let begins = match (job.mode, last) {
        (Mode::Once { .. }, _) => now - 3 * HOUR,
        // A series that is new since the last look began after it, or shortly before.
        (Mode::Follow { lookback_ms, .. }, last) => last.map_or(now - lookback_ms, |at| at - 3 * HOUR),
    };
    out.new_series = state.list(row.id, &found, begins, now, &scope(job), once).map_err(CallError::State)?;
    Ok(())
}

/// Says whether an instance is observed: by what is known of it, or by its id alone.
pub(super) fn is_chosen(job: &Job<'_>, known: &BTreeMap<String, Instance>, id: &str) -> bool {
    job.ids.contains(id)
        || known.get(id).map_or_else(|| job.selection.chooses_unknown(id), |i| job.selection.chooses(i))
}
