//! Start an interpreter that has pytest, fork it, and see how the fork ends.
//!
//! ```sh
//! PYTHON=/path/to/venv/bin/python cargo run -p rpytest-examples --example one_process
//! ```

use std::error::Error;
use std::time::Duration;

use rpytest_ipc::{Role, ToPython, ToRust};
use rpytest_worker::interpreter::ThisProcess;
use rpytest_worker::{EventKind, Interpreter, Options, PythonFiles, Supervisor};

fn main() -> Result<(), Box<dyn Error>> {
    let interpreter = Interpreter::find(&std::env::current_dir()?, &ThisProcess)?;
    let options = Options::new(PythonFiles::unpack(&ThisProcess)?);
    let (supervisor, events) = Supervisor::new(options)?;

    // The host imports pytest once; whatever is forked from it has it already.
    let host = supervisor.spawn_host(&interpreter)?;
    let session = supervisor.fork(host);
    let start = ToPython::Start {
        role: Role::Controller,
        argv: vec![b"--version".to_vec().into()],
        worker: None,
        settled: Vec::new(),
        focus: None,
        sharded: false,
        timed: false,
        listens: false,
    };
    supervisor.send(session, &start)?;

    loop {
        let event = events.recv_timeout(Duration::from_secs(60))?;
        match event.kind {
            EventKind::Ready(peer) if event.process == host => {
                println!("host: Python {}, pytest {}", peer.python, peer.pytest);
            }
            EventKind::Message(ToRust::SessionOver { exit }) => println!("session over: {exit}"),
            EventKind::Ended(end) if event.process == session => {
                println!("the fork {end}");
                break;
            }
            EventKind::StartFailed(error) => return Err(error.into()),
            _ => {}
        }
    }
    supervisor.shutdown_all(Duration::from_secs(2));
    Ok(())
}
