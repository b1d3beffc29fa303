//! A log whose beginning was pruned: recoveries go on.

use crate::bench::{Bench, failed};
use forewarn_log::{Maintain, MemoryLog};
use forewarn_recover::ledger::events;
use forewarn_recover::store::ProjectedLog;
use forewarn_recovery::event::{Outcome, RecoveryEvent};
use forewarn_runtime::clock::Clock;
use serde_json::json;
use std::sync::Arc;

#[test]
fn an_account_whose_notes_were_all_pruned_admits_the_next_recovery() {
    let log = MemoryLog::new();
    let bench = Bench::on(Arc::new(ProjectedLog::new(log.clone())), &json!({"mode": "act", "cooldown_ms": 0}));
    let executor = bench.executor("a");
    let id = executor.request(&failed("t")).unwrap();
    bench.work(&executor, &id);
    let later: jiff::Timestamp = "2099-01-01T00:00:00Z".parse().unwrap();
    let now = || jiff::Timestamp::from_millisecond(bench.clock.now_ms()).unwrap();
    assert!(log.prune(later, now()).unwrap().entries > 10);
    assert_eq!(events(&*bench.store, &id).unwrap(), []);
    bench.clock.advance(8 * 86_400_000);
    let executor = bench.executor("b");
    let next = executor.request(&failed("u")).unwrap();
    bench.work(&executor, &next);
    let happened = events(&*bench.store, &next).unwrap();
    assert_eq!(bench.events(&next).last(), Some(&RecoveryEvent::Completed { outcome: Outcome::Recovered }));
    // Half of it went: what is left is read once.
    let middle = happened[happened.len() / 2].envelope.timestamp().unwrap();
    log.prune(middle, now()).unwrap();
    let left = events(&*bench.store, &next).unwrap();
    assert!(!left.is_empty() && left.len() < happened.len(), "{} of {}", left.len(), happened.len());
    assert_eq!(left.last(), happened.last());
}
