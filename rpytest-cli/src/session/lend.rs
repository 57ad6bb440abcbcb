//! A host that the daemon lends.

use std::ffi::OsString;
use std::io::Write;
use std::time::{Duration, Instant};

use rpytest_worker::{Interpreter, ProcessId, Supervisor};

use super::reuse::Reuse;
use crate::args::RunArguments;
use crate::daemon::{self, Denied, Loan, Stage};
use crate::daemon_commands::TEARDOWN;
use crate::settings::Snapshot;
use crate::signals::is_interrupt_ignored;

/// How long a daemon may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who has lent the host of a run, if somebody has.
#[derive(Default)]
pub(super) struct Lender {
    loan: Option<Loan>,
    /// Why nobody has.
    reason: Option<String>,
    /// What the next run would want of a daemon, if there is none where one may be.
    wanted: Option<Stage>,
}

/// Whether a daemon may be asked. Else, why not.
pub(super) fn whether(arguments: &RunArguments, snapshot: Snapshot) -> Result<(), String> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !arguments.daemon {
        return Err("--no-daemon is given".to_owned());
    }
    if let Some(name) = ["RPYTEST_NO_DAEMON", "CI"]
        .into_iter()
        .find(|name| is_set(name))
    {
        return Err(format!("the environment variable {name} is set"));
    }
    if is_interrupt_ignored() {
        // The processes that it lends are interrupted by what interrupts others.
        return Err("SIGINT is ignored".to_owned());
    }
    match snapshot {
        Snapshot::Off => Err("snapshot is off".to_owned()),
        Snapshot::Collected | Snapshot::Configured | Snapshot::Interpreter => Ok(()),
    }
}

pub(super) fn borrow(
    supervisor: &Supervisor,
    interpreter: &Interpreter,
    arguments: &[OsString],
    snapshot: Snapshot,
    reuse: Option<Reuse>,
) -> Lender {
    let deepest = match snapshot {
        Snapshot::Off | Snapshot::Interpreter => Stage::Interpreter,
        Snapshot::Configured => Stage::Configured,
        Snapshot::Collected => Stage::Collected,
    };
    let reuse = reuse.map(|Reuse { max_age }| daemon::Reuse { max_age });
    let ask = || daemon::borrow(supervisor, interpreter, arguments, deepest, reuse);
    let mut answer = ask();
    if let (Some(_), Err(Denied { nobody: true, .. })) = (reuse, &answer) {
        // What this run sets up shall be there for the next one.
        match daemon::start_for(interpreter, arguments, Stage::Interpreter) {
            Ok(()) => {
                let deadline = Instant::now() + PATIENCE;
                while matches!(answer, Err(Denied { nobody: true, .. }))
                    && Instant::now() < deadline
                {
                    std::thread::sleep(Duration::from_millis(10));
                    answer = ask();
                }
            }
            Err(error) => tracing::error!(%error, "no daemon is started"),
        }
    }
    match answer {
        Ok(loan) => Lender {
            loan: Some(loan),
            ..Lender::default()
        },
        Err(Denied { reason, nobody }) => Lender {
            wanted: nobody.then_some(deepest),
            ..Lender::none(reason)
        },
    }
}

impl Lender {
    pub(super) fn none(reason: String) -> Self {
        Self {
            loan: None,
            reason: Some(reason),
            ..Self::default()
        }
    }

    /// When a run is over: the next one shall find a daemon. None is started for a session that ran no tests.
    pub(super) fn start_for_the_next(&self, interpreter: &Interpreter, arguments: &[OsString]) {
        let Some(deepest) = self.wanted else { return };
        if let Err(error) = daemon::start_for(interpreter, arguments, deepest) {
            tracing::error!(%error, "no daemon is started");
        }
    }

    pub(super) fn host(&self) -> Option<ProcessId> {
        Some(self.loan.as_ref()?.host)
    }

    /// Whether fixtures stay up in that host.
    pub(super) fn keeps_fixtures(&self) -> bool {
        self.loan.as_ref().is_some_and(|loan| loan.up.is_some())
    }

    /// What a session that goes on from its collection has written until there, after what went wrong before.
    pub(super) fn show_what_was_written(&self) {
        let Some(loan) = &self.loan else { return };
        for failure in &loan.failures {
            eprintln!("rpytest: warning: {TEARDOWN}: {failure}");
        }
        let [out, err] = &loan.written;
        // Whoever closed one of them does not want to see it.
        let _ = std::io::stdout().lock().write_all(out);
        let _ = std::io::stdout().lock().flush();
        let _ = std::io::stderr().lock().write_all(err);
    }

    /// For `--explain`.
    pub(super) fn notes(&self) -> Vec<String> {
        match (&self.loan, &self.reason) {
            (Some(loan), _) => {
                let what = match loan.stage {
                    Stage::Interpreter if loan.up.is_some() => "a process that keeps fixtures",
                    Stage::Interpreter => "an interpreter",
                    Stage::Configured => "a session that was configured",
                    Stage::Collected => "a session that had collected",
                };
                let mut note = format!("the daemon lent {what}");
                for reason in loan.reasons.iter().take(1) {
                    note.push_str(": ");
                    note.push_str(reason);
                }
                if let Some(up) = loan.up.filter(|up| *up > 0) {
                    note.push_str(&format!(": {up} were up"));
                }
                vec![note]
            }
            (None, Some(reason)) => vec![format!("no daemon was used: {reason}")],
            (None, None) => Vec::new(),
        }
    }
}
