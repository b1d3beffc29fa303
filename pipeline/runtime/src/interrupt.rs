//! Ctrl-C and SIGTERM: long work looks at a flag between instances and ends cleanly, leaving nothing half-written.

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
        let signal = {
            let _entered = runtime.enter();
            signal()?
        };
        std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
            runtime.block_on(signal);
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

/// Gives what waits for Ctrl-C or a polite request to end; the signals are taken over when this returns.
#[cfg(unix)]
fn signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Gives what waits for Ctrl-C; the signal is taken over when this returns.
#[cfg(windows)]
fn signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}
