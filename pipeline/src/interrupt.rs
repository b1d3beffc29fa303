//! Ctrl-C: long work looks at a flag between instances and ends cleanly, leaving nothing half-written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether Ctrl-C has been pressed.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on for the rest of the process; the signal no longer ends the process by itself.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn listen() -> std::io::Result<Self> {
        let flag = Self::default();
        let raised = flag.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut signal = {
            let _entered = runtime.enter();
            signal()?
        };
        std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
            runtime.block_on(signal.recv());
            raised.raise();
        })?;
        Ok(flag)
    }

    /// Says whether it has been pressed.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Does as if it had been pressed.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(unix)]
fn signal() -> std::io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
}

#[cfg(windows)]
fn signal() -> std::io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}
