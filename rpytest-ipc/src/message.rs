//! The messages: [`ToPython`] flows from the supervisor to a Python process, [`ToRust`] flows back.
//!
//! Every message is one MessagePack map whose key `type` names the variant; the other keys are the
//! fields. Readers ignore keys that they do not know, so that fields can be added within one
//! [`PROTOCOL`] version. `payload` fields are opaque to Rust: one Python process writes them and
//! another reads them.
//!
//! Tests are addressed by node id and occurrence ([`Address`]), never by an index into a list that
//! two processes would have to agree on. The `task` number is the supervisor's own name for an
//! assignment, echoed back by the process that was given it.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::collection::Collection;
use crate::story::{Story, Told};

/// Version of the protocol that this crate speaks; both sides refuse any other.
pub const PROTOCOL: u16 = 1;

/// What a Python process is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// Holds the user's session: configuration, terminal report, exit code. Without `-n` it also
    /// runs the tests.
    Controller,
    /// Configures and collects as a worker would, then waits to be forked into workers.
    Template,
    /// Runs tests that it is assigned.
    Worker,
    /// Configures and collects as a controller without workers would, then waits to be lent. Each process
    /// that is forked from it goes on as a controller from there.
    Resident,
    /// Is lent to one borrower after the other, to be a controller without workers for each, and keeps
    /// fixtures up meanwhile.
    Warm,
}

/// The identity that a worker takes on, in the dialect of pytest-xdist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerIdentity {
    /// `gw0`, `gw1`, ...; a replacement takes the next free number.
    pub id: String,
    /// How many workers the run was planned with.
    pub count: u32,
    /// The same for all workers of a run, different between runs.
    pub testrunuid: String,
}

/// One test, by node id and by which occurrence of that id is meant: suites do repeat node ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// The node id as pytest prints it; what is not UTF-8 is backslash-escaped.
    pub nodeid: String,
    /// 0 for the first item with this node id in collection order.
    #[serde(default)]
    pub nth: u32,
}

/// A task handed to a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The supervisor's number for it.
    pub task: u32,
    /// The test to run.
    pub address: Address,
}

/// A collected item, in collection order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryItem {
    /// The test.
    pub address: Address,
    /// The scope that the `--dist` mode groups by (a file, a class, an `xdist_group`); items with
    /// equal scope share fixtures, and under a grouping mode a worker.
    pub scope: String,
}

/// How an item ended. The controller has the full reports; this is what the ledger keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The call phase passed, and so did setup and teardown.
    Passed,
    /// The call phase failed.
    Failed,
    /// Setup or teardown failed.
    Error,
    /// Skipped, at any phase.
    Skipped,
    /// Failed as expected.
    Xfailed,
    /// Passed against expectation, not strictly.
    Xpassed,
}

/// Seconds spent in each phase of one item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PhaseSeconds {
    /// Setup, fixtures included.
    pub setup: f64,
    /// The test function.
    pub call: f64,
    /// Teardown, finalizers included.
    pub teardown: f64,
}

/// Seconds of an item's setup that were spent on fixtures of one scope wider than the item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SharedSeconds {
    /// Node id of the scope: of a class, a file, a package's directory; empty for the session.
    pub scope: String,
    /// What its fixtures that were set up for this item took, all together.
    pub seconds: f64,
}

/// An item that is already settled when a controller is started again after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The test.
    pub address: Address,
    /// Its reports as the earlier controller sent them, or `None` for the item that it died in.
    pub payload: Option<ByteBuf>,
    /// For the item that it died in: how the process ended, and its fault handler's text.
    pub crash: Option<String>,
    /// Where the process was ended for it: which limit the item has exceeded, as [`ToRust::Limit`] had it.
    #[serde(default)]
    pub limit: Option<String>,
}

/// A part of the tests that the arguments name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Focus {
    /// Absolute paths of the test files that are collected, in the file system's encoding; `None`: all.
    pub only: Option<Vec<ByteBuf>>,
    /// Node ids of the tests that come first, in this order.
    pub first: Vec<String>,
    /// Node ids of the tests that are run; the others are deselected. `None`: all.
    pub tests: Option<Vec<String>>,
}

/// Files that a session will import, as far as that is known when its collection begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// Files and directories, absolute paths in the file system's encoding.
    pub paths: Vec<ByteBuf>,
    /// Patterns of the names of files with tests: pytest's `python_files`.
    pub patterns: Vec<String>,
    /// Patterns of the names of directories that are left out: pytest's `norecursedirs`.
    pub skipped: Vec<String>,
    /// pytest's `enable_assertion_pass_hook`, with which other code is made.
    pub pass_hook: bool,
}

/// What a process has looked at: absolute paths, in the file system's encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// What was there, files above all.
    pub seen: Vec<ByteBuf>,
    /// What was asked for, and was not there.
    pub missing: Vec<ByteBuf>,
    /// Directories of which the entries were read.
    pub listed: Vec<ByteBuf>,
}

/// A fixture that stays up when the session is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptFixture {
    /// Its name.
    pub name: String,
    /// `session` or `package`.
    pub scope: String,
    /// Absolute path of the file that it is defined in, in the file system's encoding.
    pub file: ByteBuf,
    /// When it was set up, in seconds since 1970.
    pub since: f64,
}

/// From the supervisor to a Python process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToPython {
    /// Answers [`ToRust::Hello`].
    Welcome {
        /// The supervisor's protocol version.
        protocol: u16,
    },
    /// What to become. A freshly started interpreter and every forked child gets exactly one,
    /// unless it is to serve as a host of forks.
    Start {
        /// The part to play.
        role: Role,
        /// The arguments of the command line, without the program's name, in the file system's
        /// encoding.
        argv: Vec<ByteBuf>,
        /// Who it is, for a template or a worker.
        worker: Option<WorkerIdentity>,
        /// For a controller that replaces a crashed one: what it must not run again.
        #[serde(default)]
        settled: Vec<Settled>,
        /// What of the tests that the arguments name it is about; `None`: all.
        #[serde(default)]
        focus: Option<Focus>,
        /// Whether it is about one shard of them: whoever collects asks which by [`ToRust::Divide`].
        #[serde(default)]
        sharded: bool,
        /// Whether [`ToRust::Started`] says when.
        #[serde(default)]
        timed: bool,
        /// Whether somebody listens to the run: [`ToRust::Told`], and a story with each result.
        #[serde(default)]
        listens: bool,
    },
    /// Instead of `start`: collect, in a session with these arguments that shows nothing. Answered by
    /// [`ToRust::Collection`].
    Collect {
        /// The arguments of the command line, without the program's name, in the file system's
        /// encoding.
        argv: Vec<ByteBuf>,
        /// Absolute paths of files that are left out, in the same.
        skip: Vec<ByteBuf>,
        /// Whether it tells where items are, and what failed.
        #[serde(default)]
        detailed: bool,
    },
    /// Instead of `start`: fill the store of rewritten assertions with a share of what a session will ask
    /// it for, and end.
    Rewrite {
        /// Which files these are.
        sources: Sources,
        /// This process's share of them, from 0.
        share: u32,
        /// How many processes there are.
        of: u32,
    },
    /// Serve as a host: answer `fork` and `probe` until `shutdown`.
    Host {},
    /// To a host: fork a child. Three descriptors travel with the message: the child's end of its
    /// own channel, the file that its fault handler writes to, and the file of its spool.
    Fork {
        /// The supervisor's number for the child.
        child: u32,
    },
    /// To a host or a resident: fork a child for somebody else, who has the other end of its channel. To
    /// the descriptors of [`ToPython::Fork`] come those for its standard input, output and error. A warm
    /// process that is sent this is that child itself.
    Lend {
        /// The number for the child, as for [`ToPython::Fork`].
        child: u32,
        /// The child's working directory, in the file system's encoding.
        cwd: ByteBuf,
        /// The child's whole environment, in the same.
        environment: Vec<(ByteBuf, ByteBuf)>,
        /// Its file mode creation mask.
        umask: u32,
        /// The numbers at which it has other descriptors, which come after those of above.
        #[serde(default)]
        inherited: Vec<u32>,
        /// Whether it ends when the process ends that forked it.
        tied: bool,
    },
    /// To a warm process that nobody has borrowed: tear down what is up, and end. Answered by
    /// [`ToRust::Released`].
    Release {},
    /// To a host: answer with [`ToRust::Grown`].
    Look {},
    /// To a host: answer with how many interrupt signals it has seen.
    Probe {
        /// Echoed in the answer.
        token: u32,
    },
    /// To a template or a worker: the controller's `workerinput` for it.
    Configure {
        /// Opaque.
        payload: ByteBuf,
    },
    /// Answers [`ToRust::Divide`].
    Share {
        /// Positions in the list of the request, ascending; the other items are deselected.
        tasks: Vec<u32>,
        /// What the session says of it, in one line.
        line: String,
    },
    /// To a worker: append to its queue.
    Run {
        /// In the order to be run.
        assignments: Vec<Assignment>,
    },
    /// To a worker: give back up to `count` assignments from the end of the queue that have not
    /// begun and are not the known next item. Answered by [`ToRust::Returned`].
    Revoke {
        /// How many at most.
        count: u32,
    },
    /// To a worker: no more assignments will come; run what is queued, tear down, end.
    Finish {},
    /// To a worker: start no further item; tear down and end. Unstarted assignments are not run.
    Stop {
        /// Why, in pytest's words ("stopping after 1 failures").
        reason: String,
    },
    /// To a controller: what a template or a worker relayed, or how one ended.
    Event {
        /// The worker's id, or the template's.
        worker: String,
        /// What happened.
        event: Event,
    },
    /// To a host: end without running exit handlers.
    Shutdown {},
}

/// What a controller is told about its workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// An opaque message of the worker (a collection report, a warning, an internal error).
    Relay {
        /// Opaque.
        payload: ByteBuf,
    },
    /// Collection ended; the run's tasks are the positions in this list.
    Collected {
        /// In collection order.
        items: Vec<InventoryItem>,
        /// Opaque.
        payload: ByteBuf,
        /// What the session says of the plan, in one line.
        #[serde(default)]
        line: Option<String>,
    },
    /// The worker is ready for assignments.
    Up {},
    /// An item ended.
    Result {
        /// The task.
        task: u32,
        /// Its reports, opaque.
        payload: ByteBuf,
    },
    /// A worker's process ended while it ran an item.
    Crashed {
        /// The task.
        task: u32,
        /// How the process ended, and its fault handler's text.
        reason: String,
        /// Where the process was ended for it: which limit the item has exceeded, as [`ToRust::Limit`] had it.
        #[serde(default)]
        limit: Option<String>,
    },
    /// A worker ended.
    Down {
        /// Opaque `workeroutput`, when it ended in order.
        payload: Option<ByteBuf>,
        /// Why, when it did not.
        error: Option<String>,
        /// The id of the worker that replaces it, if one does.
        replaced_by: Option<String>,
    },
    /// Every item has its final status, or the run was stopped; the session can end.
    Done {
        /// What went wrong with the run itself, if anything did; the session fails with it.
        error: Option<String>,
    },
}

/// From a Python process to the supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToRust {
    /// The first message of every process.
    Hello {
        /// The protocol version that it speaks.
        protocol: u16,
        /// Its process id.
        pid: u32,
        /// The interpreter's version, `3.13.0`.
        python: String,
        /// pytest's version, `9.2.0`.
        pytest: String,
    },
    /// From a host: the child runs.
    Forked {
        /// From the request.
        child: u32,
        /// Its process id.
        pid: u32,
    },
    /// From a host: no child was made.
    ForkFailed {
        /// From the request.
        child: u32,
        /// Why.
        reason: String,
    },
    /// From a host: one of its children ended. From a warm process, to its borrower: the run is over, and
    /// with it its part as both.
    Exited {
        /// The child's process id; of a warm process its own.
        pid: u32,
        /// Its exit code, unless a signal ended it.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
    },
    /// From a resident that has collected, and from a host that was asked.
    Grown {
        /// Why it cannot be lent; empty when it can. A resident with a reason ends.
        refusals: Vec<String>,
        /// It is what a new one would be as long as all of this is as it was.
        looked: Looked,
    },
    /// From a warm process, after each run: what is up.
    Kept {
        /// In the order in which they were set up; a process in which none is ends instead.
        fixtures: Vec<KeptFixture>,
        /// What these depend on.
        looked: Looked,
    },
    /// From a warm process that ends: nothing is up any more.
    Released {
        /// What went wrong with it.
        failures: Vec<String>,
    },
    /// From a controller in a warm process, which ends: the run is to begin again in a new one.
    StartOver {
        /// Why.
        reason: String,
    },
    /// From whoever runs tests of a [`Focus`], at the end of the session: which files of the project
    /// were read, other than modules that were imported.
    Opened {
        /// Absolute paths in the file system's encoding: a source file, on whose behalf or by whose tests,
        /// and what was read.
        opened: Vec<(ByteBuf, Vec<ByteBuf>)>,
    },
    /// Answers [`ToPython::Probe`].
    Probed {
        /// From the request.
        token: u32,
        /// Interrupt signals seen since the host started.
        interrupts: u32,
    },
    /// From a controller, once it is configured: how the tests are to be run.
    Plan {
        /// Worker processes; 0 when the controller runs the tests itself.
        workers: u32,
        /// `load`, `loadscope`, `loadfile`, `loadgroup`, `worksteal`, `each`; `no` in process.
        dist: String,
        /// How many crashed workers may be replaced; `None` for the default.
        max_worker_restart: Option<u32>,
        /// Most assignments sent at once, from `--maxschedchunk`.
        max_chunk: Option<u32>,
        /// `none`, `file` or `test`.
        isolate: String,
        /// The run's identity.
        testrunuid: String,
        /// pytest's cache directory, where the durations are kept, in the file system's encoding.
        cache_dir: Option<ByteBuf>,
        /// Whether the session says more than it must, as with `-v`.
        #[serde(default)]
        verbose: bool,
        /// Seconds that the session may take, when no test runs that would have to be interrupted.
        #[serde(default)]
        session_limit: Option<f64>,
        /// Whether scopes are given out in collection order, as with `--no-loadscope-reorder`.
        #[serde(default)]
        in_order: bool,
    },
    /// From a controller: the `workerinput` for one worker.
    WorkerInput {
        /// The worker's id.
        worker: String,
        /// Opaque, for [`ToPython::Configure`].
        payload: ByteBuf,
    },
    /// From whoever collects one shard of the tests, when everybody else has selected. Answered by
    /// [`ToPython::Share`].
    Divide {
        /// What there is to be divided, in collection order.
        items: Vec<Address>,
    },
    /// From a controller of one shard, at the session's end: files that its plugins have written, as
    /// absolute paths in the file system's encoding.
    Artifacts {
        /// Of `--junitxml`.
        junit: Option<ByteBuf>,
        /// pytest-cov's data.
        coverage: Option<ByteBuf>,
    },
    /// From a template, a worker or an in-process controller, once it has collected.
    Inventory {
        /// In collection order.
        items: Vec<InventoryItem>,
        /// Why this process may not be forked into workers; empty when it may.
        unshareable: Vec<String>,
        /// Opaque, for [`Event::Collected`].
        payload: ByteBuf,
    },
    /// From a template or a worker, for the controller.
    Relay {
        /// Opaque.
        payload: ByteBuf,
        /// Whether it says why the whole run ends (an internal error): nobody is started in the place of whoever says so.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ends_run: bool,
    },
    /// From whoever runs tests: sent, or at least in its spool, before the item begins.
    Started {
        /// The task (an in-process controller: the position in its inventory).
        task: u32,
        /// When, in seconds since 1970, if it was asked to say so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<f64>,
    },
    /// From whoever runs tests: how long an item may take before its process is ended from outside. It holds
    /// for each item that starts from now on, and for the one that runs, from now.
    Limit {
        /// Seconds; `None`: as long as it likes.
        seconds: Option<f64>,
        /// What is told of an item that takes longer.
        reason: String,
    },
    /// From whoever runs tests: the item ended.
    Result {
        /// The task.
        task: u32,
        /// How.
        outcome: Outcome,
        /// What it cost.
        seconds: PhaseSeconds,
        /// Its reports, opaque.
        payload: ByteBuf,
        /// The part of `seconds.setup` that was for others, too: fixtures of wider scopes that happened
        /// to be set up first for this item, by scope.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shared: Vec<SharedSeconds>,
        /// How many attempts came before the one that has this outcome: the item failed in each.
        #[serde(default, skip_serializing_if = "is_zero")]
        reruns: u32,
        /// Whether it has failed, and the outcome is another one since it is quarantined.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        excused: bool,
        /// What there is to tell of it, where somebody listens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        story: Option<Box<Story>>,
    },
    /// From a controller that somebody listens to.
    Told {
        /// What it tells, in the order in which it came about.
        told: Vec<Told>,
    },
    /// From a controller that reports to a terminal: whether a line may be shown below what it writes there.
    /// It erases that line when it writes a new one itself.
    MakesRoom {
        /// Not while the user debugs.
        room: bool,
    },
    /// Answers [`ToPython::Revoke`]: assignments that this worker will not run.
    Returned {
        /// The tasks, none if there was nothing to give back.
        tasks: Vec<u32>,
    },
    /// From whoever runs tests, after the last of them: which way they took.
    Ways {
        /// Items of which it is known what pytest does with them, and that were run without its hooks.
        short: u32,
        /// Items that pytest's own protocol ran.
        genuine: u32,
        /// Why the first of those.
        reason: Option<String>,
    },
    /// From whoever has collected, after it: how the items came about.
    Built {
        /// Items that were built without pytest's hooks, from what siblings have in common.
        short: u32,
        /// Items that pytest itself has built.
        genuine: u32,
        /// Why the first that was not built from what is known.
        reason: Option<String>,
    },
    /// From whoever has collected, before its inventory: what that took.
    Imported {
        /// Node id of a file, and the seconds from the import of its module, with all that this imports
        /// for the first time, to the last of its items.
        files: Vec<(String, f64)>,
    },
    /// From whoever collects: it has more to rewrite than it should alone. Answered, if at all, by
    /// [`ToPython::Rewrite`] to other processes.
    Rewriting {
        /// What it is about to import.
        sources: Sources,
    },
    /// From whoever has collected, if there was anything to rewrite.
    Rewritten {
        /// Modules whose code was kept from an earlier time.
        kept: u32,
        /// Modules that were rewritten by now.
        made: u32,
        /// Why nothing is kept, if pytest is not as it is known to be.
        refusal: Option<String>,
    },
    /// From a controller: no new item may start ("stopping after 2 failures").
    StopRun {
        /// Why, in pytest's words.
        reason: String,
    },
    /// From a worker or a template, when it ends in order.
    Finished {
        /// Opaque `workeroutput`.
        payload: ByteBuf,
        /// What kept it from running to its end, such as an interrupt.
        error: Option<String>,
    },
    /// Answers [`ToPython::Collect`], when the session is over.
    Collection(Box<Collection>),
    /// From a controller, when its session is over: the exit status that it will return.
    SessionOver {
        /// pytest's exit code.
        exit: i32,
    },
    /// From a controller, after that: it has run what was to run at its end, and closed what it had open but
    /// for its channel. Nobody has to wait for it.
    Left {
        /// Its exit code.
        code: i32,
    },
}

/// Whether a count is what a field that is left out means.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}
