//! The protocol over a socket pair: a handshake, and a message each way.
//!
//! ```sh
//! cargo run -p rpytest-examples --example frames
//! ```

use std::error::Error;
use std::io::Cursor;

use rpytest_ipc::{
    Address, Assignment, FrameReader, MAX_FRAME, Outcome, PhaseSeconds, ToPython, ToRust, decode,
    encode, encode_frame,
};

fn main() -> Result<(), Box<dyn Error>> {
    // A message is a MessagePack map, with names for its fields.
    let run = ToPython::Run {
        assignments: vec![Assignment {
            task: 7,
            address: Address {
                nodeid: "test_shelf.py::test_é[1]".into(),
                nth: 0,
            },
        }],
    };
    let bytes = encode(&run)?;
    println!("run: {} bytes", bytes.len());
    assert_eq!(decode::<ToPython>(&bytes)?, run);

    // On the wire each has its length before it.
    let mut wire = Vec::new();
    for task in 0..3 {
        let result = ToRust::Result {
            task,
            outcome: Outcome::Passed,
            seconds: PhaseSeconds {
                setup: 0.001,
                call: 0.25,
                teardown: 0.0,
            },
            payload: Vec::from(&b"opaque"[..]).into(),
        };
        wire.extend(encode_frame(&result, MAX_FRAME)?);
    }
    let mut reader = FrameReader::new(Cursor::new(wire));
    while let Some(frame) = reader.read_frame()? {
        println!("{:?}", decode::<ToRust>(&frame)?);
    }

    // Bytes that lie about their length are an error, not an allocation.
    let mut reader = FrameReader::new(Cursor::new([0xff, 0xff, 0xff, 0xff, 0x80]));
    println!("hostile: {}", reader.read_frame().expect_err("too large"));
    Ok(())
}
