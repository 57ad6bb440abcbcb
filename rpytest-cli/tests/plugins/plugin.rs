//! What is known of a plugin: how it is installed, a suite that uses what it is for, and who says what is right.

use std::fs;
use std::path::PathBuf;

use crate::support::python::{Venv, venv_of};
use crate::support::{Project, Run};

/// A plugin, as the table of `docs/plugins.md` has it.
pub struct Plugin {
    /// The distribution.
    pub name: &'static str,
    /// The newest release that pip finds for the newest Python that the tests know.
    pub version: &'static str,
    /// What its suite needs besides, pinned.
    pub with: &'static [&'static str],
    /// Its suite.
    pub files: &'static str,
    /// What is run in it, one after the other: most have one step.
    pub steps: &'static [Step],
    /// What a run leaves besides its output, without what two runs of pytest differ in.
    pub look: fn(&Project, &Run) -> String,
    /// The output without what two runs of pytest differ in.
    pub plain: fn(String) -> String,
    /// Who says what is right with workers.
    pub workers: Workers,
    /// Whether the plugin has code for xdist: then it is run beside an installed one, too.
    pub knows_xdist: bool,
    /// For the table: what is compared besides the output and the exit code.
    pub artefacts: &'static str,
    /// For the table: what to know.
    pub note: &'static str,
}

/// A command line, and what pytest says to it.
pub struct Step {
    pub arguments: &'static [&'static str],
    /// What pytest itself says to it: the suite is what it is meant to be.
    pub counts: &'static str,
}

/// Who says what is right with workers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// pytest without workers: everything is as if there were none.
    AsPytest,
    /// xdist with as many: the plugin does something else with workers. Its order of output is another one,
    /// so that outcomes and artefacts are compared.
    AsXdist,
}

/// For those that leave nothing.
pub fn nothing(_: &Project, _: &Run) -> String {
    String::new()
}

/// For those whose output is the same each time.
pub fn as_it_is(output: String) -> String {
    output
}

/// A plugin of which only the name, version, suite, steps and note need to be said.
pub const PLAIN: Plugin = Plugin {
    name: "",
    version: "",
    with: &[],
    files: "",
    steps: &[],
    look: nothing,
    plain: as_it_is,
    workers: Workers::AsPytest,
    knows_xdist: false,
    artefacts: "",
    note: "",
};

const PYTEST: &str = "pytest==9.2.0";

impl Plugin {
    /// An environment with pytest, the plugin and what it needs.
    pub fn venv(&self) -> Venv {
        let pinned = format!("{}=={}", self.name, self.version);
        let mut requirements = vec![PYTEST, &pinned];
        requirements.extend(self.with);
        venv_of(&format!("plugin-{}", self.name), &requirements)
    }
}

/// xdist without pytest, for `PYTHONPATH`: beside any of the other environments it is installed.
pub fn xdist() -> PathBuf {
    let requirements = ["--no-deps", "pytest-xdist==3.8.0", "execnet==2.1.2"];
    let venv = venv_of("xdist-alone", &requirements);
    let pythons = fs::read_dir(venv.root().join("lib")).expect("it is there");
    let python = pythons.flatten().next().expect("its Python's directory");
    python.path().join("site-packages")
}
