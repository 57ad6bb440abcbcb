//! Where the events of a run go: what was asked for on the command line, opened.
//!
//! A format without a path has standard output for itself. What pytest writes goes to standard error then: before
//! anything else is done, this process has what was its standard output at another number, and standard error in
//! its place, so that every process that it starts or borrows does the same.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::sync::{Mutex, OnceLock, PoisonError};

use super::Listener;
use super::github::Github;
use super::json::Json;
use super::sink::Sink;
use super::teamcity::Teamcity;
use crate::args::{MessageArguments, MessageFormat};

/// Why messages cannot be written. A fragment that completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("open {} for messages: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("write messages to {name}: {source}")]
    Write { name: String, source: io::Error },
    #[error("write messages to {name}: nobody has read them to the end")]
    Unread { name: String },
    #[cfg(not(unix))]
    #[error("have standard output for messages alone on this system; give a path, as in json=PATH")]
    NoDescriptors,
}

/// What was standard output when the command began.
#[cfg(unix)]
static STANDARD_OUTPUT: OnceLock<File> = OnceLock::new();

const STDOUT: &str = "standard output";

/// Makes files empty and takes standard output over, before anything else is done. To be called once.
pub(crate) fn prepare(arguments: &MessageArguments) -> Result<(), Error> {
    for output in &arguments.outputs {
        match &output.path {
            #[cfg(unix)]
            Some(path) if is_pipe(path) => may_be_written(path)?,
            Some(path) if path.metadata().is_ok_and(|metadata| !metadata.is_file()) => {}
            Some(path) => drop(open(path, true)?),
            None => take_standard_output()?,
        }
    }
    Ok(())
}

/// Those who listen to one run.
pub(super) fn listeners(arguments: &MessageArguments) -> Result<Vec<Box<dyn Listener>>, Error> {
    let mut listeners: Vec<Box<dyn Listener>> = Vec::new();
    for output in &arguments.outputs {
        let sink = match &output.path {
            Some(path) => sink(path)?,
            None => {
                let file = standard_output()?;
                Sink::new(STDOUT.to_owned(), || Ok(file))?
            }
        };
        listeners.push(match output.format {
            MessageFormat::Json => Box::new(Json::new(sink)),
            MessageFormat::Teamcity => Box::new(Teamcity::new(sink)),
        });
    }
    if arguments.github {
        listeners.push(Box::new(Github::new(|name| std::env::var_os(name))));
    }
    Ok(listeners)
}

fn sink(path: &Path) -> Result<Sink, Error> {
    let name = path.display().to_string();
    #[cfg(unix)]
    if is_pipe(path) {
        let path = path.to_owned();
        return Sink::new(name, move || open_pipe(&path));
    }
    let file = open(path, false)?;
    Sink::new(name, || Ok(file))
}

#[cfg(unix)]
fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    path.metadata()
        .is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// To find out by opening it would be to wait for its reader, or to be the one that ends it.
#[cfg(unix)]
fn may_be_written(path: &Path) -> Result<(), Error> {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).map_err(|error| Error::Open {
        path: path.to_owned(),
        source: error.into(),
    })
}

/// Pipes with a name that are open, from one run of watch mode to the next: for its reader the first that closes a
/// pipe ends it.
#[cfg(unix)]
static PIPES: Mutex<Vec<(PathBuf, File)>> = Mutex::new(Vec::new());

/// Waits until a pipe has a reader.
#[cfg(unix)]
fn open_pipe(path: &Path) -> io::Result<File> {
    let pipes = || PIPES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, file)) = pipes().iter().find(|(known, _)| known == path) {
        return file.try_clone();
    }
    let file = OpenOptions::new().write(true).open(path)?;
    pipes().push((path.to_owned(), file.try_clone()?));
    Ok(file)
}

/// A file of which each run of watch mode writes the next part.
fn open(path: &Path, anew: bool) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.create(true);
    // What is no file, such as a pipe with a name, is neither emptied nor appended to.
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => options.write(true),
        _ if anew => options.write(true).truncate(true),
        _ => options.append(true),
    };
    options.open(path).map_err(|source| Error::Open {
        path: path.to_owned(),
        source,
    })
}

#[cfg(unix)]
fn take_standard_output() -> Result<(), Error> {
    use rustix::stdio;
    let failed = |source: rustix::io::Errno| Error::Write {
        name: STDOUT.to_owned(),
        source: source.into(),
    };
    if STANDARD_OUTPUT.get().is_none() {
        // Beyond the standard descriptors, and of no process that is started.
        let own = rustix::io::fcntl_dupfd_cloexec(stdio::stdout(), 3).map_err(failed)?;
        stdio::dup2_stdout(stdio::stderr()).map_err(failed)?;
        let _ = STANDARD_OUTPUT.set(File::from(own));
    }
    Ok(())
}

#[cfg(unix)]
fn standard_output() -> Result<File, Error> {
    let failed = |source: io::Error| Error::Write {
        name: STDOUT.to_owned(),
        source,
    };
    let taken = STANDARD_OUTPUT.get();
    let file = taken.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    file.try_clone().map_err(failed)
}

#[cfg(not(unix))]
fn take_standard_output() -> Result<(), Error> {
    Err(Error::NoDescriptors)
}

#[cfg(not(unix))]
fn standard_output() -> Result<File, Error> {
    Err(Error::NoDescriptors)
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn a_pipe_is_one_stream_for_all_runs() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("it starts").success());
        let reader = path.clone();
        let (lines, read) = channel();
        thread::spawn(move || {
            let pipe = BufReader::new(File::open(reader).expect("a pipe"));
            pipe.lines().for_each(|line| {
                let _ = lines.send(line.expect("text"));
            });
        });
        for run in ["first", "second"] {
            let mut pipe = open_pipe(&path).expect("it is read");
            writeln!(pipe, "{run}").expect("written");
            drop(pipe);
            assert_eq!(read.recv().as_deref(), Ok(run), "the reader has gone");
        }
    }
}
