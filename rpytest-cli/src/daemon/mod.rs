//! The daemon: it keeps interpreters, and sessions that are configured or have collected, for runs to come.
//!
//! A run is still the business of the command that the user started: the ledger, the queue and the report
//! are there, as without a daemon. What the daemon lends is a *host*, a process that has reached a stage and
//! forks the session's processes from there. A host that is lent is a fork with the borrower's descriptors,
//! directory and environment, and belongs to the borrower from then on: it ends with them, and neither the
//! daemon's end nor a change of its mind can touch it.
//!
//! [`place`] says where a daemon is found, [`wire`] how one speaks to it, [`client`] borrows, [`server`] is the
//! daemon's loop, [`keep`] what it keeps, [`session`] the stages of one session, [`warm`] the process that keeps fixtures up,
//! [`stamps`] by what it knows that something has changed, and [`stage`] what a session writes before anybody looks.

pub(crate) mod client;
mod keep;
mod place;
mod server;
mod session;
mod stage;
mod stamps;
mod warm;
mod wire;

pub(crate) use client::{Denied, Loan, borrow, start_for, status, stop};
pub(crate) use place::remove_stale;
pub(crate) use server::{serve, serve_on};
pub(crate) use wire::{Reuse, Snapshot, Stage, Status};
