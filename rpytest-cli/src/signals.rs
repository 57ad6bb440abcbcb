//! What the user's signals ask for. A thread counts them; the session looks when it is convenient.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use signal_hook::consts::{SIGCONT, SIGINT, SIGTERM};

/// Signals received since a run began.
#[derive(Clone, Default)]
pub(crate) struct Signals {
    interrupts: Arc<AtomicUsize>,
    /// Interrupts of the runs before.
    before: usize,
    terminated: Arc<AtomicI32>,
    listener: Arc<Mutex<Option<Listener>>>,
}

/// Is told of each signal when it comes.
type Listener = Box<dyn Fn(i32) + Send>;

impl std::fmt::Debug for Signals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signals")
            .field("interrupts", &self.interrupts())
            .field("terminated", &self.terminated())
            .finish_non_exhaustive()
    }
}

impl Signals {
    /// Takes SIGINT and SIGTERM over, and takes note of SIGCONT, from here to the end of the process.
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
        let mut arriving = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGCONT])?;
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for signal in &mut arriving {
                    if signal == SIGINT {
                        counted.interrupts.fetch_add(1, Ordering::SeqCst);
                    } else if signal == SIGTERM {
                        counted.terminated.store(signal, Ordering::SeqCst);
                    }
                    let listener = counted.listener.lock();
                    if let Some(tell) = &*listener.unwrap_or_else(PoisonError::into_inner) {
                        tell(signal);
                    }
                }
            })?;
        *installed = Some(signals.clone());
        Ok(signals)
    }

    /// Whom to tell of each signal from now on.
    #[cfg(unix)]
    pub fn listen(&self, tell: impl Fn(i32) + Send + 'static) {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        *listener = Some(Box::new(tell));
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
