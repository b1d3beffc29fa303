//! Cells and leases in the log's table, and what an append does whose lease was taken over.

use super::{contending, ctx, proxied, reach};
use forewarn_log::conformance::sample;
use forewarn_log::{AppendError, DynamoCells, EventLog, Expected};
use forewarn_runtime::cells::{self, Cells, update};
use forewarn_runtime::clock::{Clock, ManualClock, SystemClock};
use forewarn_runtime::lease::{self, FOR_MS, Leases};
use forewarn_runtime::schedule::Progress;
use forewarn_runtime::telemetry::causes;
use forewarn_testkit::moto::Moto;
use std::cell::Cell;
use std::sync::Arc;

fn open(url: &str, table: &str) -> DynamoCells {
    let aws = reach(url);
    drop(contending(&aws, table));
    let config = aws.base().clone();
    DynamoCells::new(aws, &config, table, ctx(SystemClock))
}

#[test]
fn cells_and_leases_in_dynamodb_conform() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    let made = Cell::new(0);
    let fresh = || {
        made.set(made.get() + 1);
        open(&moto.url, &format!("cells-{}", made.get()))
    };
    cells::conformance::run(fresh);
    let leases = |cells: Arc<dyn Cells>| Leases::Cells { cells, holder: "a".to_owned(), clock: Arc::new(SystemClock) };
    lease::conformance::run(|| leases(Arc::new(fresh())), Leases::clone);
    let progress = Progress::in_cells(Arc::new(fresh()), "analyze");
    progress.write(3_600_000).unwrap();
    progress.write(0).unwrap();
    assert_eq!(progress.read().unwrap(), Some(3_600_000));
}

#[test]
fn a_put_whose_reply_was_lost_is_known_as_ones_own() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    let proxy = proxied(
        &moto,
        r#"{"seed": 3, "rules": [
            {"operation": "UpdateItem", "every": 2, "action": "lose_reply"},
            {"operation": "UpdateItem", "every": 3, "action": "throttle"},
            {"operation": "GetItem", "every": 3, "action": "reset"}
        ]}"#,
    );
    let aws = reach(&proxy.url());
    drop(contending(&aws, "cells"));
    let config = aws.base().clone();
    let cells = DynamoCells::new(aws, &config, "cells", ctx(ManualClock::default()));
    for n in 0..12_u32 {
        let next = |text: Option<&str>| {
            assert_eq!(text.map_or(0, |t| t.parse().unwrap()), n, "the last change was made once");
            Ok(Some((n + 1).to_string()))
        };
        let mut asked = 0;
        update(&cells, "count", |text| {
            asked += 1;
            next(text)
        })
        .unwrap();
        assert_eq!(asked, 1, "nobody else came first");
    }
    assert!(proxy.faults().get("lose_reply").is_some_and(|n| *n > 2));
}

#[test]
fn what_is_appended_under_a_lease_that_was_taken_over_is_refused() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    let cells: Arc<dyn Cells> = Arc::new(open(&moto.url, "log"));
    let clock = Arc::new(ManualClock::at(1_000));
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let leases = Leases::Cells { cells, holder: "a".to_owned(), clock: shared };
    let aws = reach(&moto.url);
    let (old, new) = (contending(&aws, "log"), contending(&aws, "log"));
    let paused = leases.take("analyze").unwrap();
    old.write_under(paused.guard());
    assert_eq!(old.append("a", Expected::Any, &[sample("1")]).unwrap().written, 1);
    clock.advance(FOR_MS);
    let successor = leases.take("analyze").unwrap();
    new.write_under(successor.guard());
    assert_eq!(new.append("a", Expected::Any, &[sample("2")]).unwrap().written, 1);
    // It goes on as if nothing had happened.
    let refused = old.append("a", Expected::Any, &[sample("3")]).unwrap_err();
    assert!(
        matches!(refused, AppendError::Log(_)) && causes(&refused).contains("lease/analyze was lost"),
        "{refused:?}"
    );
    assert_eq!(new.head().unwrap(), 2);
    assert_eq!(old.append("a", Expected::Any, &[sample("1")]).unwrap().written, 0, "what is there is there");
    old.write_under(None);
    assert_eq!(old.append("a", Expected::Any, &[sample("3")]).unwrap().written, 1);
    assert_eq!(new.verify().unwrap().fault, None);
}
