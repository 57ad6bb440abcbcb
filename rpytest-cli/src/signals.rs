//! What the user's signals ask for. A thread counts them; the session looks when it is convenient.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};

/// Signals received since a run began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals {
    interrupts: Arc<AtomicUsize>,
    /// Interrupts of the runs before.
    before: usize,
    terminated: Arc<AtomicI32>,
}

impl Signals {
    /// Takes SIGINT and SIGTERM over from here to the end of the process.
    pub fn install() -> io::Result<Self> {
        static INSTALLED: Mutex<Option<Signals>> = Mutex::new(None);
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signals) = &*installed {
            let before = signals.interrupts.load(Ordering::SeqCst);
            return Ok(Signals {
                before,
                ..signals.clone()
            });
        }
        let signals = Signals::default();
        let counted = signals.clone();
        let mut arriving = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for signal in &mut arriving {
                    if signal == SIGINT {
                        counted.interrupts.fetch_add(1, Ordering::SeqCst);
                    } else {
                        counted.terminated.store(signal, Ordering::SeqCst);
                    }
                }
            })?;
        *installed = Some(signals.clone());
        Ok(signals)
    }

    /// How often the user has interrupted.
    pub fn interrupts(&self) -> usize {
        self.interrupts.load(Ordering::SeqCst) - self.before
    }

    /// The signal that asks this process to end, if one has come.
    pub fn terminated(&self) -> Option<i32> {
        Some(self.terminated.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }
}
