//! Projects to run, as text.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The files of a project: each begins with a line `--- its/path`.
#[derive(Clone, Copy, Debug)]
pub enum Files<'a> {
    /// As text.
    Text(&'a str),
    /// A directory of the workspace.
    Directory(&'a str),
}

/// A copy of a project, in a directory of its own, with a home and a place for temporary files.
#[derive(Debug)]
pub struct Project {
    base: PathBuf,
    written: Mutex<Instant>,
    _temporary: TempDir,
}

impl Project {
    /// Writes the files.
    pub fn new(files: &str) -> Project {
        Project::of(Files::Text(files))
    }

    /// Writes or copies the files.
    pub fn of(files: Files<'_>) -> Project {
        let temporary = tempfile::Builder::new()
            .prefix("rpytest-")
            .rand_bytes(8) // as long as any other: pytest cuts lines at a width
            .tempdir()
            .expect("a temporary directory");
        let base = temporary.path().canonicalize().expect("it is there");
        let project = Project {
            base,
            written: Mutex::new(Instant::now()),
            _temporary: temporary,
        };
        for directory in [project.root(), project.home(), project.temporary_files()] {
            fs::create_dir_all(directory).expect("a directory");
        }
        match files {
            Files::Text(text) => project.write(text),
            Files::Directory(directory) => {
                let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
                    .parent()
                    .expect("the workspace");
                copy(&workspace.join(directory), &project.root());
            }
        }
        project
    }

    /// What is this copy's alone; outside of it nothing differs between two.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Where its files are, and where commands run.
    pub fn root(&self) -> PathBuf {
        self.base.join("project")
    }

    /// `HOME`, and caches.
    pub fn home(&self) -> PathBuf {
        self.base.join("home")
    }

    /// `TMPDIR`.
    pub fn temporary_files(&self) -> PathBuf {
        self.base.join("tmp")
    }

    /// The text of a file, or nothing if there is none.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap_or_default()
    }

    /// The words of a file that tests append to, in the order of the alphabet.
    pub fn words(&self, path: &str) -> Vec<String> {
        let mut words: Vec<_> = self
            .read(path)
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        words.sort();
        words
    }

    /// Writes further files, or others in the place of those that are there.
    pub fn write(&self, text: &str) {
        for (path, content) in split(text) {
            let path = self.root().join(path);
            fs::create_dir_all(path.parent().expect("it has a parent")).expect("a directory");
            fs::write(path, content).expect("a file");
        }
        *self.written.lock().expect("nobody panicked") = Instant::now();
    }

    /// Puts one file in its place, whole: whoever watches the place never sees a part of it.
    pub fn put(&self, path: &str, content: &str) {
        let made = self.base.join("made");
        fs::write(&made, content).expect("a file");
        fs::rename(made, self.root().join(path)).expect("it can be moved");
        *self.written.lock().expect("nobody panicked") = Instant::now();
    }

    /// Waits until nobody who starts now can take what was written last for something that he may have read
    /// before: clocks of file systems tick, and what is so young is never kept.
    pub fn settle(&self) {
        let written = *self.written.lock().expect("nobody panicked");
        let old = written + Duration::from_millis(40);
        std::thread::sleep(old.saturating_duration_since(Instant::now()));
    }
}

fn split(text: &str) -> Vec<(&str, String)> {
    let mut files: Vec<(&str, String)> = Vec::new();
    for line in text.trim_start().split_inclusive('\n') {
        if let Some(path) = line.strip_prefix("--- ") {
            files.push((path.trim_end(), String::new()));
        } else {
            let (_, content) = files
                .last_mut()
                .expect("a project begins with a file's name");
            content.push_str(line);
        }
    }
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let name = entry.file_name();
        if from.is_dir() {
            if name != "__pycache__" && name != ".pytest_cache" {
                copy(&from, &to);
            }
        } else {
            fs::copy(&from, &to).expect("a copy");
        }
    }
}
