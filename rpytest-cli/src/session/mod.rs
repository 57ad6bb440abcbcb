//! A session: one host, one controller, and what it takes to run the tests that it plans.
//!
//! Everything that happens arrives as one event after the other on one channel, and is handled here
//! in that order by one thread: there is no state to share. The [`Crew`] keeps the workers, the
//! [`Solo`] the items of a controller that runs its tests itself.

mod crew;
mod focus;
mod helpers;
mod interrupt;
#[cfg(unix)]
mod lend;
#[cfg(not(unix))]
#[path = "no_lend.rs"]
mod lend;
mod limits;
mod ready;
mod reuse;
mod solo;
mod timing;
mod ways;
mod words;

use std::ffi::OsString;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use rpytest_ipc::{Outcome, Role, Settled, ToPython, ToRust};
use rpytest_worker::{End, EventKind, ProcessEnd, ProcessId, Signal, SupervisorEvent};

use self::crew::Crew;
pub(crate) use self::focus::{Focus, Opened, Stop, Told, run_focused};
use self::helpers::Helpers;
use self::interrupt::Interrupts;
use self::limits::Limits;
use self::ready::Events;
pub(crate) use self::ready::{Processes, Ready};
use self::solo::Solo;
use self::timing::{Stage, Timing};
use self::ways::Ways;
pub(crate) use self::words::{Crash, decode, describe, encode, tell};
use crate::args::RunArguments;
use crate::exit;
use crate::flakiness;
use crate::history::History;
use crate::ledger::Ledger;
use crate::settings::Snapshot;
use crate::shard::{Sharding, Surprise};
use crate::signals::Signals;

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
            shows_timing: arguments.timing,
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
            if let Some(code) = self.exit {
                return code;
            }
        }
    }

    /// Keeps what there is to keep, says what there is to say, and returns the exit code.
    fn finish(&mut self, code: u8) -> u8 {
        if self.is_surprised {
            return code;
        }
        self.notes
            .extend(self.sharding.as_ref().and_then(Sharding::note));
        let isolation = match &self.part {
            Part::Crew(crew) => {
                self.notes.extend(crew.notes());
                crew.isolation()
            }
            Part::Solo(_) | Part::Undecided => None,
        };
        self.notes.extend(isolation.clone());
        let code = self.keep_results(code);
        self.notes.extend(
            self.built
                .note("tests were collected the short way", "by pytest itself"),
        );
        self.notes.extend(
            self.ways
                .note("tests were run by the short protocol", "by pytest's own"),
        );
        self.notes.extend(self.helpers.notes());
        if self.explain {
            for note in &self.notes {
                eprintln!("rpytest: {note}");
            }
        }
        if self.shows_timing {
            let bound = match &self.part {
                Part::Crew(crew) => crew.bound(),
                Part::Solo(_) | Part::Undecided => None,
            };
            for line in self.timing.lines(bound).into_iter().chain(isolation) {
                eprintln!("rpytest: {line}");
            }
        }
        self.processes.supervisor.shutdown_all(GRACE);
        code
    }

    /// Keeps what the run has measured; of a shard what came of it, too. A shard that cannot be joined as it was asked to be
    /// has failed, whatever its tests say.
    fn keep_results(&mut self, code: u8) -> u8 {
        let ledger = match &self.part {
            Part::Solo(solo) => solo.ledger(),
            Part::Crew(crew) => crew.ledger(),
            Part::Undecided => return code,
        };
        if let Some(cache) = self.history.cache() {
            flakiness::keep(cache, ledger);
        }
        let Some(sharding) = &self.sharding else {
            self.history.record(ledger);
            if let Err(error) = self.history.save() {
                eprintln!("rpytest: warning: failed to {error}");
            }
            return code;
        };
        let (Some(division), Some(kept)) = (sharding.division(), sharding.kept()) else {
            return code;
        };
        let measured = self.history.measured(ledger);
        let results = ledger.statuses();
        let Err(error) = kept.end(division, results, &measured, &sharding.artifacts, code) else {
            return code;
        };
        if kept.is_named() {
            eprintln!("rpytest: error: failed to {error}");
            return match code {
                0 | 1 => exit::INTERNAL_ERROR,
                // It says already that the run is not what it should have been.
                code => code,
            };
        }
        eprintln!("rpytest: warning: failed to {error}");
        code
    }

    /// pytest takes it for an error that there is nothing to run; for a shard it is none if others have something.
    fn of_an_empty_shard(&self, code: u8) -> u8 {
        let is_empty = self.sharding.as_ref().is_some_and(Sharding::is_empty);
        match code {
            exit::NO_TESTS_COLLECTED if is_empty => 0,
            code => code,
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
        }
    }

    // ------------------------------------------------------------------ events

    fn handle(&mut self, event: SupervisorEvent) {
        let SupervisorEvent { process, kind, .. } = event;
        if self.helpers.has(process) {
            return;
        }
        self.time(&kind);
        if let EventKind::Message(message) = &kind {
            self.limits.hear(process, message, Instant::now());
        }
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
            EventKind::Message(ToRust::Opened { opened }) => focus::add(&mut self.opened, opened),
            EventKind::Message(message) if process == self.controller => {
                self.controller_says(message)
            }
            EventKind::Message(ToRust::Probed { interrupts, .. }) => {
                let alone = self.interrupts.reached_only_us(interrupts);
                if alone {
                    self.processes
                        .supervisor
                        .kill(self.controller, Signal::Interrupt);
                }
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

    /// What is told of the item that a process ran when it ended.
    fn crash(&mut self, process: ProcessId, end: &End) -> Crash {
        match self.limits.ended(process, end) {
            Some((limit, stacks)) => Crash {
                reason: stacks,
                limit: Some(limit),
            },
            None => describe(end).into(),
        }
    }

    /// A process other than host and controller is no more.
    fn lost(&mut self, process: ProcessId, crash: Crash, end: Option<&End>) {
        if self.template == Some(process) {
            self.template = None;
        }
        if let Part::Crew(crew) = &mut self.part {
            crew.ended(&self.processes, process, &crash, end);
            if crew.is_done() {
                self.timing.ended(Stage::Teardown);
            }
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

    // ------------------------------------------------------------------ ends

    fn controller_ended(&mut self, end: &End, crash: Crash) {
        if let Some(code) = self.over {
            let code = self.checked(code);
            self.exit.get_or_insert(code);
            return;
        }
        if let Some(reason) = self.again.take()
            && !self.interrupts.any()
        {
            return self.start_over(&reason);
        }
        if let Part::Solo(solo) = &mut self.part
            && let Some(settled) = solo.crashed(crash)
            && !self.interrupts.any()
        {
            self.controller = self.start_controller(settled);
            return;
        }
        if self.interrupts.any() {
            self.exit.get_or_insert(exit::INTERRUPTED);
            return;
        }
        eprintln!("rpytest: error: the session's process {end}; no further test was run");
        if let Some(text) = &end.crash_text {
            eprintln!("{text}");
        }
        let code = match end.status {
            ProcessEnd::Code(code) if code != 0 => {
                u8::try_from(code).unwrap_or(exit::INTERNAL_ERROR)
            }
            _ => exit::INTERNAL_ERROR,
        };
        self.exit.get_or_insert(code);
    }

    /// Nothing of the tests has run yet.
    fn start_over(&mut self, reason: &str) {
        eprintln!(
            "rpytest: no fixtures are reused: {reason}; the run begins again in a new process"
        );
        match self
            .processes
            .supervisor
            .spawn_host(&self.processes.interpreter)
        {
            Ok(host) => {
                self.processes.host = host;
                self.processes.is_lent = false;
                self.processes.keeps_fixtures = false;
                self.processes.host_forks = self.processes.snapshot != Snapshot::Off;
                self.part = Part::Undecided;
                self.controller = self.start_controller(Vec::new());
            }
            Err(error) => {
                eprintln!("rpytest: error: failed to {error}");
                self.exit.get_or_insert(exit::INTERNAL_ERROR);
            }
        }
    }

    /// The session's exit code, unless an item was lost on the way to it.
    fn checked(&self, code: i32) -> u8 {
        let code = u8::try_from(code).unwrap_or(exit::INTERNAL_ERROR);
        let unaccounted = match &self.part {
            Part::Solo(solo) => solo.unaccounted(),
            // The crew has told the controller, which has told the user.
            Part::Crew(_) | Part::Undecided => None,
        };
        match unaccounted {
            Some(message) if code <= 1 => {
                eprintln!("rpytest: error: {message}");
                exit::INTERNAL_ERROR
            }
            _ => code,
        }
    }

    fn host_ended(&mut self, end: &End) {
        self.processes.host_forks = false;
        if self.over.is_none() && !end.by_supervisor {
            tracing::warn!("the host {end}");
        }
    }

    // ------------------------------------------------------------------ signals

    /// A terminal tells its foreground processes, of which those in a group of their own are none.
    #[cfg(unix)]
    fn look_at_the_terminal(&self) {
        use rustix::process::{Pid, Signal, kill_process};
        let pass_on = |signal| {
            for pid in self.processes.supervisor.pids() {
                let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
                // It may have ended.
                let _ = pid.map(|pid| kill_process(pid, signal));
            }
        };
        let signals = self.interrupts.signals();
        if signals.resized() && self.processes.is_lent {
            pass_on(Signal::WINCH);
        }
        if signals.suspended() {
            pass_on(Signal::STOP);
            Signals::stand_still();
            pass_on(Signal::CONT);
        }
    }

    /// Whoever takes longer than they may is seen to.
    fn look_at_limits(&mut self) {
        self.limits
            .enforce(&self.processes.supervisor, Instant::now());
        if self.over.is_some() {
            return;
        }
        let took = self.timing.elapsed();
        if self.interrupts.any() {
            if self.is_late && self.limits.is_long_over(took) {
                self.processes.supervisor.shutdown_all(Duration::ZERO);
                eprintln!("\nrpytest: the session does not end, and was ended at once");
                self.exit = Some(exit::INTERRUPTED);
            }
        } else if let Some(text) = self.limits.is_over(took) {
            eprintln!("\nrpytest: {text}; interrupted");
            self.is_late = true;
            self.interrupts.take_note_of_one();
        }
    }

    fn look_at_signals(&mut self) {
        if self.stop.is_set() {
            self.interrupts.take_note_of_one();
        }
        #[cfg(unix)]
        self.look_at_the_terminal();
        if let Some(signal) = self.interrupts.terminated() {
            self.processes.supervisor.shutdown_all(Duration::ZERO);
            self.exit = Some(128u8.saturating_add(u8::try_from(signal).unwrap_or(0)));
            return;
        }
        match self.interrupts.new_ones() {
            0 => {}
            _ if self.interrupts.count() > 1 => {
                self.processes.supervisor.shutdown_all(Duration::ZERO);
                eprintln!("\nrpytest: interrupted twice, ended at once");
                self.exit = Some(exit::INTERRUPTED);
            }
            _ => {
                // Whether the controller has had the signal, too, depends on who sent it to whom.
                if self.processes.keeps_fixtures {
                    // It is in a session of its own, and no terminal's.
                    let supervisor = &self.processes.supervisor;
                    supervisor.kill(self.controller, Signal::Interrupt);
                } else {
                    let probe = ToPython::Probe { token: 0 };
                    self.processes.send(self.processes.host, &probe);
                }
                if let Part::Crew(crew) = &mut self.part {
                    crew.interrupt(&self.processes);
                }
                if let Part::Undecided = self.part
                    && let Some(template) = self.template
                {
                    self.processes.supervisor.kill(template, Signal::Kill);
                }
            }
        }
    }
}
