#![doc = include_str!("../README.md")]
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod codec;
pub mod collection;
mod error;
mod frame;
mod handshake;
pub mod message;
pub mod story;
mod structure;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use codec::{Message, decode, encode, encode_frame};
pub use error::{Error, Result};
pub use frame::{FrameReader, FrameWriter, MAX_FRAME};
pub use handshake::{Peer, accept};
pub use message::{
    Address, Assignment, Event, Focus, InventoryItem, KeptFixture, Looked, Outcome, PROTOCOL,
    PhaseSeconds, Role, Settled, SharedSeconds, Sources, ToPython, ToRust, WorkerIdentity,
};
pub use story::{Place, Report, Story, Told, Warned};
pub use structure::MAX_DEPTH;
