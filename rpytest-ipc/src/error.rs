//! What can go wrong on a channel.

use std::io;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong on a channel; each text completes "failed to ...".
///
/// After [`Error::Read`], reading may be tried again: what has arrived is kept. After any other error
/// of reading, the channel is of no more use, except that the decoding errors concern one message
/// and leave the reader at the next frame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system could not read.
    #[error("read from the channel")]
    Read(#[source] io::Error),
    /// The operating system could not write; part of the frame may be gone.
    #[error("write to the channel")]
    Write(#[source] io::Error),
    /// The other side closed the channel, or died, within a frame.
    #[error("read a frame of which only {have} bytes came before the channel closed")]
    ClosedInFrame {
        /// Bytes of it that arrived, its length prefix included.
        have: usize,
    },
    /// A frame's length, sent or received, is over the maximum.
    #[error("transfer a frame of {length} bytes, where the maximum is {max}")]
    FrameTooLarge {
        /// The length of the body in bytes.
        length: u64,
        /// The most that is allowed.
        max: u32,
    },
    /// The message ends before its value does.
    #[error("decode a message that is truncated")]
    Truncated,
    /// The message goes on after its value.
    #[error("decode a message that is followed by {count} bytes")]
    TrailingBytes {
        /// How many bytes follow.
        count: usize,
    },
    /// Arrays and maps are nested deeper than [`MAX_DEPTH`](crate::MAX_DEPTH).
    #[error("decode a message that is nested deeper than {max}")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// A value is of a MessagePack type that the protocol does not use, such as an extension.
    #[error("decode a message with a value of the unsupported type 0x{marker:02x}")]
    UnsupportedValue {
        /// The first byte of the value.
        marker: u8,
    },
    /// A map has a key that is not a string.
    #[error("decode a message with a key that is not a string")]
    KeyNotString,
    /// The message's `type` is none that this direction has.
    #[error("decode a message of the unknown type `{name}`")]
    UnknownType {
        /// The value of its `type`.
        name: String,
    },
    /// A field is missing or is not of its type.
    #[error("decode a message")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A message could not be written as MessagePack.
    #[error("encode a message")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The first message was not [`Hello`](crate::ToRust::Hello).
    #[error("shake hands with a process whose first message is `{name}`, not `hello`")]
    NoHello {
        /// The `type` of what came, empty if it had none.
        name: String,
    },
    /// The channel closed before the first message.
    #[error("shake hands with a process that closed its channel")]
    ClosedBeforeHello,
    /// The process speaks another version of the protocol.
    #[error("shake hands with a process that speaks version {theirs} of the protocol, not {ours}")]
    WrongProtocol {
        /// The process's version.
        theirs: u64,
        /// [`PROTOCOL`](crate::PROTOCOL).
        ours: u16,
    },
}
