//! Bounds how many places are dealt with at a time; one in trouble makes room for another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// The permits that there are.
#[derive(Debug)]
pub(super) struct Permits {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A permit that somebody has, until it is given up or dropped.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    permits: &'a Permits,
    held: AtomicBool,
}

impl Permits {
    pub(super) fn new(count: usize) -> Self {
        Self { free: Mutex::new(count), freed: Condvar::new() }
    }

    /// Waits for a permit.
    pub(super) fn take(&self) -> Permit<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Permit { permits: self, held: AtomicBool::new(true) }
    }
}

impl Permit<'_> {
    /// Lets somebody else begin; who gave it up goes on without it.
    pub(super) fn give_up(&self) {
        if self.held.swap(false, Ordering::SeqCst) {
            *self.permits.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            self.permits.freed.notify_one();
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_given_up_once_however_often_that_is_said() {
        let permits = Permits::new(1);
        let first = permits.take();
        first.give_up();
        first.give_up();
        let second = permits.take();
        drop(first);
        assert_eq!(*permits.free.lock().unwrap(), 0);
        drop(second);
        assert_eq!(*permits.free.lock().unwrap(), 1);
    }
}
