//! A session: one host, one controller, and what it takes to run the tests that it plans.
//!
//! Everything that happens arrives as one event after the other on one channel, and is handled here
//! in that order by one thread: there is no state to share. The [`Crew`] keeps the workers, the
//! [`Solo`] the items of a controller that runs its tests itself.

mod crew;
mod ends;
mod focus;
mod helpers;
mod interrupt;
#[cfg(unix)]
mod lend;
#[cfg(not(unix))]
#[path = "no_lend.rs"]
mod lend;
mod limits;
mod listening;
mod progress;
mod ready;
mod results;
mod reuse;
mod solo;
mod stopping;
mod timed;
mod timing;
mod ways;
mod words;

use std::ffi::OsString;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use rpytest_ipc::{Outcome, Role, Settled, ToPython, ToRust};
use rpytest_worker::{EventKind, ProcessId, Signal, SupervisorEvent};

use self::crew::Crew;
pub(crate) use self::focus::{Focus, Opened, Stop, Told, run_focused};
use self::helpers::Helpers;
use self::interrupt::Interrupts;
use self::limits::Limits;
use self::progress::Progress;
use self::ready::Events;
pub(crate) use self::ready::{Processes, Ready};
use self::solo::Solo;
pub(crate) use self::timing::Bound;
use self::timing::{Stage, Timing};
use self::ways::Ways;
pub(crate) use self::words::{Crash, decode, describe, encode, tell};
use crate::args::RunArguments;
use crate::events::Stream;
use crate::exit;
use crate::history::History;
use crate::ledger::Ledger;
use crate::settings::Snapshot;
use crate::shard::{Sharding, Surprise};
use crate::signals::Signals;
use crate::timeline::Timeline;

/// How often signals are looked at when nothing else happens.
const TICK: Duration = Duration::from_millis(50);

/// How many events are handled before the controller is told of them.
const AT_ONCE: usize = 256;

/// How long processes have to end by themselves when the session is over.
const GRACE: Duration = Duration::from_secs(2);

/// Runs a session and returns pytest's exit code.
pub(crate) fn run(arguments: &RunArguments) -> u8 {
    focused(arguments, None, &Stop::default()).code
}

fn focused(arguments: &RunArguments, focus: Option<Focus>, stop: &Stop) -> Told {
    let begun = Instant::now();
    // Before anything is started: an interrupt counts from here, whatever it finds under way.
    let signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("rpytest: error: failed to wait for signals: {error}");
            return Told::failed(exit::INTERNAL_ERROR);
        }
    };
    let run = |foresees| {
        let ready = Ready::for_run(arguments, focus.is_some(), foresees, signals.clone());
        // Nobody is there yet whom a signal that has come by now could have reached.
        if let Some(code) = signals.ended_by() {
            eprintln!("rpytest: interrupted");
            return Told::failed(code);
        }
        match ready {
            Ok(ready) => ready
                .since(begun)
                .run_focused(arguments, focus.clone(), stop),
            Err(error) => {
                eprintln!("rpytest: error: {error}");
                Told::failed(exit::USAGE_ERROR)
            }
        }
    };
    let told = run(true);
    if !told.is_surprised {
        return told;
    }
    eprintln!("rpytest: the tests are not those that the source says; the run begins again");
    run(false)
}

impl Ready {
    /// Runs a session in it, to its end.
    pub(crate) fn run(self, arguments: &RunArguments) -> u8 {
        self.run_focused(arguments, None, &Stop::default()).code
    }

    fn run_focused(self, arguments: &RunArguments, focus: Option<Focus>, stop: &Stop) -> Told {
        #[cfg(unix)]
        if let Err(error) = self.signals.of_the_terminal() {
            tracing::warn!(%error, "the terminal's signals");
        }
        let timeline = match timed::begin(arguments, self.begun) {
            Ok(timeline) => timeline,
            Err(message) => {
                eprintln!("rpytest: error: {message}");
                return Told::failed(exit::USAGE_ERROR);
            }
        };
        let may_begin_again = self.foresight.is_some();
        let stream = match Stream::of(arguments, self.begun) {
            Ok(stream) => stream.map(|stream| stream.provisional(may_begin_again)),
            Err(error) => {
                eprintln!("rpytest: error: failed to {error}");
                return Told::failed(exit::USAGE_ERROR);
            }
        };
        let events = self.events;
        let runs = !arguments.collects_only();
        let focus = focus.or_else(|| {
            let only = self.foresight.as_ref()?.only.clone();
            Some(Focus {
                only: Some(only),
                ..Focus::default()
            })
        });
        let mut session = Session {
            argv: arguments.pytest.clone(),
            focus: focus.map(Focus::into_message),
            opened: Opened::default(),
            stop: stop.clone(),
            explain: arguments.explain,
            timing: Timing::new(self.begun),
            shows_timing: arguments.timing.told,
            timeline,
            built: Ways::default(),
            ways: Ways::default(),
            helpers: Helpers::default(),
            limits: Limits::default(),
            is_late: false,
            controller: self.processes.host,
            template: None,
            interrupts: Interrupts::new(self.signals),
            part: Part::Undecided,
            history: History::default(),
            over: None,
            again: None,
            exit: None,
            notes: Vec::new(),
            sharding: (self.shard).map(|shard| Sharding::new(shard, self.foresight, runs)),
            is_surprised: false,
            stream,
            progress: None,
            processes: self.processes,
        };
        self.lender.show_what_was_written();
        session.notes.extend(self.lender.notes());
        session.notes.extend(self.note);
        session.controller = session.start_controller(Vec::new());
        if arguments.certain_workers {
            session.start_template();
        }
        let code = session.until_over(&events);
        let code = session.of_an_empty_shard(code);
        let code = session.finish(code);
        if session.has_run_to_its_end() {
            let interpreter = &session.processes.interpreter;
            self.lender
                .start_for_the_next(interpreter, &arguments.pytest);
        }
        Told {
            code,
            results: session.results(),
            left: session.left(),
            opened: session.opened,
            is_surprised: session.is_surprised,
        }
    }
}

/// Who runs the tests.
enum Part {
    /// The controller has not said yet.
    Undecided,
    /// The controller itself.
    Solo(Solo),
    /// Workers.
    Crew(Box<Crew>),
}

/// Everything that a run needs to know between two events.
struct Session {
    processes: Processes,
    argv: Vec<OsString>,
    focus: Option<rpytest_ipc::Focus>,
    opened: Opened,
    stop: Stop,
    explain: bool,
    timing: Timing,
    /// `--timing`.
    shows_timing: bool,
    /// `--timing=html`.
    timeline: Option<Timeline>,
    controller: ProcessId,
    /// A template that was started before the controller had a plan.
    template: Option<ProcessId>,
    interrupts: Interrupts,
    part: Part,
    history: History,
    /// The exit code that the controller's session has announced.
    over: Option<i32>,
    /// Why the run has to begin again, in a process of its own.
    again: Option<String>,
    /// The exit code of this process, once there is nothing left to wait for.
    exit: Option<u8>,
    /// What `--explain` prints.
    notes: Vec<String>,
    /// For a run of one shard.
    sharding: Option<Sharding>,
    /// Whether it has to begin again, since what was foreseen of it is not so.
    is_surprised: bool,
    /// For those who listen.
    stream: Option<Stream>,
    /// A line below the report, where there is room for one.
    progress: Option<Progress>,
    built: Ways,
    ways: Ways,
    helpers: Helpers,
    /// By when items must have ended.
    limits: Limits,
    /// Whether the session has taken longer than it may, and was interrupted for it.
    is_late: bool,
}

impl Session {
    fn until_over(&mut self, events: &Events) -> u8 {
        loop {
            match events.recv_timeout(TICK) {
                Ok(event) => self.handle(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return exit::INTERNAL_ERROR,
            }
            for event in events.try_iter().take(AT_ONCE) {
                self.handle(event);
            }
            self.processes.flush(self.controller);
            self.look_at_limits();
            self.look_at_signals();
            self.show_progress();
            if let Some(code) = self.exit {
                return code;
            }
        }
    }

    // ------------------------------------------------------------------ starting processes

    fn start_controller(&mut self, settled: Vec<Settled>) -> ProcessId {
        let process = self.processes.fresh();
        let message = ToPython::Start {
            role: Role::Controller,
            argv: encode(&self.argv),
            worker: None,
            settled,
            focus: self.focus.clone(),
            sharded: self.sharding.is_some(),
            timed: self.timeline.is_some(),
            listens: self.stream.is_some(),
        };
        self.processes.send(process, &message);
        process
    }

    /// Whether tests have run, and nobody has ended it: that it may be typed again.
    fn has_run_to_its_end(&self) -> bool {
        !self.results().is_empty()
            && self.over.is_some()
            && !self.interrupts.any()
            && self.interrupts.terminated().is_none()
    }

    fn ledger(&self) -> Option<&Ledger> {
        match &self.part {
            Part::Solo(solo) => Some(solo.ledger()),
            Part::Crew(crew) => Some(crew.ledger()),
            Part::Undecided => None,
        }
    }

    /// The tests that have not ended, if it is known which there are.
    fn left(&self) -> Option<Vec<String>> {
        let ledger = self.ledger().filter(|ledger| ledger.len() > 0)?;
        Some(ledger.left().map(str::to_owned).collect())
    }

    /// What is known of each item that ended.
    fn results(&self) -> Vec<(String, Outcome)> {
        let outcomes = self.ledger().map(|ledger| ledger.outcomes().collect());
        outcomes.unwrap_or_default()
    }

    fn start_template(&mut self) {
        let process = self.processes.fresh();
        let role = match self.processes.snapshot {
            Snapshot::Collected => Role::Template,
            Snapshot::Configured | Snapshot::Interpreter | Snapshot::Off => Role::Worker,
        };
        let part = self.crews_part();
        let message = crew::start(role, &self.argv, 0, 1, "", &part);
        self.template = Some(process);
        self.processes.send(process, &message);
    }

    fn crews_part(&self) -> crew::PartOfTests {
        crew::PartOfTests {
            focus: self.focus.clone(),
            sharded: self.sharding.is_some(),
            timed: self.timeline.is_some(),
            listens: self.stream.is_some(),
        }
    }

    // ------------------------------------------------------------------ events

    fn handle(&mut self, event: SupervisorEvent) {
        let SupervisorEvent {
            process, mut kind, ..
        } = event;
        if self.helpers.has(process) {
            return;
        }
        self.time(&kind);
        if let EventKind::Message(message) = &kind {
            self.limits.hear(process, message, Instant::now());
        }
        self.chart(process, &kind);
        self.listen(process, &mut kind);
        match kind {
            EventKind::Message(ToRust::Limit { .. }) => {}
            EventKind::Ready(_) => {
                if let Part::Crew(crew) = &mut self.part {
                    crew.is_ready(process);
                }
            }
            EventKind::Message(ToRust::Rewriting { sources }) => {
                self.helpers.start(&self.processes, &sources);
            }
            EventKind::Message(ToRust::Rewritten {
                kept,
                made,
                refusal,
            }) => {
                let supervisor = &self.processes.supervisor;
                self.helpers.are_done(supervisor, kept, made, refusal);
            }
            EventKind::Message(ToRust::Built {
                short,
                genuine,
                reason,
            }) => self.built.add(short, genuine, reason),
            EventKind::Message(ToRust::Ways {
                short,
                genuine,
                reason,
            }) => self.ways.add(short, genuine, reason),
            EventKind::Message(ToRust::Divide { items }) => {
                if let Some(sharding) = &mut self.sharding {
                    match sharding.divide(items, &self.history) {
                        Ok((tasks, line)) => {
                            let share = ToPython::Share { tasks, line };
                            self.processes.send(process, &share);
                        }
                        Err(surprise) => self.begin_again(surprise),
                    }
                }
            }
            EventKind::Message(ToRust::Artifacts { junit, coverage }) => {
                if let Some(sharding) = &mut self.sharding {
                    sharding.artifacts.junit = junit.map(|path| decode(&path));
                    sharding.artifacts.coverage = coverage.map(|path| decode(&path));
                }
            }
            EventKind::Message(ToRust::MakesRoom { room }) => self.make_room(room),
            EventKind::Message(ToRust::Opened { opened }) => focus::add(&mut self.opened, opened),
            EventKind::Message(message) if process == self.controller => {
                self.controller_says(message)
            }
            EventKind::Message(ToRust::Probed { interrupts, .. }) => {
                let alone = self.interrupts.reached_only_us(interrupts);
                self.interrupt(alone);
            }
            EventKind::Message(message) => {
                if let Part::Crew(crew) = &mut self.part {
                    crew.says(&self.processes, &self.history, process, message);
                } else {
                    tracing::debug!(?message, "from {process}, which has no part yet");
                }
            }
            EventKind::Ended(end) if process == self.controller => {
                let crash = self.crash(process, &end);
                self.controller_ended(&end, crash);
            }
            EventKind::Ended(end) if process == self.processes.host => self.host_ended(&end),
            EventKind::StartFailed(_) if self.interrupts.have_come() => {
                self.interrupted();
            }
            EventKind::StartFailed(error) => {
                eprintln!("rpytest: error: failed to {error}");
                self.exit.get_or_insert(exit::USAGE_ERROR);
            }
            EventKind::ForkFailed(reason) if self.processes.host_forks => {
                // Whoever was to be forked is started by itself instead, and so are all others.
                self.notes
                    .push(format!("interpreters were started one by one: {reason}"));
                self.processes.host_forks = false;
                if process == self.controller {
                    self.controller = self.start_controller(Vec::new());
                } else if self.template == Some(process) {
                    self.start_template();
                    if let (Part::Crew(crew), Some(template)) = (&mut self.part, self.template) {
                        crew.collects_with(template);
                    }
                } else {
                    self.lost(process, reason.into(), None);
                }
            }
            EventKind::ForkFailed(reason) if process == self.controller => {
                eprintln!("rpytest: error: failed to fork the session's process: {reason}");
                self.exit.get_or_insert(exit::INTERNAL_ERROR);
            }
            EventKind::ForkFailed(reason) => self.lost(process, reason.into(), None),
            EventKind::Ended(end) => {
                let crash = self.crash(process, &end);
                self.lost(process, crash, Some(&end));
            }
            _ => {}
        }
    }

    /// Notes when a stage of the run has ended.
    fn time(&mut self, event: &EventKind) {
        let EventKind::Message(message) = event else {
            return;
        };
        match (message, &self.part) {
            (ToRust::Plan { .. }, _) => self.timing.ended(Stage::Setup),
            (ToRust::Inventory { .. }, _) => self.timing.ended(Stage::Collection),
            (ToRust::Result { seconds, .. }, _) => {
                let spent = seconds.setup + seconds.call + seconds.teardown;
                self.timing.ran(spent);
            }
            // Of a worker, others may still run.
            (ToRust::Ways { .. }, Part::Solo(_)) => self.timing.ended(Stage::Teardown),
            _ => {}
        }
    }

    fn controller_says(&mut self, message: ToRust) {
        match message {
            ToRust::Plan { .. } => self.planned(message),
            ToRust::SessionOver { exit } => self.over = Some(exit),
            ToRust::StartOver { reason } => self.again = Some(reason),
            message => match &mut self.part {
                Part::Solo(solo) => solo.says(message),
                Part::Crew(crew) => crew.controller_says(&self.processes, message),
                Part::Undecided => tracing::debug!(?message, "before the plan"),
            },
        }
    }

    fn planned(&mut self, plan: ToRust) {
        let ToRust::Plan {
            workers,
            dist,
            max_worker_restart,
            max_chunk,
            isolate,
            testrunuid,
            cache_dir,
            verbose,
            session_limit,
            in_order,
        } = plan
        else {
            return;
        };
        // A controller that takes over from a crashed one plans again what is going on already.
        if matches!(self.part, Part::Solo(_)) {
            return;
        }
        self.limits.of_session(session_limit);
        let cache = cache_dir.map(|directory| decode(&directory));
        if let Some(directory) = &cache {
            self.history = History::load(directory);
        }
        if let Some(sharding) = &mut self.sharding
            && let Err(surprise) = sharding.is_cached_in(cache)
        {
            return self.begin_again(surprise);
        }
        if workers == 0 {
            if let Some(template) = self.template.take() {
                self.processes.supervisor.kill(template, Signal::Kill);
            }
            self.notes
                .push("the tests run in the session's own process, without -n".into());
            self.part = Part::Solo(Solo::default());
            return;
        }
        if self.template.is_none() {
            self.start_template();
        }
        let settings = crew::Settings {
            workers,
            dist,
            restarts: max_worker_restart,
            max_chunk,
            in_order,
            isolate: crew::Isolate::parse(&isolate),
            testrunuid,
            tells_bound: verbose || self.shows_timing,
            argv: self.argv.clone(),
            part: self.crews_part(),
        };
        let mut crew = Crew::new(settings);
        if let Some(template) = self.template {
            crew.collects_with(template);
        }
        if self.processes.snapshot != Snapshot::Collected {
            crew.start_ahead(&self.processes);
        }
        self.part = Part::Crew(Box::new(crew));
    }

    /// No test has run yet.
    fn begin_again(&mut self, _: Surprise) {
        self.is_surprised = true;
        self.processes.supervisor.shutdown_all(Duration::ZERO);
        self.exit.get_or_insert(exit::INTERNAL_ERROR);
    }
}
