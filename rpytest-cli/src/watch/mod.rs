//! `--watch`: the tests that a change concerns run when it is made.
//!
//! One thread decides. Changes, keys, signals and the end of a run reach it on one channel, on which it waits.

mod affected;
mod changes;
mod keys;
mod screen;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

use rpytest_ipc::Outcome;
use signal_hook::consts::{SIGCONT, SIGTERM, SIGTSTP, SIGWINCH};

use self::affected::{Suite, Target};
use self::keys::{Filter, Key, Keyboard};
use self::screen::{Cause, Screen};
use crate::args::RunArguments;
use crate::exit;
use crate::session::{Focus, Stop, Told, run_focused};
use crate::settings::Settings;
use crate::signals::Signals;

/// Watches until the user has enough. Returns the exit code of the last run, if that came to its end.
pub(crate) fn run(arguments: &RunArguments) -> u8 {
    match begin(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rpytest: error: {error}");
            exit::USAGE_ERROR
        }
    }
}

enum Input {
    Changed(BTreeSet<PathBuf>),
    Key(Key),
    Signal(i32),
    Over(Told),
}

fn begin(arguments: &RunArguments) -> Result<u8, Box<dyn std::error::Error>> {
    let (inputs, arriving) = mpsc::channel();
    let signals = Signals::install()?;
    let tell = inputs.clone();
    signals.listen(move |signal| {
        let _ = tell.send(Input::Signal(signal));
    });
    let suite = Suite::of(&arguments.pytest)?;
    let (settings, _) = Settings::of_the_project()?;
    let ignored = changes::ignored(&suite.root, &settings.watch_ignore)?;
    let tell = inputs.clone();
    changes::watch(&suite.root, ignored, move |changed| {
        let _ = tell.send(Input::Changed(changed));
    })?;
    let keyboard = Keyboard::new();
    let mut watch = Watch {
        arguments: arguments.clone(),
        suite,
        screen: Screen::new(keyboard.is_some()),
        keyboard,
        inputs,
        signals,
        keyword: None,
        mark: None,
        path: None,
        running: None,
        last: Wanted::default(),
        changed: BTreeSet::new(),
        pending: Target::default(),
        owed: Target::default(),
        failed: BTreeMap::new(),
        is_typing: false,
        code: 0,
    };
    watch.start(Wanted::of(Target::All), None)?;
    watch.until_the_end(&arriving)
}

/// What is to run.
#[derive(Debug, Clone, Default)]
struct Wanted {
    target: Target,
    /// Node ids; none: all in the files.
    tests: Option<Vec<String>>,
}

impl Wanted {
    fn of(target: Target) -> Self {
        let tests = None;
        Self { target, tests }
    }
}

struct Running {
    wanted: Wanted,
    stop: Stop,
    /// A change has made it pointless.
    is_stopped: bool,
    since: Instant,
}

struct Watch {
    arguments: RunArguments,
    suite: Suite,
    screen: Screen,
    keyboard: Option<Keyboard>,
    inputs: Sender<Input>,
    signals: Signals,
    keyword: Option<String>,
    mark: Option<String>,
    path: Option<String>,
    running: Option<Running>,
    last: Wanted,
    /// What has changed since a run was started because of changes, and what that concerns.
    changed: BTreeSet<PathBuf>,
    pending: Target,
    /// What a change concerned and a run has not come to.
    owed: Target,
    failed: BTreeMap<String, PathBuf>,
    /// Whether the user types a line.
    is_typing: bool,
    code: u8,
}

impl Watch {
    fn until_the_end(
        &mut self,
        arriving: &Receiver<Input>,
    ) -> Result<u8, Box<dyn std::error::Error>> {
        loop {
            let end = match arriving.recv()? {
                Input::Changed(files) => self.changed(files)?,
                Input::Key(key) => self.key(key)?,
                Input::Signal(SIGCONT) => {
                    if let Some(keyboard) = &self.keyboard {
                        keyboard.renew();
                    }
                    None
                }
                // A run answers signals itself, and is over soon.
                Input::Signal(SIGWINCH) => None,
                Input::Signal(_) if self.running.is_some() => None,
                Input::Signal(SIGTSTP) => {
                    self.stand_still()?;
                    None
                }
                Input::Signal(SIGTERM) => Some(128 + u8::try_from(SIGTERM)?),
                Input::Signal(_) => Some(self.code),
                Input::Over(told) => self.over(&told)?,
            };
            if let Some(code) = end {
                return Ok(code);
            }
        }
    }

    /// The terminal has asked for it, while nothing runs.
    fn stand_still(&mut self) -> std::io::Result<()> {
        if let Some(keyboard) = &mut self.keyboard {
            keyboard.leave();
        }
        // A run would take it for one of its own.
        if self.signals.suspended() {
            Signals::stand_still();
        }
        self.listen()
    }

    fn changed(&mut self, files: BTreeSet<PathBuf>) -> std::io::Result<Option<u8>> {
        self.failed.retain(|_, file| file.exists());
        let target = self.suite.affected(&files);
        tracing::debug!(?files, ?target, "changed");
        if target.is_empty() {
            return Ok(None);
        }
        let concerns = files.into_iter().filter(|file| self.suite.knows(file));
        self.changed.extend(concerns);
        if let Some(running) = &mut self.running {
            if running.wanted.target.meets(&target) {
                running.is_stopped = true;
                running.stop.set();
            }
            self.pending.add(target);
        } else {
            self.pending.add(target);
            self.start_what_is_pending()?;
        }
        Ok(None)
    }

    /// Runs what changes concern, and what is owed to earlier ones.
    fn start_what_is_pending(&mut self) -> std::io::Result<()> {
        if self.is_typing || self.pending.is_empty() {
            return Ok(());
        }
        let mut target = std::mem::take(&mut self.pending);
        target.add(std::mem::take(&mut self.owed));
        let changed = std::mem::take(&mut self.changed);
        self.start(Wanted::of(target), Some(&Cause::Changed(changed)))
    }

    fn key(&mut self, key: Key) -> std::io::Result<Option<u8>> {
        if self.running.is_some() {
            return Ok(None);
        }
        let asked = |watch: &mut Self, wanted, what: &str| {
            watch.start(wanted, Some(&Cause::Asked(what.to_owned())))
        };
        match key {
            Key::Quit => return Ok(Some(self.code)),
            Key::Help => self.screen.help(),
            Key::Again => {
                let last = self.last.clone();
                asked(self, last, "again")?;
            }
            Key::All => asked(self, Wanted::of(Target::All), "asked for")?,
            Key::Failed if self.failed.is_empty() => self.screen.nothing_failed(),
            Key::Failed => {
                let wanted = Wanted {
                    target: Target::Files(self.failed.values().cloned().collect()),
                    tests: Some(self.failed.keys().cloned().collect()),
                };
                asked(self, wanted, "those that failed")?;
            }
            Key::Typing => self.is_typing = true,
            Key::Typed(filter, line) => {
                self.is_typing = false;
                let Some(line) = line else {
                    self.start_what_is_pending()?;
                    return Ok(None);
                };
                let place = match filter {
                    Filter::Keyword => &mut self.keyword,
                    Filter::Mark => &mut self.mark,
                    Filter::Path => &mut self.path,
                };
                *place = Some(line);
                asked(self, Wanted::of(Target::All), "another filter")?;
            }
        }
        Ok(None)
    }

    /// Starts a run; without a cause it is the first.
    fn start(&mut self, wanted: Wanted, cause: Option<&Cause>) -> std::io::Result<()> {
        let filter = self.path.as_deref().filter(|filter| !filter.is_empty());
        let only = match (&wanted.target, filter) {
            (target, Some(filter)) => {
                let files = self.suite.filtered(target, filter);
                if files.is_empty() {
                    // What a change concerns is run when the filter is taken away, with all others.
                    if !matches!(cause, Some(Cause::Changed(_))) {
                        self.screen.nothing_fits(filter);
                    }
                    return self.listen();
                }
                Some(files)
            }
            (Target::All, None) => None,
            (Target::Files(files), None) => Some(files.clone()),
        };
        if let Some(keyboard) = &mut self.keyboard {
            keyboard.leave();
        }
        if let Some(cause) = cause {
            let shown = match &only {
                None => Target::All,
                Some(files) => Target::Files(files.clone()),
            };
            let filters = self.filters();
            (self.screen).begins(&self.suite.root, cause, &shown, &filters);
        }
        if wanted.tests.is_none() {
            self.owed.remove(&wanted.target);
        }
        let failed = self.failed.iter();
        let first = failed.filter(|(_, file)| wanted.target.has(file));
        let focus = Focus {
            only: only.map(|files| files.into_iter().collect()),
            first: first.map(|(nodeid, _)| nodeid.clone()).collect(),
            tests: wanted.tests.clone(),
        };
        let mut arguments = self.arguments.clone();
        arguments.pytest = self.with_filters();
        let stop = Stop::default();
        self.last = wanted.clone();
        self.running = Some(Running {
            wanted,
            stop: stop.clone(),
            is_stopped: false,
            since: Instant::now(),
        });
        let over = self.inputs.clone();
        std::thread::Builder::new()
            .name("run".into())
            .spawn(move || {
                let ran = catch_unwind(AssertUnwindSafe(|| run_focused(&arguments, focus, &stop)));
                // What went wrong is on the screen already.
                let told = ran.unwrap_or_else(|_| Told::failed(exit::INTERNAL_ERROR));
                let _ = over.send(Input::Over(told));
            })?;
        Ok(())
    }

    /// The filters as they are shown.
    fn filters(&self) -> Vec<String> {
        let all = [
            ("-k", &self.keyword),
            ("-m", &self.mark),
            ("path", &self.path),
        ];
        let given = all.into_iter().filter_map(|(name, value)| {
            let value = value.as_deref().filter(|value| !value.is_empty())?;
            Some(format!("{name} {value:?}"))
        });
        given.collect()
    }

    /// The arguments, and after them the expressions, of which pytest takes the last.
    fn with_filters(&self) -> Vec<OsString> {
        let mut words = self.arguments.pytest.clone();
        let separator = words.iter().position(|word| word == "--");
        let rest = words.split_off(separator.unwrap_or(words.len()));
        for (option, value) in [("-k", &self.keyword), ("-m", &self.mark)] {
            if let Some(value) = value {
                words.extend([option.into(), value.into()]);
            }
        }
        words.extend(rest);
        words
    }

    fn over(&mut self, told: &Told) -> std::io::Result<Option<u8>> {
        let Some(running) = self.running.take() else {
            return Ok(None);
        };
        if self.signals.interrupts() > 0 || self.signals.terminated().is_some() {
            return Ok(Some(told.code));
        }
        self.suite.learn(told);
        self.take_note(told, &running);
        if running.is_stopped {
            self.start_what_is_pending()?;
        } else {
            self.code = told.code;
            let still_failing = self.failed.values();
            let others = still_failing.filter(|file| !running.wanted.target.has(file));
            let is_owed = !self.owed.is_empty();
            (self.screen).ends(told, running.since.elapsed(), others.count(), is_owed);
            self.start_what_is_pending()?;
        }
        if self.running.is_none() {
            self.listen()?;
            // Now there is time.
            self.suite.renew();
        }
        Ok(None)
    }

    /// Which tests fail from now on, and what the run has left undone.
    fn take_note(&mut self, told: &Told, running: &Running) {
        let target = &running.wanted.target;
        let left = match (&told.left, told.code) {
            (_, exit::NO_TESTS_COLLECTED) => Target::default(),
            (Some(left), 0..=exit::INTERRUPTED) => {
                Target::Files(left.iter().map(|nodeid| self.suite.file(nodeid)).collect())
            }
            _ => target.clone(),
        };
        let has_all =
            left.is_empty() && running.wanted.tests.is_none() && self.filters().is_empty();
        if has_all {
            // A test that fails no more may also be gone.
            self.failed.retain(|_, file| !target.has(file));
        }
        for (nodeid, outcome) in &told.results {
            if matches!(outcome, Outcome::Failed | Outcome::Error) {
                let file = self.suite.file(nodeid);
                self.failed.insert(nodeid.clone(), file);
            } else {
                self.failed.remove(nodeid);
            }
        }
        self.owed.add(left);
    }

    fn listen(&mut self) -> std::io::Result<()> {
        let tell = self.inputs.clone();
        match &mut self.keyboard {
            Some(keyboard) => keyboard.listen(move |key| {
                let _ = tell.send(Input::Key(key));
            }),
            None => Ok(()),
        }
    }
}
