//! The protocol over a socket pair: a handshake, a message each way, and bytes that lie.
//!
//! ```sh
//! cargo run -p rpytest-examples --example frames
//! ```

use std::error::Error;
use std::io::Cursor;
use std::os::unix::net::UnixStream;
use std::thread;

use rpytest_ipc::{
    Address, Assignment, FrameReader, FrameWriter, Outcome, PROTOCOL, PhaseSeconds, ToPython,
    ToRust, accept, decode, encode,
};

/// What a Python process does: introduces itself, and answers what it is asked to run.
fn worker(stream: &UnixStream) -> rpytest_ipc::Result<()> {
    let (mut reader, mut writer) = (FrameReader::new(stream), FrameWriter::new(stream));
    writer.write(&ToRust::Hello {
        protocol: PROTOCOL,
        pid: std::process::id(),
        python: "3.13.0".into(),
        pytest: "9.2.0".into(),
    })?;
    while let Some(message) = reader.read()? {
        let ToPython::Run { assignments } = message else {
            continue; // the welcome
        };
        for Assignment { task, .. } in assignments {
            writer.write(&ToRust::Result {
                task,
                outcome: Outcome::Passed,
                seconds: PhaseSeconds {
                    setup: 0.001,
                    call: 0.25,
                    teardown: 0.0,
                },
                payload: Vec::from(&b"opaque"[..]).into(),
                shared: Vec::new(),
                reruns: 0,
                excused: false,
            })?;
        }
        break;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (ours, theirs) = UnixStream::pair()?;
    let python = thread::spawn(move || worker(&theirs));
    let (mut reader, mut writer) = (FrameReader::new(&ours), FrameWriter::new(&ours));

    // First of all, both sides must speak the same version.
    let peer = accept(&mut reader, &mut writer)?;
    println!("peer: Python {}, pytest {}", peer.python, peer.pytest);

    // A message is a MessagePack map, with names for its fields; on the wire its length comes first.
    let assignments = (0..3)
        .map(|task| Assignment {
            task,
            address: Address {
                nodeid: format!("test_shelf.py::test_é[{task}]"),
                nth: 0,
            },
        })
        .collect();
    let run = ToPython::Run { assignments };
    let bytes = encode(&run)?;
    println!("run: {} bytes", bytes.len());
    assert_eq!(decode::<ToPython>(&bytes)?, run);
    writer.write(&run)?;

    // The answers, until the other side closes its end.
    while let Some(message) = reader.read::<ToRust>()? {
        println!("{message:?}");
    }
    python.join().expect("the thread does not panic")?;

    // Bytes that lie about their length are an error, not an allocation.
    let mut reader = FrameReader::new(Cursor::new([0xff, 0xff, 0xff, 0xff, 0x80]));
    let error = reader.read_frame().expect_err("too large");
    println!("hostile: failed to {error}");
    Ok(())
}
