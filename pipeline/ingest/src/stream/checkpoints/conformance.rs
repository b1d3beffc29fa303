//! Says in code what every place of checkpoints must do; each runs [`run`].

use super::{Standing, Standings};
use crate::stream::port::Intent;

/// Runs every check; `open` gives the checkpoints that a consumer has of a stream, as a new process sees them, in a place that is empty.
///
/// # Panics
/// When the place does not do what the ports demand.
pub fn run(open: impl Fn(&str, &str) -> Box<dyn Standings>) {
    let intent = |last: &str| Intent {
        shard: "shardId-0".to_owned(),
        first: "3".to_owned(),
        last: last.to_owned(),
        name: format!("file to {last}"),
    };
    let a = open("s", "a");
    assert_eq!((a.checkpoint("shardId-0").expect("reads"), a.intents().expect("reads")), (None, vec![]));
    a.intend(&intent("9")).expect("an intent");
    a.intend(&intent("10")).expect("a second one takes the place of the first");
    assert!(open("s", "a").standings().expect("reads").is_empty(), "nothing has been dealt with yet");
    assert_eq!(
        open("s", "a").intents().expect("reads"),
        [intent("10")],
        "a new process finds what was about to be done"
    );
    a.finish("shardId-0", "10").expect("a finish");
    a.finish("shardId-0", "9").expect("a late finish is no error");
    assert_eq!(a.checkpoint("shardId-0").expect("reads").as_deref(), Some("10"), "a checkpoint never goes back");
    assert!(a.intents().expect("reads").is_empty());
    a.caught_up("shardId-0", 7).expect("noted");
    a.caught_up("shardId-0", 5).expect("noted");
    a.end("shardId-1").expect("noted");
    let standings = open("s", "a").standings().expect("reads");
    let zero = Standing { seq: Some("10".to_owned()), ended: false, caught_up_ms: Some(7) };
    let one = Standing { ended: true, ..Standing::default() };
    assert_eq!(
        standings.into_iter().collect::<Vec<_>>(),
        [("shardId-0".to_owned(), zero), ("shardId-1".to_owned(), one)]
    );
    for other in [open("s", "b"), open("t", "a")] {
        assert!(other.standings().expect("reads").is_empty(), "they are the consumer's and the stream's own");
    }
    a.forget_ended(&|shard| shard == "shardId-1").expect("forgotten");
    assert_eq!(open("s", "a").standings().expect("reads").len(), 2, "those that are there stay");
    a.forget_ended(&|_| false).expect("forgotten");
    a.end("shardId-1").expect("noted");
    a.forget("shardId-0").expect("forgotten");
    assert_eq!(open("s", "a").standings().expect("reads").len(), 1);
    assert_eq!(a.checkpoint("shardId-0").expect("reads"), None);
}
