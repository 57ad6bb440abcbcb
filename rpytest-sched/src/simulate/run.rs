//! The events of a simulated run, one after the other.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashSet, VecDeque};

use super::{Random, SimEvent, SimReport, Simulation};
use crate::dispatch::Dispatcher;
use crate::task::{GroupId, TaskId, WorkerId, nanos, seconds};

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

/// A simulated worker.
#[derive(Debug, Default)]
struct Process {
    queue: VecDeque<TaskId>,
    begun: HashSet<GroupId>,
    running: bool,
    finish: bool,
    over: bool,
    busy: u64,
    ended: u64,
    /// When its last message will have arrived.
    heard: u64,
}

/// A simulated run: what is to come, the workers, and the dispatcher that they talk to.
pub(super) struct Run<'a, T, W> {
    pub dispatcher: Dispatcher,
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

impl<'a, T, W> Run<'a, T, W> {
    pub fn new(set: &'a Simulation, dispatcher: Dispatcher, truth: T, watch: W) -> Self {
        Self {
            dispatcher,
            set,
            truth,
            watch,
            random: Random::new(set.faults.seed),
            agenda: BinaryHeap::new(),
            serial: 0,
            now: 0,
            workers: Vec::new(),
            restarts: set.faults.restarts,
            report: SimReport::default(),
        }
    }
}

impl<T: Fn(TaskId) -> f64, W: FnMut(f64, &SimEvent, &Dispatcher)> Run<'_, T, W> {
    pub fn play(&mut self) {
        for _ in 0..self.set.workers {
            self.start_worker();
        }
        while let Some(Entry { at, what, .. }) = self.agenda.pop() {
            self.now = at;
            self.step(what);
        }
        self.tell(SimEvent::Over);
    }

    pub fn into_report(self) -> SimReport {
        let mut report = self.report;
        let ends = self.workers.iter().map(|worker| worker.ended);
        report.makespan = seconds(ends.max().unwrap_or(0));
        report.busy = (self.workers.iter())
            .map(|worker| seconds(worker.busy))
            .collect();
        report.idle = (report.busy.iter())
            .map(|busy| report.makespan - busy)
            .collect();
        report
    }

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
            if let Some((group, told)) = self.dispatcher.group_of(task)
                && worker.begun.insert(group)
            {
                let truth = self.set.group_costs.get(&group);
                duration += seconds(truth.map_or(told, |&truth| nanos(truth)));
            }
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
