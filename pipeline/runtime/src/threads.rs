//! Divides work among threads. What each piece gave is handed on in the order of the pieces, so that it never shows how many threads
//! there were.

use crate::pulse;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::str::FromStr;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};

/// Pieces for each thread that are begun before the first of them is taken: what waits for its turn is held in memory.
const BEGUN: usize = 2;
/// More threads than any machine has cores are a slip of the hand.
const MOST: usize = 1024;

/// How many threads work at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads(NonZeroUsize);

impl Threads {
    /// Only the thread that asks.
    pub const ONE: Self = Self(NonZeroUsize::MIN);

    /// As many as the machine lends this process.
    pub fn all() -> Self {
        Self(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }

    /// Works on each of `pieces`, and hands what it gave to `take` on the thread that asks, in order. Ends with the first error in the
    /// order of the pieces, and begins no other.
    ///
    /// # Errors
    /// What `work` or `take` gave.
    ///
    /// # Panics
    /// When `work` does.
    pub fn in_order<T: Send, E: Send>(
        self,
        pieces: usize,
        work: impl Fn(usize) -> Result<T, E> + Sync,
        mut take: impl FnMut(usize, T) -> Result<(), E>,
    ) -> Result<(), E> {
        let threads = self.0.get().min(pieces);
        if threads <= 1 {
            return (0..pieces).try_for_each(|piece| take(piece, work(piece)?));
        }
        let pulse = pulse::current();
        let (turns, turn) = channel::<usize>();
        let turn = Mutex::new(turn);
        let (gave, given) = channel();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let (gave, pulse, turn, work) = (gave.clone(), pulse.clone(), &turn, &work);
                scope.spawn(move || {
                    if let Some(pulse) = pulse {
                        pulse.enter();
                    }
                    while let Some(piece) = next(turn) {
                        let done = catch_unwind(AssertUnwindSafe(|| work(piece)));
                        if gave.send((piece, done)).is_err() {
                            break;
                        }
                    }
                });
            }
            // Dropped where this returns, so that the threads find no further turn.
            let mut begin = {
                let mut to_begin = 0..pieces;
                move || to_begin.next().is_some_and(|piece| turns.send(piece).is_ok())
            };
            for _ in 0..BEGUN * threads {
                begin();
            }
            let mut early = BTreeMap::new();
            for piece in 0..pieces {
                let done = loop {
                    if let Some(done) = early.remove(&piece) {
                        break done;
                    }
                    let Ok((other, done)) = given.recv() else { return Ok(()) };
                    early.insert(other, done);
                };
                take(piece, done.unwrap_or_else(|panic| resume_unwind(panic))?)?;
                begin();
            }
            Ok(())
        })
    }
}

/// Waits for the next piece; none when there is no other.
fn next(turn: &Mutex<Receiver<usize>>) -> Option<usize> {
    turn.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

impl FromStr for Threads {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = text.trim().parse::<NonZeroUsize>().ok().filter(|n| n.get() <= MOST).map(Self);
        found.ok_or_else(|| format!("`{text}` is no number of threads; write 1 to {MOST}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn threads(n: usize) -> Threads {
        n.to_string().parse().unwrap()
    }

    /// What later pieces give comes first.
    fn slow_first(piece: usize) -> usize {
        std::thread::sleep(Duration::from_millis(if piece.is_multiple_of(3) { 5 } else { 0 }));
        piece * piece
    }

    #[test]
    fn what_was_worked_out_comes_in_order_whatever_the_number_of_threads() {
        for n in [1, 2, 3, 16] {
            let (open, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let mut taken = Vec::new();
            let work = |piece: usize| {
                most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                Ok::<_, ()>(slow_first(piece))
            };
            let take = |piece: usize, square: usize| {
                open.fetch_sub(1, Ordering::SeqCst);
                taken.push((piece, square));
                Ok(())
            };
            threads(n).in_order(40, work, take).unwrap();
            assert_eq!(taken, (0..40).map(|i| (i, i * i)).collect::<Vec<_>>(), "{n} threads");
            assert!(most.into_inner() <= BEGUN * n, "what waits for its turn is bounded");
        }
        assert_eq!(threads(4).in_order(0, |_| Ok::<_, ()>(()), |_, ()| Ok(())), Ok(()));
    }

    #[test]
    fn the_first_error_in_order_ends_the_work() {
        for n in [1, 2, 8] {
            let begun = AtomicUsize::new(0);
            let work = |piece: usize| {
                begun.fetch_add(1, Ordering::SeqCst);
                slow_first(piece);
                if piece >= 9 { Err(piece) } else { Ok(piece) }
            };
            let mut taken = 0;
            let found = threads(n).in_order(1000, work, |_, _| {
                taken += 1;
                Ok(())
            });
            assert_eq!((found, taken), (Err(9), 9), "{n} threads");
            assert!(begun.into_inner() <= 10 + BEGUN * n);
            assert_eq!(threads(n).in_order(1000, Ok, |piece, _| if piece == 5 { Err(piece) } else { Ok(()) }), Err(5));
        }
    }

    #[test]
    fn a_panic_is_the_callers() {
        for n in [1, 4] {
            let work = |piece: usize| if piece == 3 { panic!("three") } else { Ok::<_, ()>(piece) };
            let found = catch_unwind(AssertUnwindSafe(|| threads(n).in_order(100, work, |_, _| Ok(()))));
            assert_eq!(found.unwrap_err().downcast_ref(), Some(&"three"), "{n} threads");
        }
    }

    #[test]
    fn a_number_of_threads_is_one_at_least() {
        assert_eq!("3".parse(), Ok(threads(3)));
        for text in ["0", "-1", "many", "100000"] {
            let why: Result<Threads, String> = text.parse();
            assert_eq!(why, Err(format!("`{text}` is no number of threads; write 1 to 1024")));
        }
    }
}
