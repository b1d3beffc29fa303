//! An executor that dies between any two entries of the log, and its successor.

use crate::bench::{Bench, facts, failed};
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_recover::executor::NextWakeup;
use forewarn_recover::store::ProjectedLog;
use forewarn_recovery::event::{Outcome, RecoveryEvent};
use forewarn_recovery::plan::plan;
use forewarn_runtime::clock::Clock;
use forewarn_testkit::mortal::MortalLog;
use serde_json::json;
use std::sync::Arc;

/// Entries after which no recovery of these ends.
const MOST: usize = 200;

/// Lets an executor die after so many appends and its successor go on. Gives the bench and what the log says, or none where nobody died.
fn crashed(appends: usize, unseen: &[StepKind]) -> Option<(Bench, Vec<RecoveryEvent>)> {
    let log = MortalLog::default();
    let left = log.appends.clone();
    left.set(appends);
    let bench = Bench::on(Arc::new(ProjectedLog::new(log)), &json!({"mode": "act"}));
    bench.aws.unseen.lock().unwrap().extend(unseen);
    let first = bench.executor("first");
    if let Ok(id) = first.request(&failed("t")) {
        loop {
            match first.advance(&id) {
                Ok(NextWakeup::At(at) | NextWakeup::Reminder(at)) => {
                    bench.clock.advance(at.since(UnixMs(bench.clock.now_ms())).max(1));
                }
                Ok(NextWakeup::Person | NextWakeup::Never) => return None,
                Err(_) => break,
            }
        }
    }
    left.set(usize::MAX);
    let successor = bench.executor("second");
    // The trigger is delivered again, for nobody has said that it was dealt with.
    let id = successor.request(&failed("t")).unwrap();
    assert_eq!(bench.work(&successor, &id), NextWakeup::Never, "dead after {appends} appends");
    let events = bench.events(&id);
    Some((bench, events))
}

#[test]
fn whoever_comes_after_a_death_between_any_two_entries_ends_the_recovery_with_each_call_made_once() {
    let steps: Vec<StepKind> = plan(RecoveryAction::SafeRestart, &facts()).steps.iter().map(|s| s.kind).collect();
    for unseen in [&[][..], &[StepKind::Stop]] {
        let deaths = (0..MOST).map_while(|appends| crashed(appends, unseen));
        let mut count = 0;
        for (bench, events) in deaths {
            assert_eq!(events.last(), Some(&RecoveryEvent::Completed { outcome: Outcome::Recovered }), "{events:?}");
            assert_eq!(*bench.aws.calls.lock().unwrap(), steps, "dead after {count} appends");
            count += 1;
        }
        assert!(count > 2 * steps.len() && count < MOST, "{count} deaths");
    }
}
