//! `--editor-server`: a server for editors, which speaks JSON-RPC 2.0 on standard input and output. `docs/editor.md` is its reference.
//!
//! One thread handles one thing after the other: what the editor says, what runs tell, what was found. Others read, write and
//! wait: one the editor's input, one its output, and some for each child. Whatever takes longer than a moment is done by a
//! child, which is this same command as the user would type it, so that it borrows from the daemon and ends without an effect
//! on the server.

mod child;
mod events;
mod frame;
mod nearest;
mod output;
mod rpc;
mod server;
mod status;
mod unsaved;

use std::ffi::OsString;
use std::io::{self, BufReader};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use self::frame::Malformed;
use self::output::{Closed, Output};
use self::rpc::{Code, Failure};
use self::server::Server;
use crate::args::Command;
use crate::exit;
use crate::signals::Signals;

/// How often signals are looked at when nothing else happens.
const TICK: Duration = Duration::from_millis(100);

/// What waits to be handled at most; who has more to tell waits.
const WAITING: usize = 1024;

/// What the server is told.
#[derive(Debug)]
enum Told {
    /// A body from the editor, or why there is none.
    Body(Result<Vec<u8>, Malformed>),
    /// The editor has closed its side.
    Closed,
    /// Of a child.
    Child(u64, child::Told),
}

/// Serves the editor until it says `exit` or is gone. The arguments are those of each run.
pub(crate) fn serve(arguments: &[OsString]) -> u8 {
    let signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("rpytest: error: failed to wait for signals: {error}");
            return exit::INTERNAL_ERROR;
        }
    };
    if let Err(error) = check(arguments) {
        eprintln!("rpytest: error: {error}");
        return exit::USAGE_ERROR;
    }
    let (tell, told) = sync_channel(WAITING);
    let closed = Closed::default();
    let begun = begin(tell.clone(), &closed, &signals);
    let out = match begun {
        Ok(out) => out,
        Err(error) => {
            eprintln!("rpytest: error: failed to start a thread: {error}");
            return exit::INTERNAL_ERROR;
        }
    };
    let mut server = Server::new(arguments.to_vec(), tell, out);
    let code = loop {
        match told.recv_timeout(TICK) {
            Ok(Told::Body(body)) => match body {
                Ok(body) => server.body(&body),
                Err(problem) => server.refuse(Failure::new(Code::ParseError, problem.to_string())),
            },
            Ok(Told::Closed) => break server.code(),
            Ok(Told::Child(child, told)) => server.child(child, told),
            Err(RecvTimeoutError::Timeout) => server.tick(),
            Err(RecvTimeoutError::Disconnected) => break server.code(),
        }
        if let Some(code) = signals.ended_by().or(server.ended()) {
            break code;
        }
    };
    // Nobody is told any more; who still waits to tell something must not wait for ever.
    drop(told);
    server.end();
    code
}

/// Refuses words that no run could have, and those that every run and list would have besides what it is asked for.
fn check(arguments: &[OsString]) -> Result<(), String> {
    let command = Command::parse(arguments.to_vec()).map_err(|error| error.to_string())?;
    let Command::Run(run) = command else {
        return Ok(());
    };
    match crate::collect::named(&run).first() {
        None => Ok(()),
        Some(path) => Err(format!(
            "--editor-server takes options, and {} is none; the editor says what is run",
            path.display()
        )),
    }
}

/// Starts the threads of the editor's input and output.
fn begin(tell: SyncSender<Told>, closed: &Closed, signals: &Signals) -> io::Result<Output> {
    let out = Output::new(io::stdout(), signals.clone(), Closed::clone(closed))?;
    let closed = Closed::clone(closed);
    let reads = std::thread::Builder::new().name("editor".into());
    reads.spawn(move || read(&tell, &closed))?;
    Ok(out)
}

fn read(tell: &SyncSender<Told>, closed: &Closed) {
    let mut input = BufReader::new(io::stdin().lock());
    loop {
        let told = match frame::read(&mut input) {
            Ok(Some(body)) => Told::Body(body),
            Ok(None) => Told::Closed,
            Err(error) => {
                tracing::debug!(%error, "the editor's input");
                Told::Closed
            }
        };
        let is_over = matches!(told, Told::Closed);
        if is_over {
            // Before it is told, since the server may be waiting for the editor to read.
            let _ = closed.set(Instant::now());
        }
        if tell.send(told).is_err() || is_over {
            return;
        }
    }
}
