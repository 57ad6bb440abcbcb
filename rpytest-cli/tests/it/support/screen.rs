//! A terminal for a command.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{tcgetwinsize, tcsetwinsize};

use super::run::eventually;

/// A terminal, and what has been written to it.
pub struct Screen {
    keyboard: File,
    /// The command's side.
    pub terminal: File,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Screen {
    pub fn new(columns: u16) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        // No command of another test is to inherit it.
        fcntl_setfd(&controller, FdFlags::CLOEXEC).expect("it is open");
        grantpt(&controller).expect("it is ours");
        unlockpt(&controller).expect("it is ours");
        let name = ptsname(&controller, Vec::new()).expect("a name");
        let name = name.to_str().expect("a path");
        // Not ours, even if we lead a session that has none: its end would be that of the tests.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = open(name, flags, Mode::empty()).expect("it can be opened");
        let terminal = File::from(terminal);
        let mut size = tcgetwinsize(&terminal).expect("a size");
        (size.ws_row, size.ws_col) = (30, columns);
        tcsetwinsize(&terminal, size).expect("a size");
        let keyboard = File::from(controller);
        let mut reader = keyboard.try_clone().expect("a descriptor");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                let mut into = into.lock().unwrap_or_else(PoisonError::into_inner);
                into.extend_from_slice(&buffer[..read]);
            }
        });
        Screen {
            keyboard,
            terminal,
            shown,
        }
    }

    /// All that was written, with plain ends of lines.
    pub fn text(&self) -> String {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&shown).replace("\r\n", "\n")
    }

    /// The same, once a command has ended: nothing of what it wrote is still on its way.
    pub fn whole_text(&self) -> String {
        // None of what is run here writes that.
        const MARK: char = '\u{1d}';
        let mut terminal = &self.terminal;
        write!(terminal, "{MARK}").expect("it is open");
        eventually("all is read", || self.text().contains(MARK));
        self.text().replace(MARK, "")
    }

    pub fn types(&mut self, text: &str) {
        self.keyboard
            .write_all(text.as_bytes())
            .expect("it is open");
    }
}
