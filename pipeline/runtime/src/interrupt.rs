//! Ctrl-C and SIGTERM: long work looks at a flag between instances and ends cleanly, leaving nothing half-written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the work may take to end once it was asked to; a service manager is promised ten seconds.
const PATIENCE: Duration = Duration::from_secs(8);
/// As shells have it.
const EXIT_CODE: i32 = 130;

/// Whether Ctrl-C has been pressed.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on for the rest of the process. The signal no longer ends the process by itself, but work that does not look at
    /// the flag within eight seconds, such as a call that nobody answers, is ended with the process: as after any crash, the next run
    /// completes it.
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
            std::thread::sleep(PATIENCE);
            tracing::error!(
                "not ended {} s after it was asked to, so it is ended now; the next run completes what was begun",
                PATIENCE.as_secs()
            );
            std::process::exit(EXIT_CODE);
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
