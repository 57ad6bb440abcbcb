//! WIP
pub mod message;
