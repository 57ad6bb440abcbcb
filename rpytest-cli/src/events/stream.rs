//! From what a session hears to the events of its run.
//!
//! Nothing is told twice: a session that begins again, since its tests are not those that were foreseen or
//! fixtures must not be reused, has told nothing but that it has started; and a controller that takes over from
//! a crashed one goes through the same session again, of which is told from its first test on.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rpytest_ipc::{Address, Outcome, PhaseSeconds, Story, Told};

use super::{Error, Event, Listener, Named, Shown, VERSION, micro, outcome_name, outputs};
use crate::args::RunArguments;

/// The outcome of a report by which pytest says that the item runs again.
const RERUN: &str = "rerun";

/// A test, and who runs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Test<'a> {
    pub(crate) address: &'a Address,
    /// `gw0`; none in a session that runs its tests itself.
    pub(crate) worker: Option<&'a str>,
}

impl From<Test<'_>> for Named {
    fn from(test: Test<'_>) -> Self {
        Self {
            nodeid: test.address.nodeid.clone(),
            nth: test.address.nth,
            worker: test.worker.map(str::to_owned),
        }
    }
}

/// What is told before it is known which tests there are: of the first tests the workers may be quicker to tell than
/// the controller is of the collection.
#[derive(Default)]
struct Before {
    collection: Vec<(f64, Event)>,
    tests: Vec<(f64, Event)>,
}

/// The events of one run, on their way to those who listen.
pub(crate) struct Stream {
    listeners: Vec<Box<dyn Listener>>,
    args: Vec<String>,
    begun: Instant,
    /// Whether the run may begin again, in another process of this command.
    is_provisional: bool,
    has_started: bool,
    /// Until it is known which tests there are.
    before: Option<Before>,
    /// Whether what the controller tells was told by the one before.
    is_repeated: bool,
    errors: u32,
    skipped: u32,
    tests: BTreeMap<&'static str, u32>,
    counts: Vec<(String, u32)>,
}

impl Stream {
    /// Of a run with these arguments, if anybody listens to it.
    pub(crate) fn of(arguments: &RunArguments, begun: Instant) -> Result<Option<Self>, Error> {
        if arguments.messages.is_empty() {
            return Ok(None);
        }
        let words = arguments.pytest.iter();
        let args = words.map(|word| word.to_string_lossy().into_owned());
        let listeners = outputs::listeners(&arguments.messages)?;
        Ok(Some(Self::new(listeners, args.collect(), begun)))
    }

    fn new(listeners: Vec<Box<dyn Listener>>, args: Vec<String>, begun: Instant) -> Self {
        Self {
            listeners,
            args,
            begun,
            is_provisional: false,
            has_started: false,
            before: Some(Before::default()),
            is_repeated: false,
            errors: 0,
            skipped: 0,
            tests: BTreeMap::new(),
            counts: Vec::new(),
        }
    }

    /// The run may turn out not to be one: until that is known, nothing is told.
    pub(crate) fn provisional(self, is_provisional: bool) -> Self {
        Self {
            is_provisional,
            ..self
        }
    }

    /// The controller has told something.
    pub(crate) fn told(&mut self, told: Told) {
        match told {
            Told::Ended { counts } => self.counts = counts,
            _ if self.is_repeated => {}
            Told::Session {
                rootdir,
                inifile,
                python,
                pytest,
            } => self.session(rootdir, inifile, python, pytest),
            Told::Collector { nodeid, report } => {
                match report.outcome.as_str() {
                    "skipped" => self.skipped += 1,
                    _ => self.errors += 1,
                }
                let report = Shown::from(report);
                self.of_collection(Event::CollectReport { nodeid, report });
            }
            Told::Warning(warned) => self.of_collection(warned.into()),
            Told::Collected { items, deselected } => {
                let event = Event::Collected {
                    tests: items,
                    deselected,
                    errors: self.errors,
                    skipped: self.skipped,
                };
                self.of_collection(event);
                self.release();
            }
            Told::Items { items } => {
                for (nodeid, file, line) in items {
                    self.of_collection(Event::TestCollected { nodeid, file, line });
                }
            }
            told => tracing::debug!(?told, "of a later version"),
        }
    }

    fn session(
        &mut self,
        rootdir: String,
        inifile: Option<String>,
        python: String,
        pytest: String,
    ) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let cwd = std::env::current_dir().unwrap_or_default();
        let event = Event::SessionStarted {
            v: VERSION,
            rpytest: env!("CARGO_PKG_VERSION"),
            pytest,
            python,
            rootdir,
            inifile,
            cwd: cwd.to_string_lossy().into_owned(),
            args: self.args.clone(),
        };
        match self.is_provisional {
            true => self.of_collection(event),
            false => self.tell(now(), &event),
        }
    }

    /// A test begins.
    pub(crate) fn started(&mut self, test: Test<'_>) {
        self.is_repeated = false;
        self.of_tests(Event::TestStarted { test: test.into() });
    }

    /// A test has ended.
    pub(crate) fn ended(
        &mut self,
        test: Test<'_>,
        outcome: Outcome,
        seconds: PhaseSeconds,
        story: Option<Story>,
    ) {
        let story = story.unwrap_or_default();
        *self.tests.entry(outcome_name(outcome)).or_default() += 1;
        for warned in story.warnings {
            self.of_tests(warned.into());
        }
        let again = story.reports.iter();
        // What a subtest has told may have been too early: then the test itself has not run again.
        let again = again.filter(|report| report.outcome == RERUN && report.subtest.is_none());
        // More than one phase of an attempt may have failed.
        let reruns = again.map(|report| report.attempt).max().unwrap_or(0);
        self.of_tests(Event::TestFinished {
            test: test.into(),
            file: story.file,
            line: story.line,
            outcome,
            seconds,
            attempts: reruns.saturating_add(1),
            reports: story.reports.into_iter().map(Shown::from).collect(),
        });
    }

    /// A process has died, and with it the test that it ran.
    pub(crate) fn crashed(&mut self, test: Test<'_>, reason: &str) {
        self.of_tests(Event::Crash {
            worker: test.worker.map(str::to_owned),
            nodeid: Some(test.address.nodeid.clone()),
            reason: reason.to_owned(),
        });
        let whose = match test.worker {
            Some(worker) => format!("worker '{worker}'"),
            None => "the process".to_owned(),
        };
        let nodeid = &test.address.nodeid;
        let report = rpytest_ipc::Report {
            when: "call".to_owned(),
            outcome: "failed".to_owned(),
            attempt: 1,
            text: Some(format!(
                "{whose} crashed while running '{nodeid}': {reason}"
            )),
            ..rpytest_ipc::Report::default()
        };
        let story = Story {
            file: crate::convert::file_of(nodeid).to_owned(),
            reports: vec![report],
            ..Story::default()
        };
        self.ended(test, Outcome::Failed, PhaseSeconds::default(), Some(story));
    }

    /// A worker, or the session's own process, has died while it ran no test.
    pub(crate) fn lost(&mut self, worker: Option<&str>, reason: &str) {
        self.of_tests(Event::Crash {
            worker: worker.map(str::to_owned),
            nodeid: None,
            reason: reason.to_owned(),
        });
    }

    /// Another controller takes over from one that has crashed.
    pub(crate) fn is_taken_over(&mut self) {
        self.is_repeated = true;
    }

    /// The session begins again, before any test has run.
    pub(crate) fn begins_again(&mut self) {
        self.before = Some(Before::default());
        (self.errors, self.skipped) = (0, 0);
    }

    /// The run is over. Returns what went wrong with telling of it.
    pub(crate) fn end(mut self, exit: u8, gives_up: &dyn Fn() -> bool) -> Vec<Error> {
        self.release();
        let event = Event::SessionFinished {
            exit,
            seconds: micro(self.begun.elapsed().as_secs_f64()),
            tests: std::mem::take(&mut self.tests),
            counts: std::mem::take(&mut self.counts),
        };
        self.tell(now(), &event);
        let listeners = self.listeners.into_iter();
        listeners
            .filter_map(|listener| listener.end(gives_up).err())
            .collect()
    }

    // ------------------------------------------------------------------ order

    fn of_collection(&mut self, event: Event) {
        match &mut self.before {
            Some(before) => before.collection.push((now(), event)),
            None => self.tell(now(), &event),
        }
    }

    fn of_tests(&mut self, event: Event) {
        match &mut self.before {
            Some(before) => before.tests.push((now(), event)),
            None => self.tell(now(), &event),
        }
    }

    fn release(&mut self) {
        if let Some(Before { collection, tests }) = self.before.take() {
            for (time, event) in collection.into_iter().chain(tests) {
                self.tell(time, &event);
            }
        }
    }

    fn tell(&mut self, time: f64, event: &Event) {
        for listener in &mut self.listeners {
            listener.event(time, event);
        }
    }
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use rpytest_ipc::Report;

    use super::*;

    /// Keeps the kinds of events, with the node id where there is one.
    struct Kinds(Rc<RefCell<Vec<String>>>);

    impl Listener for Kinds {
        fn event(&mut self, _: f64, event: &Event) {
            let value = serde_json::to_value(event).expect("JSON");
            let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            let line = format!("{} {} {}", text("event"), text("nodeid"), text("outcome"));
            self.0.borrow_mut().push(line.trim_end().to_owned());
        }

        fn end(self: Box<Self>, _: &dyn Fn() -> bool) -> Result<(), Error> {
            Ok(())
        }
    }

    fn stream() -> (Stream, Rc<RefCell<Vec<String>>>) {
        let kinds = Rc::default();
        let listener = Box::new(Kinds(Rc::clone(&kinds)));
        let stream = Stream::new(vec![listener], Vec::new(), Instant::now());
        (stream, kinds)
    }

    fn session() -> Told {
        Told::Session {
            rootdir: "/src".into(),
            inifile: None,
            python: "3.13.0".into(),
            pytest: "9.2.0".into(),
        }
    }

    fn failed_to_collect() -> Told {
        Told::Collector {
            nodeid: "b.py".into(),
            report: Report {
                outcome: "error".into(),
                ..Report::default()
            },
        }
    }

    fn address(nodeid: &str) -> Address {
        Address {
            nodeid: nodeid.to_owned(),
            nth: 0,
        }
    }

    const COLLECTED: Told = Told::Collected {
        items: 2,
        deselected: 0,
    };

    #[test]
    fn the_collection_comes_before_the_tests() {
        let (mut stream, kinds) = stream();
        let a = address("a");
        let test = Test {
            address: &a,
            worker: Some("gw0"),
        };
        stream.told(session());
        stream.started(test);
        stream.told(failed_to_collect());
        stream.ended(test, Outcome::Passed, PhaseSeconds::default(), None);
        assert_eq!(*kinds.borrow(), ["session_started"]);
        stream.told(COLLECTED);
        stream.lost(Some("gw0"), "killed");
        assert!(stream.end(0, &|| false).is_empty());
        let expected = [
            "session_started",
            "collect_report b.py error",
            "collected",
            "test_started a",
            "test_finished a passed",
            "crash",
            "session_finished",
        ];
        assert_eq!(*kinds.borrow(), expected);
    }

    #[test]
    fn what_a_controller_goes_through_again_is_not_told_again() {
        let (mut stream, kinds) = stream();
        let (a, b) = (address("a"), address("b"));
        let [a, b] = [&a, &b].map(|address| Test {
            address,
            worker: None,
        });
        for told in [session(), failed_to_collect(), COLLECTED] {
            stream.told(told);
        }
        stream.started(a);
        stream.crashed(a, "killed by SIGKILL");
        stream.is_taken_over();
        for told in [session(), failed_to_collect(), COLLECTED] {
            stream.told(told);
        }
        stream.started(b);
        stream.told(failed_to_collect());
        let expected = [
            "session_started",
            "collect_report b.py error",
            "collected",
            "test_started a",
            "crash a",
            "test_finished a failed",
            "test_started b",
            "collect_report b.py error",
        ];
        assert_eq!(*kinds.borrow(), expected);
    }

    #[test]
    fn a_session_that_begins_again_has_told_of_no_collection() {
        let (mut stream, kinds) = stream();
        for _ in 0..2 {
            stream.begins_again();
            stream.told(session());
            stream.told(failed_to_collect());
        }
        stream.told(COLLECTED);
        let expected = ["session_started", "collect_report b.py error", "collected"];
        assert_eq!(*kinds.borrow(), expected);
        let (stream, kinds) = self::stream();
        let mut stream = stream.provisional(true);
        stream.told(session());
        assert!(kinds.borrow().is_empty(), "it may not be the one that runs");
    }
}
