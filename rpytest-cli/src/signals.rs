//! What the user's signals ask for. A thread counts them; the session looks when it is convenient.

use std::io;
#[cfg(unix)]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

#[cfg(unix)]
use signal_hook::consts::{SIGCONT, SIGHUP, SIGTSTP, SIGWINCH};
use signal_hook::consts::{SIGINT, SIGTERM};
#[cfg(unix)]
use signal_hook::iterator::Handle;

/// Signals received since a run began.
#[derive(Clone, Default)]
pub(crate) struct Signals {
    interrupts: Arc<AtomicUsize>,
    /// Interrupts of the runs before.
    before: usize,
    terminated: Arc<AtomicI32>,
    suspensions: Arc<AtomicUsize>,
    resizes: Arc<AtomicUsize>,
    listener: Arc<Mutex<Option<Listener>>>,
}

/// Of the thread that waits for signals.
#[cfg(unix)]
static HANDLE: OnceLock<Handle> = OnceLock::new();

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
    /// Takes SIGINT and SIGTERM over from here to the end of the process. Where SIGINT is ignored, as for what a
    /// script has put in the background, it stays so, for this process and for those that it starts.
    pub fn install() -> io::Result<Self> {
        Self::taking(if is_interrupt_ignored() {
            &[SIGTERM]
        } else {
            &[SIGINT, SIGTERM]
        })
    }

    /// Takes both, whoever has started this process: for who starts others on behalf of those who come later.
    #[cfg(unix)]
    pub fn install_anyway() -> io::Result<Self> {
        Self::taking(&[SIGINT, SIGTERM])
    }

    fn taking(signals: &[i32]) -> io::Result<Self> {
        static INSTALLED: Mutex<Option<Signals>> = Mutex::new(None);
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signals) = &*installed {
            let before = signals.interrupts.load(Ordering::SeqCst);
            return Ok(Signals {
                before,
                ..signals.clone()
            });
        }
        let mut arriving = signal_hook::iterator::Signals::new(signals)?;
        let signals = Signals::default();
        let counted = signals.clone();
        #[cfg(unix)]
        let _ = HANDLE.set(arriving.handle());
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for signal in &mut arriving {
                    match signal {
                        SIGINT => _ = counted.interrupts.fetch_add(1, Ordering::SeqCst),
                        SIGTERM => counted.terminated.store(signal, Ordering::SeqCst),
                        #[cfg(unix)]
                        SIGHUP => counted.terminated.store(signal, Ordering::SeqCst),
                        #[cfg(unix)]
                        SIGTSTP => _ = counted.suspensions.fetch_add(1, Ordering::SeqCst),
                        #[cfg(unix)]
                        SIGWINCH => _ = counted.resizes.fetch_add(1, Ordering::SeqCst),
                        _ => {}
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

    /// Takes over what else a terminal says: that the run is to be suspended, that it goes on, and that the
    /// window has another size. Whoever asks for it has to see to the first.
    #[cfg(unix)]
    pub fn of_the_terminal(&self) -> io::Result<()> {
        let handle = HANDLE.get();
        let mut signals = [SIGTSTP, SIGCONT, SIGWINCH].into_iter();
        handle.map_or(Ok(()), |handle| {
            signals.try_for_each(|signal| handle.add_signal(signal))
        })
    }

    /// Takes SIGHUP for one more SIGTERM: for who has something to put in order before the terminal is gone. Under
    /// `nohup` it stays ignored.
    #[cfg(unix)]
    pub fn of_a_closed_terminal(&self) -> io::Result<()> {
        let handle = HANDLE.get().filter(|_| !is_ignored(SIGHUP));
        handle.map_or(Ok(()), |handle| handle.add_signal(SIGHUP))
    }

    /// Whether the terminal has asked for a suspension since this was called last.
    #[cfg(unix)]
    pub fn suspended(&self) -> bool {
        self.suspensions.swap(0, Ordering::SeqCst) > 0
    }

    /// Whether the window has another size than when this was called last.
    #[cfg(unix)]
    pub fn resized(&self) -> bool {
        self.resizes.swap(0, Ordering::SeqCst) > 0
    }

    /// Stands still until the user wants this process to go on.
    #[cfg(unix)]
    pub fn stand_still() {
        if let Err(error) = signal_hook::low_level::emulate_default_handler(SIGTSTP) {
            tracing::warn!(%error, "the process is not suspended");
        }
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

    /// The exit code of a run that is ended by what has come.
    pub fn ended_by(&self) -> Option<u8> {
        match self.terminated() {
            Some(signal) => Some(128u8.saturating_add(u8::try_from(signal).unwrap_or(0))),
            None => (self.interrupts() > 0).then_some(crate::exit::INTERRUPTED),
        }
    }

    /// The signal that asks this process to end, if one has come.
    pub fn terminated(&self) -> Option<i32> {
        Some(self.terminated.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }
}

/// Whether SIGINT is nothing to this process.
pub(crate) fn is_interrupt_ignored() -> bool {
    #[cfg(unix)]
    return is_ignored(SIGINT);
    #[cfg(not(unix))]
    false
}

/// By what the kernel says of this process; where it does not, a signal does as ever.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 << (signal - 1) != 0)
}
