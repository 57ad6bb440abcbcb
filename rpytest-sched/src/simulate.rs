//! A discrete event simulation of a pool of workers, to judge a plan by and to try the dispatcher with.
//!
//! Simulated workers keep pytest's rule: a worker begins a task only when it knows the one after it, or was told
//! to finish. Every message between the dispatcher and a worker takes the same time, and each worker's messages
//! arrive in order. With [`Faults`], tasks kill their workers, run slow, and messages come late or twice.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::error::Error;
use std::fmt;

use crate::dispatch::{DispatchError, Dispatcher, Policy};
use crate::task::{Task, TaskId, WorkerId, nanos, seconds};

/// A pool to run tasks on: how many workers, and what stands between them and the dispatcher.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Simulation {
    /// Number of workers at the start.
    pub workers: u32,
    /// Seconds that a message takes, either way. 0 by default.
    pub latency: f64,
    /// Seconds until a worker, at the start or in place of a dead one, is able to work. 0 by default.
    pub startup: f64,
    /// Seconds that a task takes beside its own duration. 0 by default.
    pub overhead: f64,
    /// What goes wrong. Nothing by default.
    pub faults: Faults,
}

/// What goes wrong in a simulated pool. The same seed gives the same faults.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Faults {
    /// Seed of the generator that decides.
    pub seed: u64,
    /// Probability that a task kills its worker, half-way through its duration.
    pub crash: f64,
    /// Probability that a task takes [`slowdown`](Self::slowdown) times as long as it should.
    pub slow: f64,
    /// How many times as long a slow task takes.
    pub slowdown: f64,
    /// Probability that a message of a worker is late, which delays those behind it.
    pub late: f64,
    /// Probability that a message of a worker comes twice, the second time late.
    pub duplicate: f64,
    /// The most seconds by which a message is late.
    pub delay: f64,
    /// How many workers may be started in place of dead ones.
    pub restarts: u32,
    /// After how many completed tasks the run is stopped.
    pub stop_after: Option<usize>,
}

/// What a simulated run came to.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SimReport {
    /// Seconds from the start until the last worker ended.
    pub makespan: f64,
    /// Seconds in which each worker, in the order in which they were added, ran tasks.
    pub busy: Vec<f64>,
    /// Seconds in which each worker ran none, between the start and the end of the whole run.
    pub idle: Vec<f64>,
    /// Messages to workers, each with one or more tasks or a word.
    pub sent: u64,
    /// Messages from workers.
    pub received: u64,
    /// Messages that the dispatcher refused.
    pub refused: u64,
    /// Tasks that were run to their end.
    pub completed: u64,
    /// Workers that died.
    pub crashed: u64,
}

impl SimReport {
    /// The part of the pool's time that went into tasks, between 0 and 1.
    #[must_use]
    pub fn efficiency(&self) -> f64 {
        let busy: f64 = self.busy.iter().sum();
        let all = self.makespan * self.busy.len() as f64;
        if all > 0.0 { busy / all } else { 1.0 }
    }
}

/// One thing that happens in a simulated run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SimEvent {
    /// The dispatcher sends tasks.
    Assigned(WorkerId, Vec<TaskId>),
    /// The dispatcher tells a worker to finish.
    Finish(WorkerId),
    /// The dispatcher asks a worker for that many tasks back.
    Revoke(WorkerId, usize),
    /// A worker gives tasks back.
    Returned(WorkerId, Vec<TaskId>),
    /// A worker begins a task.
    Began(WorkerId, TaskId),
    /// A worker ends a task.
    Ended(WorkerId, TaskId),
    /// A worker dies, in the middle of a task.
    Died(WorkerId, TaskId),
    /// A worker leaves in good order.
    Left(WorkerId),
    /// The dispatcher refuses a message of a worker.
    Refused(WorkerId, DispatchError),
    /// Nothing is left to happen.
    Over,
}

/// Why a simulated run has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SimError {
    /// The tasks were refused.
    Tasks(DispatchError),
    /// Nothing happens any more, yet so many tasks have no terminal state.
    Stuck(usize),
}

impl fmt::Display for SimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tasks(error) => write!(f, "simulate the tasks: {error}"),
            Self::Stuck(tasks) => write!(f, "end the simulation: {tasks} tasks are left over"),
        }
    }
}

impl Error for SimError {}

impl Simulation {
    /// A pool of that many workers without delays or faults.
    #[must_use]
    pub fn new(workers: u32) -> Self {
        Self {
            workers,
            latency: 0.0,
            startup: 0.0,
            overhead: 0.0,
            faults: Faults::default(),
        }
    }

    /// Sets the seconds that a message takes.
    #[must_use]
    pub fn latency(mut self, seconds: f64) -> Self {
        self.latency = seconds;
        self
    }

    /// Sets the seconds until a worker is able to work.
    #[must_use]
    pub fn startup(mut self, seconds: f64) -> Self {
        self.startup = seconds;
        self
    }

    /// Sets the seconds that a task takes beside its own duration.
    #[must_use]
    pub fn overhead(mut self, seconds: f64) -> Self {
        self.overhead = seconds;
        self
    }

    /// Sets what goes wrong.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Runs tasks whose true durations, in seconds, `truth` gives.
    ///
    /// # Errors
    ///
    /// [`SimError::Tasks`] if the dispatcher refuses the tasks. [`SimError::Stuck`] if it leaves some over, which is a
    /// defect of the dispatcher.
    pub fn run(
        &self,
        tasks: Vec<Task>,
        policy: Policy,
        truth: impl Fn(TaskId) -> f64,
    ) -> Result<SimReport, SimError> {
        self.watch(tasks, policy, truth, |_, _, _| {})
    }

    /// As [`run`](Self::run), and tells `watch` the second, what happens, and the dispatcher after it.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn watch(
        &self,
        tasks: Vec<Task>,
        policy: Policy,
        truth: impl Fn(TaskId) -> f64,
        watch: impl FnMut(f64, &SimEvent, &Dispatcher),
    ) -> Result<SimReport, SimError> {
        let mut run = Run {
            dispatcher: Dispatcher::new(tasks, policy).map_err(SimError::Tasks)?,
            set: self,
            truth,
            watch,
            random: Random(self.faults.seed),
            agenda: BinaryHeap::new(),
            serial: 0,
            now: 0,
            workers: Vec::new(),
            restarts: self.faults.restarts,
            report: SimReport::default(),
        };
        for _ in 0..self.workers {
            run.start_worker();
        }
        while let Some(Entry { at, what, .. }) = run.agenda.pop() {
            run.now = at;
            run.step(what);
        }
        run.tell(SimEvent::Over);
        if !run.dispatcher.is_settled() {
            return Err(SimError::Stuck(run.dispatcher.unsettled().count()));
        }
        let mut report = run.report;
        report.makespan = seconds(run.workers.iter().map(|w| w.ended).max().unwrap_or(0));
        report.busy = run.workers.iter().map(|w| seconds(w.busy)).collect();
        report.idle = (report.busy.iter())
            .map(|busy| report.makespan - busy)
            .collect();
        Ok(report)
    }
}

/// Something to come.
#[derive(Clone, Debug)]
enum What {
    Receive(usize, Order),
    Hear(usize, Word),
    End(usize, TaskId, u64, bool),
}

/// What a worker is told.
#[derive(Clone, Debug)]
enum Order {
    Tasks(Vec<TaskId>),
    Finish,
    Revoke(usize),
}

/// What a worker says, or what is seen of it.
#[derive(Clone, Debug)]
enum Word {
    Ready,
    Began(TaskId),
    Ended(TaskId, u64),
    Returned(Vec<TaskId>),
    Died,
    Left,
}

#[derive(Debug)]
struct Entry {
    at: u64,
    serial: u64,
    what: What,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The earliest is the greatest, as the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.serial).cmp(&(self.at, self.serial))
    }
}

/// The generator "SplitMix64" (G. L. Steele, D. Lea, C. H. Flood, *Fast splittable pseudorandom number generators*, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number from 0 to below 1.
    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.part() < probability
    }
}

/// A simulated worker.
#[derive(Debug, Default)]
struct Process {
    queue: VecDeque<TaskId>,
    running: bool,
    finish: bool,
    over: bool,
    busy: u64,
    ended: u64,
    /// When its last message will have arrived.
    heard: u64,
}

struct Run<'a, T, W> {
    dispatcher: Dispatcher,
    set: &'a Simulation,
    truth: T,
    watch: W,
    random: Random,
    agenda: BinaryHeap<Entry>,
    serial: u64,
    now: u64,
    workers: Vec<Process>,
    restarts: u32,
    report: SimReport,
}

impl<T: Fn(TaskId) -> f64, W: FnMut(f64, &SimEvent, &Dispatcher)> Run<'_, T, W> {
    fn tell(&mut self, event: SimEvent) {
        (self.watch)(seconds(self.now), &event, &self.dispatcher);
    }

    fn schedule(&mut self, at: u64, what: What) {
        self.serial += 1;
        let serial = self.serial;
        self.agenda.push(Entry { at, serial, what });
    }

    fn start_worker(&mut self) {
        let nth = self.workers.len();
        self.workers.push(Process::default());
        // Numbers are new, so that this is never refused.
        if self.dispatcher.add_worker(WorkerId(nth as u32)).is_ok() {
            let at = self.now.saturating_add(nanos(self.set.startup));
            self.schedule(at, What::Hear(nth, Word::Ready));
        }
    }

    fn step(&mut self, what: What) {
        match what {
            What::Receive(nth, order) => self.receive(nth, order),
            What::Hear(nth, word) => self.hear(nth, word),
            What::End(nth, task, busy, dies) => self.end(nth, task, busy, dies),
        }
    }

    // The workers' side.

    fn receive(&mut self, nth: usize, order: Order) {
        let worker = &mut self.workers[nth];
        if worker.over {
            return;
        }
        match order {
            Order::Tasks(tasks) => worker.queue.extend(tasks),
            Order::Finish => worker.finish = true,
            Order::Revoke(count) => {
                let kept = if worker.running { 1 } else { 2 };
                let count = count.min(worker.queue.len().saturating_sub(kept));
                let at = worker.queue.len() - count;
                let tasks: Vec<TaskId> = worker.queue.split_off(at).into();
                self.tell(SimEvent::Returned(WorkerId(nth as u32), tasks.clone()));
                self.say(nth, Word::Returned(tasks));
            }
        }
        self.go_on(nth);
    }

    /// Begins the next task if the rule allows it, or leaves.
    fn go_on(&mut self, nth: usize) {
        let worker = &mut self.workers[nth];
        if worker.running || worker.over {
            return;
        }
        if worker.queue.is_empty() && worker.finish {
            worker.over = true;
            worker.ended = self.now;
            self.tell(SimEvent::Left(WorkerId(nth as u32)));
            self.say(nth, Word::Left);
            return;
        }
        if worker.queue.len() < 2 && !worker.finish {
            return;
        }
        if let Some(task) = worker.queue.pop_front() {
            worker.running = true;
            let mut duration = (self.truth)(task);
            if self.random.chance(self.set.faults.slow) {
                duration *= self.set.faults.slowdown;
            }
            let dies = self.random.chance(self.set.faults.crash);
            if dies {
                duration /= 2.0;
            }
            self.tell(SimEvent::Began(WorkerId(nth as u32), task));
            self.say(nth, Word::Began(task));
            let busy = nanos(duration);
            let at = self.now + busy + nanos(self.set.overhead);
            self.schedule(at, What::End(nth, task, busy, dies));
        }
    }

    fn end(&mut self, nth: usize, task: TaskId, busy: u64, dies: bool) {
        let worker = &mut self.workers[nth];
        worker.running = false;
        worker.busy += busy;
        if dies {
            worker.over = true;
            worker.ended = self.now;
            self.report.crashed += 1;
            self.tell(SimEvent::Died(WorkerId(nth as u32), task));
            self.say(nth, Word::Died);
        } else {
            self.report.completed += 1;
            self.tell(SimEvent::Ended(WorkerId(nth as u32), task));
            self.say(nth, Word::Ended(task, busy));
            self.go_on(nth);
        }
    }

    /// Sends a word to the dispatcher, behind those that were sent before.
    fn say(&mut self, nth: usize, word: Word) {
        let faults = &self.set.faults;
        let mut at = self.now + nanos(self.set.latency);
        if self.random.chance(faults.late) {
            at += nanos(faults.delay * self.random.part());
        }
        at = at.max(self.workers[nth].heard);
        self.workers[nth].heard = at;
        if self.random.chance(faults.duplicate) {
            let again = at + nanos(faults.delay * self.random.part());
            self.schedule(at, What::Hear(nth, word.clone()));
            self.schedule(again, What::Hear(nth, word));
        } else {
            self.schedule(at, What::Hear(nth, word));
        }
    }

    // The dispatcher's side.

    fn hear(&mut self, nth: usize, word: Word) {
        let id = WorkerId(nth as u32);
        self.report.received += 1;
        let mut everyone = false;
        let heard = match word {
            Word::Ready => Ok(()),
            Word::Began(task) => self.dispatcher.started(id, task),
            Word::Ended(task, busy) => {
                let done = self.dispatcher.complete(id, task, seconds(busy));
                let limit = self.set.faults.stop_after;
                if done.is_ok()
                    && limit.is_some_and(|limit| self.report.completed as usize >= limit)
                {
                    self.dispatcher.stop();
                    everyone = true;
                }
                done
            }
            Word::Returned(tasks) => {
                everyone = true;
                self.dispatcher.returned(id, &tasks)
            }
            Word::Died => {
                everyone = true;
                self.dispatcher.crash(id).map(|_| ())
            }
            Word::Left => {
                everyone = true;
                self.dispatcher.worker_done(id).map(|_| ())
            }
        };
        if let Err(error) = heard {
            self.report.refused += 1;
            self.tell(SimEvent::Refused(id, error));
            return;
        }
        if everyone {
            if self.dispatcher.is_stranded()
                || self.workers[nth].over && self.dispatcher.undispatched() > 0
            {
                if self.restarts > 0 {
                    self.restarts -= 1;
                    self.start_worker();
                } else if self.dispatcher.is_stranded() {
                    self.dispatcher.stop();
                }
            }
            for nth in 0..self.workers.len() {
                self.serve(nth);
            }
        } else {
            self.serve(nth);
        }
    }

    fn serve(&mut self, nth: usize) {
        let id = WorkerId(nth as u32);
        let tasks = self.dispatcher.next(id);
        if !tasks.is_empty() {
            self.tell(SimEvent::Assigned(id, tasks.clone()));
            self.send(nth, Order::Tasks(tasks));
        } else if let Some((victim, count)) = self.dispatcher.revoke_for(id) {
            self.tell(SimEvent::Revoke(victim, count));
            self.send(victim.0 as usize, Order::Revoke(count));
        }
        if self.dispatcher.finish_due(id) {
            self.tell(SimEvent::Finish(id));
            self.send(nth, Order::Finish);
        }
    }

    fn send(&mut self, nth: usize, order: Order) {
        self.report.sent += 1;
        let at = self.now + nanos(self.set.latency);
        self.schedule(at, What::Receive(nth, order));
    }
}
