//! The first two messages of a channel.

use std::io::{Read, Write};

use serde::Deserialize;

use crate::codec::{self, decode};
use crate::error::{Error, Result};
use crate::frame::{FrameReader, FrameWriter};
use crate::message::{PROTOCOL, ToPython, ToRust};
use crate::structure;

/// A Python process that has introduced itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Its process id.
    pub pid: u32,
    /// The interpreter's version, `3.13.0`.
    pub python: String,
    /// pytest's version, `9.2.0`.
    pub pytest: String,
}

/// The supervisor's side of the handshake: waits for [`Hello`](ToRust::Hello), checks its version and
/// answers [`Welcome`](ToPython::Welcome).
///
/// # Errors
///
/// [`Error::ClosedBeforeHello`], [`Error::NoHello`] and [`Error::WrongProtocol`], besides those of
/// reading and writing. Nothing was answered then; close the channel.
pub fn accept<R: Read, W: Write>(
    reader: &mut FrameReader<R>,
    writer: &mut FrameWriter<W>,
) -> Result<Peer> {
    let peer = greeted(reader.read_frame()?)?;
    writer.write(&welcome())?;
    Ok(peer)
}

/// The answer to a process that is accepted.
pub(crate) fn welcome() -> ToPython {
    ToPython::Welcome { protocol: PROTOCOL }
}

/// Who the first frame is from.
pub(crate) fn greeted(body: Option<&[u8]>) -> Result<Peer> {
    /// What the first message has in every version of the protocol.
    #[derive(Deserialize)]
    struct Version {
        protocol: u64,
    }

    let body = body.ok_or(Error::ClosedBeforeHello)?;
    structure::check(body)?;
    let name = codec::message_type(body).unwrap_or_default();
    if name != "hello" {
        return Err(Error::NoHello { name });
    }
    // Another version's `hello` may have other fields, so its version comes first.
    if let Ok(Version { protocol: theirs }) = rmp_serde::from_slice(body)
        && theirs != u64::from(PROTOCOL)
    {
        return Err(Error::WrongProtocol {
            theirs,
            ours: PROTOCOL,
        });
    }
    match decode(body)? {
        ToRust::Hello {
            pid,
            python,
            pytest,
            ..
        } => Ok(Peer {
            pid,
            python,
            pytest,
        }),
        _ => Err(Error::NoHello { name }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode_frame;
    use crate::frame::MAX_FRAME;

    fn shake(input: &[u8]) -> (Result<Peer>, Vec<u8>) {
        let mut writer = FrameWriter::new(Vec::new());
        let peer = accept(&mut FrameReader::new(input), &mut writer);
        (peer, writer.into_inner())
    }

    fn hello(protocol: u16) -> Vec<u8> {
        let hello = ToRust::Hello {
            protocol,
            pid: 42,
            python: "3.13.0".into(),
            pytest: "9.2.0".into(),
        };
        encode_frame(&hello, MAX_FRAME).expect("it is short")
    }

    #[test]
    fn a_process_of_this_version_is_welcome() {
        let (peer, answer) = shake(&hello(PROTOCOL));
        let peer = peer.expect("the versions agree");
        assert_eq!(
            (peer.pid, &*peer.python, &*peer.pytest),
            (42, "3.13.0", "9.2.0")
        );
        let answer = FrameReader::new(&answer[..]).read();
        assert_eq!(
            answer.ok(),
            Some(Some(ToPython::Welcome { protocol: PROTOCOL }))
        );
    }

    #[test]
    fn another_version_is_refused_even_if_its_hello_has_other_fields() {
        let other = b"\0\0\0\x18\x82\xa4type\xa5hello\xa8protocol\xcd\x01\0";
        for (input, version) in [(&hello(2)[..], 2), (&other[..], 256)] {
            let (peer, answer) = shake(input);
            assert!(
                matches!(peer, Err(Error::WrongProtocol { theirs, ours: PROTOCOL }) if theirs == version),
                "{peer:?}"
            );
            assert!(answer.is_empty());
        }
    }

    #[test]
    fn other_first_messages_are_refused() {
        let started =
            encode_frame(&ToRust::Started { task: 1, at: None }, MAX_FRAME).expect("it is short");
        let cases: [(&[u8], &str); 5] = [
            (b"", "shake hands with a process that closed its channel"),
            (
                &started,
                "shake hands with a process whose first message is `started`, not `hello`",
            ),
            (
                b"\0\0\0\x01\x80",
                "shake hands with a process whose first message is ``, not `hello`",
            ),
            (b"\0\0\0\x0c\x81\xa4type\xa5hello", "decode a message"),
            (
                b"Trac",
                "transfer a frame of 1416782179 bytes, where the maximum is 268435456",
            ),
        ];
        for (input, text) in cases {
            let (peer, answer) = shake(input);
            assert_eq!(
                peer.expect_err("nothing here is a greeting").to_string(),
                text
            );
            assert!(answer.is_empty());
        }
    }
}
