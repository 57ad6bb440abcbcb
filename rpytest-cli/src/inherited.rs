//! Descriptors that this process was given beside the standard ones (`3<file`, `<(command)`, a lock).
//!
//! A process that it starts has them, too; one that the daemon lends is given them, and a daemon must not
//! have them, who would keep a lock or a pipe for ever.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::OnceLock;

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

static NUMBERS: OnceLock<Vec<RawFd>> = OnceLock::new();

/// To be called before this process opens files of its own.
pub(crate) fn look() {
    NUMBERS.get_or_init(find);
}

fn find() -> Vec<RawFd> {
    let Ok(entries) = std::fs::read_dir("/dev/fd") else {
        return Vec::new();
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let numbers = names.filter_map(|name| name.to_str()?.parse().ok());
    let mut found: Vec<RawFd> = numbers.filter(|number| *number > 2).collect();
    // The one by which the directory was read is closed now.
    found.retain(|number| fcntl_getfd(borrow(*number)).is_ok());
    found.sort_unstable();
    found
}

/// All of them.
pub(crate) fn others() -> impl Iterator<Item = BorrowedFd<'static>> {
    NUMBERS.get().into_iter().flatten().copied().map(borrow)
}

pub(crate) fn numbers() -> impl Iterator<Item = u32> {
    let numbers = NUMBERS.get().into_iter().flatten();
    numbers.filter_map(|number| u32::try_from(*number).ok())
}

/// From now on, no process that is started gets them.
pub(crate) fn withhold() -> io::Result<()> {
    others().try_for_each(|fd| Ok(fcntl_setfd(fd, FdFlags::CLOEXEC)?))
}

/// Does something while no process that is started gets them.
pub(crate) fn withheld<T>(what: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    withhold()?;
    let result = what();
    others().try_for_each(|fd| fcntl_setfd(fd, FdFlags::empty()))?;
    result
}

#[allow(unsafe_code, reason = "a number is all there is")]
fn borrow(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: it was open when this process began, and nobody here knows of it who would close it.
    unsafe { BorrowedFd::borrow_raw(number) }
}
