//! Any stream of bytes is read as messages of both directions, and what can be read can be written.
//!
//! `cargo +nightly fuzz run frames fuzz/corpus/frames tests/golden`

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use rpytest_ipc::{FrameReader, Message, ToPython, ToRust, accept, decode, encode};

fn read<M: Message + Debug>(body: &[u8]) {
    let Ok(message) = decode::<M>(body) else {
        return;
    };
    let written = encode(&message).expect("any message can be written");
    let again = decode::<M>(&written).expect("what was written can be read");
    // By their texts, since NaN is not equal to itself.
    assert_eq!(format!("{message:?}"), format!("{again:?}"));
}

fuzz_target!(|stream: &[u8]| {
    let mut reader = FrameReader::with_max(stream, 1 << 20);
    while let Ok(Some(body)) = reader.read_frame() {
        read::<ToPython>(body);
        read::<ToRust>(body);
    }
    read::<ToPython>(stream);
    read::<ToRust>(stream);
    let mut answer = rpytest_ipc::FrameWriter::new(Vec::new());
    let _ = accept(&mut FrameReader::new(stream), &mut answer);
});
