//! Where a session writes while nobody has borrowed it.
//!
//! What it finds there must be of the kind that its borrower has: a terminal of the same size where they
//! have one, for it chooses its colours and widths by it; and one and the same where they have one and
//! the same.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fstat};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// What no session writes, to know the end of what one has written to a terminal by.
const MARK: &[u8] = b"\0rpytest: that was all\0";
const PATIENCE: Duration = Duration::from_secs(2);

/// What a session can tell its standard descriptors apart by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    /// For each of the three: the first of them that is the same file.
    same: [usize; 3],
    /// The rows and columns of those that are terminals.
    sizes: [Option<(u16, u16)>; 3],
    /// Whether they are for reading, for writing, or for both.
    modes: [u32; 3],
}

impl Shape {
    pub(super) fn of(standard: &[impl AsFd]) -> io::Result<Self> {
        let mut identities = Vec::new();
        let mut sizes = [None; 3];
        let mut modes = [0; 3];
        for (at, fd) in standard.iter().take(3).enumerate() {
            let found = fstat(fd)?;
            identities.push((found.st_dev, found.st_ino));
            modes[at] = (fcntl_getfl(fd)? & OFlags::RWMODE).bits();
            if isatty(fd) {
                let size = tcgetwinsize(fd)?;
                sizes[at] = Some((size.ws_row, size.ws_col));
            }
        }
        let first = |at: usize| {
            let found = identities
                .iter()
                .position(|one| Some(one) == identities.get(at));
            found.unwrap_or(at)
        };
        Ok(Self {
            same: [first(0), first(1), first(2)],
            sizes,
            modes,
        })
    }
}

/// Standard descriptors of a shape, of which everything that is written to them is kept.
#[derive(Debug)]
pub(super) struct Stage {
    shape: Shape,
    places: [Option<Place>; 3],
    standard: Vec<OwnedFd>,
}

#[derive(Debug)]
enum Place {
    File(File),
    /// Read by a thread, until nobody has the terminal open.
    Terminal {
        terminal: OwnedFd,
        written: Arc<Mutex<Vec<u8>>>,
    },
}

impl Stage {
    pub(super) fn new(shape: Shape) -> io::Result<Self> {
        let mut places = [None, None, None];
        let mut names = [None, None, None];
        // Without names, once everything is open.
        let mut temporary = Vec::new();
        for at in 0..3 {
            if shape.same[at] != at {
                continue;
            }
            let (place, name) = match shape.sizes[at] {
                Some(size) => Place::terminal(size)?,
                None => {
                    let (file, path) = tempfile::NamedTempFile::new()?.into_parts();
                    let name = CString::new(path.as_os_str().as_bytes())?;
                    temporary.push(path);
                    (Place::File(file), name)
                }
            };
            (places[at], names[at]) = (Some(place), Some(name));
        }
        let mut standard: Vec<OwnedFd> = Vec::new();
        for at in 0..3 {
            let (same, mode) = (shape.same[at], shape.modes[at]);
            // One descriptor for the same file, unless it was opened in several ways.
            let before = (0..at).find(|&one| (shape.same[one], shape.modes[one]) == (same, mode));
            standard.push(match (before, &names[same]) {
                (Some(before), _) => standard[before].try_clone()?,
                (None, Some(name)) => {
                    let always = OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::APPEND;
                    let flags = OFlags::from_bits_retain(mode) | always;
                    rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty())?
                }
                (None, None) => return Err(io::ErrorKind::NotFound.into()),
            });
        }
        Ok(Self {
            shape,
            places,
            standard,
        })
    }

    /// For the session: its three standard descriptors.
    pub(super) fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        self.standard.iter().map(OwnedFd::try_clone).collect()
    }

    /// What was written to standard output, and what to standard error if that is another file.
    pub(super) fn written(&self) -> io::Result<[ByteBuf; 2]> {
        let mut both = [ByteBuf::new(), ByteBuf::new()];
        for (at, into) in [1, 2].into_iter().zip(&mut both) {
            if let (true, Some(place)) = (self.shape.same[at] == at, &self.places[at]) {
                *into = ByteBuf::from(place.written()?);
            }
        }
        if let (0, Some(place)) = (self.shape.same[1], &self.places[0]) {
            both[0] = ByteBuf::from(place.written()?);
        } else if let (0, Some(place)) = (self.shape.same[2], &self.places[0]) {
            both[1] = ByteBuf::from(place.written()?);
        }
        Ok(both)
    }
}

impl Place {
    /// A terminal of a size, and its name.
    fn terminal((rows, columns): (u16, u16)) -> io::Result<(Self, CString)> {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        // An interpreter that is started meanwhile has no part in it.
        fcntl_setfd(&controller, FdFlags::CLOEXEC)?;
        grantpt(&controller)?;
        unlockpt(&controller)?;
        let name = ptsname(&controller, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(&name, flags, rustix::fs::Mode::empty())?;
        let mut attributes = tcgetattr(&terminal)?;
        // What is read is what was written; the borrower's terminal does the rest.
        attributes.make_raw();
        tcsetattr(&terminal, OptionalActions::Now, &attributes)?;
        let mut size = tcgetwinsize(&terminal)?;
        (size.ws_row, size.ws_col) = (rows, columns);
        tcsetwinsize(&terminal, size)?;
        let written = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&written);
        let mut controller = File::from(controller);
        std::thread::Builder::new()
            .name("rpytest-stage".into())
            .stack_size(64 * 1024)
            .spawn(move || {
                let mut buffer = [0; 4096];
                // It fails when nobody has the terminal open any more.
                while let Ok(read) = controller.read(&mut buffer) {
                    let mut into = into.lock().unwrap_or_else(PoisonError::into_inner);
                    into.extend_from_slice(&buffer[..read]);
                    if read == 0 {
                        break;
                    }
                }
            })?;
        Ok((Place::Terminal { terminal, written }, name))
    }

    fn written(&self) -> io::Result<Vec<u8>> {
        match self {
            Place::File(file) => {
                // Not by its offset, which the session has, too.
                let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
                let mut all = vec![0; length];
                file.read_exact_at(&mut all, 0)?;
                Ok(all)
            }
            Place::Terminal { terminal, written } => {
                // When the thread has read the mark, it has read all that came before.
                rustix::io::write(terminal, MARK)?;
                let deadline = Instant::now() + PATIENCE;
                while Instant::now() < deadline {
                    let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
                    let length = written.len().saturating_sub(MARK.len());
                    if written[length..] == *MARK {
                        written.truncate(length);
                        return Ok(written.clone());
                    }
                    drop(written);
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }
}
