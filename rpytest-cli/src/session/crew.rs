//! The workers of a run: where they come from, what they are given, and how they end.
//!
//! A template collects. If it may be shared, workers are forked from it; if not, it becomes the
//! first worker itself, and the others are forked from the host and collect for themselves. What a
//! worker is given is the [`Feed`]'s to say.

mod collection;
mod ends;
mod feed;
mod isolation;
mod start;

use std::collections::HashMap;
use std::ffi::OsString;
use std::time::Instant;

use rpytest_ipc::{Address, Assignment, Event, InventoryItem, Role, ToPython, ToRust};
use rpytest_sched::{TaskId, WorkerId};
use rpytest_worker::{ProcessId, Signal};
use serde_bytes::ByteBuf;

use self::feed::{Feed, Say};
use self::isolation::Isolation;
use super::timing::Bound;
use super::{Crash, Processes, tell};
use crate::history::History;
use crate::ledger::{Ledger, Spent};

pub(super) use self::feed::Isolate;
use self::start::name;
pub(super) use self::start::{PartOfTests, start};

/// What the controller has planned.
pub(super) struct Settings {
    pub workers: u32,
    pub dist: String,
    pub restarts: Option<u32>,
    pub max_chunk: Option<u32>,
    /// Whether scopes are given out as collected.
    pub in_order: bool,
    pub isolate: Isolate,
    pub testrunuid: String,
    /// Whether the session says how good the plan is.
    pub tells_bound: bool,
    pub argv: Vec<OsString>,
    pub part: PartOfTests,
}

/// How many processes of one worker may be about to end before another one's turn comes. A test may leave a
/// thread that goes on for a while, and there may be as many processes as tests.
const LINGERING: usize = 8;

/// Where a worker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It configures and collects, or waits for what it needs to.
    Collecting,
    /// With isolation: it is there to be the next process of a worker, when the present one has finished.
    Waiting,
    /// It takes assignments.
    Running,
    /// It has said that it is done.
    Finished,
}

struct Worker {
    id: WorkerId,
    /// `gw0`.
    name: String,
    stage: Stage,
    /// The number in its name.
    number: u32,
    /// Whether it knows that nothing more will come.
    told_to_finish: bool,
    /// Its `workeroutput`, once it is done.
    output: Option<ByteBuf>,
    interrupted: bool,
}

/// A process that has died.
pub(super) struct Loss {
    /// Its name as a worker.
    pub worker: String,
    /// What it ran.
    pub task: Option<u32>,
    /// How it ended.
    pub reason: String,
}

pub(super) struct Crew {
    settings: Settings,
    /// The process that collects for all, until it is shared or has become a worker.
    template: Option<ProcessId>,
    /// Whether workers can be forked from the template.
    shared: bool,
    inputs: HashMap<String, ByteBuf>,
    items: Vec<InventoryItem>,
    ledger: Ledger,
    feed: Option<Feed>,
    workers: HashMap<ProcessId, Worker>,
    /// What workers collected for themselves before the first of them had.
    early: Vec<(ProcessId, Vec<InventoryItem>)>,
    next_id: u32,
    /// For names: a replacement has a number of its own.
    next_number: u32,
    crashes: u32,
    fruitless: u32,
    stop: Option<String>,
    interrupted: bool,
    problem: Option<String>,
    done: bool,
    notes: Vec<String>,
    /// Processes that have died, for those who listen.
    losses: Vec<Loss>,
    /// How good the plan is, if that is known.
    bound: Option<Bound>,
    isolation: Isolation,
}

impl Crew {
    pub fn new(settings: Settings) -> Self {
        Crew {
            settings,
            template: None,
            shared: false,
            inputs: HashMap::new(),
            items: Vec::new(),
            ledger: Ledger::default(),
            feed: None,
            workers: HashMap::new(),
            early: Vec::new(),
            next_id: 0,
            next_number: 0,
            crashes: 0,
            fruitless: 0,
            stop: None,
            interrupted: false,
            problem: None,
            done: false,
            notes: Vec::new(),
            losses: Vec::new(),
            bound: None,
            isolation: Isolation::default(),
        }
    }

    /// The process has introduced itself.
    pub fn is_ready(&mut self, process: ProcessId) {
        self.isolation.ready(process, Instant::now());
    }

    /// What it has cost to run each test, or each file, in a process of its own.
    pub fn isolation(&self) -> Option<String> {
        (self.isolates()).then(|| self.isolation.line(self.ledger.set_up_again()))
    }

    fn isolates(&self) -> bool {
        self.settings.isolate != Isolate::None
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub fn notes(&self) -> impl Iterator<Item = String> + '_ {
        self.notes.iter().cloned()
    }

    pub fn bound(&self) -> Option<&Bound> {
        self.bound.as_ref()
    }

    /// How good a plan could have been that knew what the tests take.
    pub fn measured_bound(&self) -> Option<Bound> {
        let settings = &self.settings;
        Bound::measured(&self.items, settings.workers, &settings.dist, &self.ledger)
    }

    /// Whether this process collects for all.
    pub fn is_template(&self, process: ProcessId) -> bool {
        self.template == Some(process)
    }

    /// The node id of a task.
    pub fn nodeid(&self, task: u32) -> Option<&str> {
        Some(self.ledger.address(task)?.nodeid.as_str())
    }

    /// How many run tests, or will.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// The name of the worker that a process is.
    pub fn name_of(&self, process: ProcessId) -> Option<&str> {
        let worker = self.workers.get(&process)?;
        Some(&worker.name)
    }

    /// Processes that have died since this was asked last.
    pub fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }

    /// Whether nobody works any more.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Starts the workers beside the first, where each will have to collect for itself.
    pub fn start_ahead(&mut self, processes: &Processes) {
        self.next_number = 1;
        for _ in 1..self.settings.workers {
            self.add_worker(processes, None);
        }
        self.next_number = self.settings.workers.max(1);
    }

    /// This process, which has been started as a template, collects.
    pub fn collects_with(&mut self, template: ProcessId) {
        self.template = Some(template);
    }

    // ------------------------------------------------------------------ messages

    pub fn controller_says(&mut self, processes: &Processes, message: ToRust) {
        match message {
            ToRust::WorkerInput { worker, payload } => {
                for (process, waiting) in &self.workers {
                    if waiting.name == worker && waiting.stage == Stage::Collecting {
                        processes.send(
                            *process,
                            &ToPython::Configure {
                                payload: payload.clone(),
                            },
                        );
                    }
                }
                if let Some(template) = self.template
                    && worker == name(0)
                    && self.feed.is_none()
                {
                    processes.send(
                        template,
                        &ToPython::Configure {
                            payload: payload.clone(),
                        },
                    );
                }
                self.inputs.insert(worker, payload);
            }
            ToRust::StopRun { reason } => self.stop(processes, reason),
            message => tracing::debug!(?message, "of no use from a controller with workers"),
        }
    }

    pub fn says(
        &mut self,
        processes: &Processes,
        history: &History,
        process: ProcessId,
        message: ToRust,
    ) {
        if let ToRust::Inventory {
            items,
            unshareable,
            payload,
        } = message
        {
            if self.template == Some(process) && self.feed.is_none() {
                self.collected(processes, history, process, items, unshareable, payload);
            } else if self.feed.is_none() {
                self.early.push((process, items));
            } else {
                self.collected_too(processes, process, &items);
            }
            return;
        }
        if let ToRust::Imported { files } = message {
            return self.ledger.imported(files);
        }
        let Some(worker) = self.workers.get_mut(&process) else {
            if let ToRust::Relay { payload, .. } = message {
                tell(processes, &name(0), Event::Relay { payload });
            }
            return;
        };
        match message {
            ToRust::Relay { payload, ends_run } => {
                // What several workers see while they collect is told once, by the first.
                let collects = worker.stage == Stage::Collecting;
                if !collects || worker.name == name(0) {
                    tell(processes, &worker.name, Event::Relay { payload });
                }
                if ends_run && !collects {
                    // The controller will say so, too, but by then the next worker could have begun.
                    self.stop(processes, "internal error".to_owned());
                }
            }
            ToRust::Started { task, .. } => {
                self.ledger.started(task);
                let id = worker.id;
                if let Some(feed) = &mut self.feed {
                    feed.started(id, TaskId(task));
                }
            }
            ToRust::Result {
                task,
                outcome,
                seconds,
                payload,
                shared,
                reruns,
                excused,
                story: _,
            } => {
                self.fruitless = 0;
                let id = worker.id;
                let spent = Spent {
                    seconds,
                    shared,
                    reruns,
                    excused,
                    process: id.0,
                };
                self.ledger.ended(task, outcome, spent);
                tell(processes, &worker.name, Event::Result { task, payload });
                let spent = seconds.setup + seconds.call + seconds.teardown;
                if let Some(feed) = &mut self.feed {
                    feed.completed(id, TaskId(task), spent);
                }
                self.feed_one(processes, process);
            }
            ToRust::Returned { tasks } => {
                let id = worker.id;
                if let Some(feed) = &mut self.feed {
                    feed.returned(id, &tasks.into_iter().map(TaskId).collect::<Vec<_>>());
                }
                self.feed_all(processes);
            }
            ToRust::Finished { payload, error } => {
                worker.stage = Stage::Finished;
                worker.output = Some(payload);
                worker.interrupted = error.is_some();
                let number = worker.number;
                self.isolation.finished(process, Instant::now());
                if !self.workers[&process].interrupted {
                    self.promote(processes, number);
                }
            }
            message => tracing::debug!(?message, "of no use from a worker"),
        }
    }

    // ------------------------------------------------------------------ workers

    /// The template goes on as the first worker.
    fn adopt(&mut self, processes: &Processes, template: ProcessId) {
        if self.workers.is_empty() {
            self.next_number = 1;
        }
        let worker = self.new_worker(0, Stage::Running);
        tell(processes, &worker.name, Event::Up {});
        self.workers.insert(template, worker);
    }

    /// Starts a worker: under this number, or the next free one.
    fn add_worker(&mut self, processes: &Processes, number: Option<u32>) {
        let number = number.unwrap_or_else(|| self.free_number());
        self.add_process(processes, number, false);
    }

    /// Starts the process that will follow the present one of a worker, so that nobody has to wait for it.
    fn prepare_next(&mut self, processes: &Processes, number: u32) {
        let spares = || {
            self.workers
                .values()
                .filter(|worker| worker.stage == Stage::Waiting)
        };
        let waiting = self.feed.as_ref().map_or(0, Feed::waiting);
        let is_there = spares().any(|worker| worker.number == number);
        if self.shared && !is_there && waiting > spares().count() && self.may_replace() {
            self.add_process(processes, number, true);
        }
    }

    /// The present process of a worker has finished, or is no more: the next one's turn has come, if it is there.
    fn promote(&mut self, processes: &Processes, number: u32) {
        let runs = |worker: &Worker| worker.number == number && worker.stage == Stage::Running;
        if self.workers.values().any(runs) {
            return;
        }
        let lingers = |worker: &&Worker| worker.number == number && worker.stage == Stage::Finished;
        if self.workers.values().filter(lingers).count() > LINGERING {
            // It comes when one of them has ended; see `worker_ended`.
            return;
        }
        let next = self.workers.iter_mut();
        let next = next
            .filter(|(_, worker)| worker.stage == Stage::Waiting && worker.number == number)
            .map(|(process, worker)| (*process, worker))
            .next();
        if let Some((process, worker)) = next {
            worker.stage = Stage::Running;
            self.feed_one(processes, process);
        }
    }

    fn add_process(&mut self, processes: &Processes, number: u32, waits: bool) {
        let settings = &self.settings;
        let message = start(
            Role::Worker,
            &settings.argv,
            number,
            settings.workers,
            &settings.testrunuid,
            &settings.part,
        );
        let (process, stage) = match self.template {
            Some(template) if self.shared => (processes.supervisor.fork(template), Stage::Running),
            _ => (processes.fresh(), Stage::Collecting),
        };
        processes.send(process, &message);
        self.isolation.begun(process, Instant::now());
        let mut worker = self.new_worker(number, stage);
        if waits {
            worker.stage = Stage::Waiting;
        }
        let name = worker.name.clone();
        match worker.stage {
            Stage::Collecting => {
                if let Some(payload) = self.inputs.get(&name) {
                    let payload = payload.clone();
                    processes.send(process, &ToPython::Configure { payload });
                }
            }
            // The present one is still up.
            Stage::Waiting => {}
            Stage::Running | Stage::Finished => tell(processes, &name, Event::Up {}),
        }
        self.workers.insert(process, worker);
    }

    fn free_number(&mut self) -> u32 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }

    fn new_worker(&mut self, number: u32, stage: Stage) -> Worker {
        let id = WorkerId(self.next_id);
        self.next_id += 1;
        if let Some(feed) = &mut self.feed {
            feed.add(id);
        }
        Worker {
            id,
            name: name(number),
            stage,
            number,
            told_to_finish: false,
            output: None,
            interrupted: false,
        }
    }

    fn feed_all(&mut self, processes: &Processes) {
        let mut waiting: Vec<_> = self
            .workers
            .iter()
            .map(|(process, worker)| (worker.id, *process))
            .collect();
        waiting.sort_unstable();
        for (_, process) in waiting {
            self.feed_one(processes, process);
        }
    }

    fn feed_one(&mut self, processes: &Processes, process: ProcessId) {
        let (Some(feed), Some(worker)) = (&mut self.feed, self.workers.get(&process)) else {
            return;
        };
        if worker.stage != Stage::Running {
            return;
        }
        let number = worker.number;
        let mut runs = false;
        for say in feed.next(worker.id) {
            match say {
                Say::Run(tasks) => {
                    runs = true;
                    let assignments = tasks
                        .into_iter()
                        .filter_map(|TaskId(task)| {
                            let address: Address = self.ledger.address(task)?.clone();
                            Some(Assignment { task, address })
                        })
                        .collect();
                    processes.send(process, &ToPython::Run { assignments });
                }
                Say::Revoke(victim, count) => {
                    let victim = self.workers.iter().find(|(_, other)| other.id == victim);
                    if let Some((process, _)) = victim {
                        let count = u32::try_from(count).unwrap_or(u32::MAX);
                        processes.send(*process, &ToPython::Revoke { count });
                    }
                }
                Say::Finish => {
                    if let Some(worker) = self.workers.get_mut(&process) {
                        worker.told_to_finish = true;
                    }
                    processes.send(process, &ToPython::Finish {});
                }
            }
        }
        if runs && self.isolates() {
            self.prepare_next(processes, number);
        }
    }

    fn stopped(&self) -> bool {
        self.stop.is_some() || self.interrupted
    }

    // ------------------------------------------------------------------ stopping

    fn stop(&mut self, processes: &Processes, reason: String) {
        if self.stop.is_some() {
            return;
        }
        self.stop = Some(reason);
        if self.feed.is_none() {
            // Nobody needs to know any more what it would have collected.
            match self.template {
                Some(template) if !self.interrupted => {
                    processes.supervisor.kill(template, Signal::Kill);
                }
                Some(_) => {}
                None => self.finish(processes),
            }
            return;
        }
        self.stop_workers(processes);
        self.check_done(processes);
    }

    fn stop_workers(&mut self, processes: &Processes) {
        let reason = self.stop.clone().unwrap_or_else(|| "interrupted".into());
        if let Some(feed) = &mut self.feed {
            feed.stop();
        }
        for (process, worker) in &self.workers {
            if let Some(feed) = &mut self.feed {
                feed.told_to_finish(worker.id);
            }
            if worker.stage == Stage::Collecting {
                // Of tests it has nothing yet that it would have to tear down. One that was interrupted ends by itself.
                if !self.interrupted {
                    processes.supervisor.kill(*process, Signal::Kill);
                }
            } else {
                processes.send(
                    *process,
                    &ToPython::Stop {
                        reason: reason.clone(),
                    },
                );
            }
        }
    }

    /// The user has interrupted the run. Workers are in process groups of their own, so that each
    /// gets the signal from here, once. Python drops it where it strikes in a finalizer, and where it comes right before a
    /// system call that waits it strikes after that. So they are told as well, once they listen.
    pub fn interrupt(&mut self, processes: &Processes) {
        self.interrupted = true;
        for (process, worker) in &self.workers {
            if worker.stage != Stage::Finished {
                processes.supervisor.kill(*process, Signal::Interrupt);
            }
        }
        self.stop_workers(processes);
        if let Some(template) = self.template
            && self.feed.is_none()
        {
            processes.supervisor.kill(template, Signal::Interrupt);
        }
    }
}
