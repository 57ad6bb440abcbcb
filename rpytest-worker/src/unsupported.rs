//! The backend of platforms that have none yet: nothing can be started.
//!
//! A backend is a type `Remote` with these three methods. It starts processes, and turns what happens
//! to them into events; [`crate::life`] has the rules, and needs nothing of Unix.

use std::sync::mpsc::Sender;

use crate::error::SpawnError;
use crate::event::SupervisorEvent;
use crate::supervisor::{Options, Pids, Request};

/// Never made.
#[derive(Debug)]
pub(crate) enum Remote {}

impl Remote {
    pub(crate) fn start(
        _: Options,
        _: Sender<SupervisorEvent>,
        _: Pids,
    ) -> Result<Self, SpawnError> {
        Err(SpawnError::Unsupported)
    }

    pub(crate) fn request(&self, _: Request) {
        match *self {}
    }

    pub(crate) fn stop(&mut self) {
        match *self {}
    }
}
