//! What a session needs before it begins: a host that runs, its own or one that the daemon lends.

use std::cell::RefCell;
use std::time::Instant;

use rpytest_ipc::ToPython;
use rpytest_worker::interpreter::ThisProcess;
use rpytest_worker::{
    Interpreter, ProcessId, PythonFiles, RewrittenStore, Signal, Supervisor, SupervisorEvent,
};

use super::lend::{self, Lender};
use super::reuse;
use crate::args::RunArguments;
use crate::settings::{Settings, Snapshot};
use crate::shard::{self, Foresight, Kept, Shard};
use crate::signals::Signals;

pub(crate) type Events = std::sync::mpsc::Receiver<SupervisorEvent>;

/// A host that runs, and nothing else yet.
pub(crate) struct Ready {
    pub(crate) processes: Processes,
    pub(crate) signals: Signals,
    pub(crate) events: Events,
    pub(super) lender: Lender,
    /// For `--explain`.
    pub(super) note: Option<String>,
    pub(super) shard: Option<Shard>,
    /// What is known of it already.
    pub(super) foresight: Option<Foresight>,
    pub(super) begun: Instant,
}

impl Ready {
    /// Starts the host.
    pub(crate) fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let snapshot = Settings::of_the_project()?.0.snapshot;
        let snapshot = snapshot.unwrap_or(Snapshot::Collected);
        Self::with(snapshot, Signals::install()?, |supervisor, interpreter| {
            let host = supervisor.spawn_host(interpreter)?;
            Ok((host, Lender::default()))
        })
    }

    /// The same, of a run that began at that time.
    pub(super) fn since(self, begun: Instant) -> Self {
        Self { begun, ..self }
    }

    /// Borrows a host of the daemon's for a run, if there is one, or starts one.
    pub(super) fn for_run(
        arguments: &RunArguments,
        focused: bool,
        foresees: bool,
        signals: Signals,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let settings = Settings::of_the_project()?.0;
        for warning in &settings.warnings {
            eprintln!("rpytest: warning: {warning}");
        }
        let snapshot = settings.snapshot.unwrap_or(Snapshot::Collected);
        let shard = match &arguments.shard {
            Some(wish) => Some(shard::resolve(wish, &settings)?.0),
            None => None,
        };
        let runs = !arguments.collects_only();
        if let Some(kept) = (shard.as_ref())
            .filter(|_| runs)
            .and_then(|shard| Kept::of(shard, None))
        {
            kept.make()?;
        }
        let foresight = (shard.as_ref())
            .filter(|_| foresees && runs)
            .and_then(|shard| shard::foresee(arguments, shard));
        // What was collected for somebody who runs all of it is not what a part of it is made of.
        let deepest = match focused || shard.is_some() {
            true => snapshot.min(Snapshot::Configured),
            false => snapshot,
        };
        let daemon = lend::whether(arguments, snapshot);
        let (reuse, note) = match shard {
            Some(_) => (None, None),
            None => reuse::reuse(arguments, &settings, &daemon)?,
        };
        let mut ready = Self::with(snapshot, signals, |supervisor, interpreter| {
            let lender = match daemon {
                Ok(()) => lend::borrow(supervisor, interpreter, &arguments.pytest, deepest, reuse),
                Err(reason) => Lender::none(reason),
            };
            let host = match lender.host() {
                Some(host) => host,
                None => supervisor.spawn_host(interpreter)?,
            };
            Ok((host, lender))
        })?;
        ready.note = note;
        ready.shard = shard;
        ready.foresight = foresight;
        Ok(ready)
    }

    fn with(
        snapshot: Snapshot,
        signals: Signals,
        host: impl FnOnce(
            &Supervisor,
            &Interpreter,
        ) -> Result<(ProcessId, Lender), Box<dyn std::error::Error>>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let directory = std::env::current_dir()?;
        let interpreter = Interpreter::find(&directory, &ThisProcess)?;
        let files = PythonFiles::unpack(&ThisProcess)?;
        let mut options = rpytest_worker::Options::new(files);
        options.rewritten = RewrittenStore::of_the_user(&ThisProcess);
        if let Some(store) = options.rewritten.clone() {
            // Nobody waits for it: what it does not come to is left for the next run.
            let tidy = std::thread::Builder::new().name("rpytest-tidy".into());
            tidy.spawn(move || store.tidy())?;
        }
        let (supervisor, events) = Supervisor::new(options)?;
        let (host, lender) = host(&supervisor, &interpreter)?;
        let processes = Processes {
            supervisor,
            interpreter,
            host,
            is_lent: lender.host().is_some(),
            keeps_fixtures: lender.keeps_fixtures(),
            host_forks: snapshot != Snapshot::Off,
            snapshot,
            outbox: RefCell::default(),
        };
        Ok(Ready {
            processes,
            signals,
            events,
            lender,
            note: None,
            shard: None,
            foresight: None,
            begun: Instant::now(),
        })
    }
}

/// The supervisor, and what it starts processes from.
pub(crate) struct Processes {
    pub(crate) supervisor: Supervisor,
    pub(super) interpreter: Interpreter,
    pub(super) host: ProcessId,
    /// Whether the host is the daemon's, and in no group that the terminal knows.
    pub(super) is_lent: bool,
    /// Whether the host is one in which fixtures stay up: it is the controller as well.
    pub(super) keeps_fixtures: bool,
    /// Whether the host may be asked to fork; if not, interpreters are started one by one.
    pub(super) host_forks: bool,
    pub(super) snapshot: Snapshot,
    /// What the controller is to be told, until there is nothing else to do: in a run of short tests
    /// there is always a next event, and telling costs less in one go.
    pub(super) outbox: RefCell<Vec<ToPython>>,
}

impl Processes {
    /// A process that plays one part, from the interpreter stage.
    pub(crate) fn fresh(&self) -> ProcessId {
        if !self.host_forks
            && let Ok(process) = self.supervisor.spawn_process(&self.interpreter)
        {
            return process;
        }
        self.supervisor.fork(self.host)
    }

    /// Sends what has been put by for the controller.
    pub(super) fn flush(&self, controller: ProcessId) {
        let messages = self.outbox.take();
        if messages.is_empty() {
            return;
        }
        if let Err(error) = self.supervisor.send_all(controller, &messages) {
            tracing::error!(%error, "messages to the controller");
            self.supervisor.kill(controller, Signal::Kill);
        }
    }

    /// Queues a message. One that is too large to be sent is a defect of ours; the peer that waits
    /// for it must not wait for ever.
    pub(crate) fn send(&self, to: ProcessId, message: &ToPython) {
        if let Err(error) = self.supervisor.send(to, message) {
            tracing::error!(%error, "message to {to}");
            self.supervisor.kill(to, Signal::Kill);
        }
    }
}
