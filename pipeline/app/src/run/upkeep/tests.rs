use super::*;
use crate::state::{State, StateSpec};
use forewarn_events::Reason;
use forewarn_history::History;
use forewarn_history::import::{ImportOptions, import_files};
use forewarn_runtime::clock::ManualClock;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::interrupt::Interrupt;
use forewarn_runtime::metrics::{Disk, Kind, Part, unregistered};
use forewarn_runtime::time::DAY_MS as DAY;
use std::path::Path;
use std::sync::Arc;

/// 2026-02-10T03:10:00Z.
const NOW: i64 = 1_770_693_000_000;

/// A job on a history of twenty files of the day of `NOW`.
fn job(dir: &Path, clock: &Arc<ManualClock>) -> Job {
    let history = dir.join("h").display().to_string();
    for n in 0..20 {
        let (file, ts) = (dir.join(format!("{n}.csv")), NOW - n * 60_000);
        std::fs::write(&file, format!("instance_id,metric,ts,value\ni-a,CPUUtilization,{ts},{n}\n")).unwrap();
        let mut history = History::open_or_create(&history).unwrap();
        import_files(&mut history, &[file], &ImportOptions::at(NOW), &mut |_| ()).unwrap();
    }
    let ctx =
        RuntimeContext { metrics: unregistered(), clock: Arc::<ManualClock>::clone(clock), stop: Interrupt::default() };
    let state = State::open(StateSpec::Dir(dir.join("s")), &ctx).unwrap();
    Job { state, ..Job::sample(dir, history, ctx) }
}

/// Takes turns until one has nothing more to do at once.
fn turns(job: &Job) -> i64 {
    let mut part = maintain(job);
    (0..10).map(|_| (part.turn)(&job.ctx.stop).unwrap()).find(|next| *next > job.ctx.clock.now_ms()).unwrap()
}

#[test]
fn small_files_are_merged_and_what_is_old_goes_within_a_day() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::at(NOW)));
    let job = job(dir.path(), &clock);
    let dead = job.state.dead(&job.history).unwrap();
    dead.put(&Reason::NotUtf8 { at: 1 }, "q", b"x", NOW - 80 * DAY).unwrap();
    let files = || History::open(&job.history).unwrap().metric_files(None, 0, i64::MAX).unwrap().len();
    assert_eq!(files(), 20);
    assert_eq!(turns(&job), NOW + LOOK_MS);
    assert_eq!((files(), dead.list().unwrap().len()), (1, 1));
    let last_success = || job.ctx.metrics.last_success.get(&Part { part: "maintain" }).map(|at| at.get());
    assert_eq!(last_success(), Some(NOW as f64 / 1000.0), "files were merged");
    clock.advance(LOOK_MS);
    turns(&job);
    assert_eq!(last_success(), Some(NOW as f64 / 1000.0), "nothing was due, so nothing was done");
    clock.advance(-LOOK_MS);
    for of in ["state", "history"] {
        let label = Disk { of };
        assert!(job.ctx.metrics.disk_size_bytes.get_or_create(&label).get() > 0, "{of}");
    }
    clock.advance(11 * DAY);
    turns(&job);
    assert_eq!(dead.list().unwrap(), []);
    assert_eq!(job.ctx.metrics.pruned.get_or_create(&Kind { kind: "dead_letters" }).get(), 1);
    clock.advance(400 * DAY);
    turns(&job);
    assert_eq!(files(), 0);
}
