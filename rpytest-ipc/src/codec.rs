//! A message as MessagePack and back.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;

use crate::error::{Error, Result};
use crate::frame::LENGTH;
use crate::message::{ToPython, ToRust};
use crate::structure;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ToPython {}
    impl Sealed for super::ToRust {}
}

/// What a frame holds: [`ToPython`] one way, [`ToRust`] the other.
pub trait Message: Serialize + DeserializeOwned + sealed::Sealed {}
impl Message for ToPython {}
impl Message for ToRust {}

/// The message as MessagePack: a map of its `type` and its fields by name.
pub fn encode<M: Message>(message: &M) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    encode_onto(message, &mut body)?;
    Ok(body)
}

/// The message as a frame of at most `max` bytes of body, for those who send it by other means than
/// [`FrameWriter`](crate::FrameWriter), such as along with descriptors.
pub fn encode_frame<M: Message>(message: &M, max: u32) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    encode_frame_onto(message, max, &mut frame)?;
    Ok(frame)
}

/// Appends the frame to `out`.
pub(crate) fn encode_frame_onto<M: Message>(
    message: &M,
    max: u32,
    out: &mut Vec<u8>,
) -> Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH]);
    encode_onto(message, out)?;
    let length = out.len() - start - LENGTH;
    let prefix = u32::try_from(length)
        .ok()
        .filter(|&length| length <= max)
        .ok_or(Error::FrameTooLarge {
            length: length as u64,
            max,
        })?;
    out[start..start + LENGTH].copy_from_slice(&prefix.to_be_bytes());
    Ok(())
}

fn encode_onto<M: Message>(message: &M, out: &mut Vec<u8>) -> Result<()> {
    rmp_serde::encode::write_named(out, message).map_err(|error| Error::Encode(error.into()))
}

/// The message that `body` holds.
///
/// Keys that the message does not have are ignored. Memory is in proportion to `body`, whatever the
/// lengths in it claim.
///
/// # Errors
///
/// Each of the decoding errors of [`Error`], for a body that breaks a rule of the protocol.
pub fn decode<M: Message>(body: &[u8]) -> Result<M> {
    structure::check(body)?;
    rmp_serde::from_slice(body).map_err(|error| match message_type(body) {
        Some(name) if is_unknown::<M>(&name) => Error::UnknownType { name },
        _ => Error::Malformed(error.into()),
    })
}

/// The `type` of a message that is well formed, if it has one.
pub(crate) fn message_type(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Tag {
        r#type: String,
    }
    rmp_serde::from_slice(body)
        .ok()
        .map(|Tag { r#type }| r#type)
}

/// Whether no message of this direction has that `type`.
///
/// The derived code knows the names, and says so only in the error that it gives for another one.
fn is_unknown<M: Message>(name: &str) -> bool {
    let message = MapDeserializer::new([("type", name)].into_iter());
    matches!(M::deserialize(message), Err(Refusal::UnknownVariant))
}

#[derive(Debug)]
enum Refusal {
    UnknownVariant,
    Other,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("read a message's type")
    }
}

impl std::error::Error for Refusal {}

impl serde::de::Error for Refusal {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Other
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self::UnknownVariant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<M: Message + fmt::Debug>(body: &[u8]) -> Error {
        decode::<M>(body).expect_err("the body is no message")
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let body = b"\x83\xa4type\xa6probed\xa6future\x92\xc0\xcb\0\0\0\0\0\0\0\0\xa5token\x01";
        assert!(
            matches!(refusal::<ToRust>(body), Error::Malformed(_)),
            "a field is missing"
        );
        let body = b"\x83\xa6future\x92\xc0\x81\xa1x\xc4\0\xa4type\xa7started\xa4task\x07";
        assert_eq!(
            decode::<ToRust>(body).ok(),
            Some(ToRust::Started { task: 7, at: None })
        );
    }

    #[test]
    fn an_unknown_type_is_named() {
        let body = b"\x82\xa4type\xa5sing!\xa4task\x07";
        assert_eq!(
            refusal::<ToRust>(body).to_string(),
            "decode a message of the unknown type `sing!`"
        );
        // Known, but of the other direction.
        let body = b"\x81\xa4type\xa8shutdown";
        assert!(
            matches!(refusal::<ToRust>(body), Error::UnknownType { name } if name == "shutdown")
        );
        assert_eq!(decode::<ToPython>(body).ok(), Some(ToPython::Shutdown {}));
    }

    #[test]
    fn what_is_no_message_is_malformed() {
        for body in [
            &b"\x80"[..],
            b"\xc0",
            b"\x90",
            b"\x81\xa4type\x01",
            b"\x81\xa4type\xa7started",
            b"\x82\xa4type\xa7started\xa4task\xff",
            b"\x83\xa4type\xa7started\xa4task\x01\xa4task\x01",
            b"\x82\xa4type\xa8stop_run\xa6reason\xa1\xff",
        ] {
            let error = refusal::<ToRust>(body);
            assert!(matches!(error, Error::Malformed(_)), "{body:x?}: {error:?}");
        }
    }

    #[test]
    fn a_hostile_depth_is_refused_within_an_unknown_field() {
        let mut body = b"\x83\xa4type\xa7started\xa4task\x07\xa6future".to_vec();
        body.resize(body.len() + 5_000_000, 0x91);
        assert!(matches!(
            refusal::<ToRust>(&body),
            Error::TooDeep { max: 64 }
        ));
    }

    #[test]
    fn a_frame_over_the_maximum_is_not_made() {
        let message = ToPython::Stop {
            reason: "x".repeat(100),
        };
        assert!(encode_frame(&message, 200).is_ok());
        let error = encode_frame(&message, 100).expect_err("it is longer");
        assert!(matches!(
            error,
            Error::FrameTooLarge {
                length: 101..,
                max: 100
            }
        ));
    }
}
