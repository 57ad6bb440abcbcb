//! What is known of the plugins of an environment, kept for the user.

use std::path::{Path, PathBuf};

use rpytest_collect::{PluginFacts, PluginFixture, PluginHook};
use rpytest_ipc::collection::{Hook, Surroundings};
use serde::{Deserialize, Serialize};

use super::environment;
use super::file;
use crate::session::decode;

const KIND: &str = "rpytest environment 1";
const PREFIX: &str = "environment-";
/// How many environments are remembered.
const KEPT: usize = 64;

/// Hooks by which a plugin may print something that depends on which items there are, or change how the
/// session ends. With one, pytest itself has to be asked where not all items are collected.
const LISTENING: [&str; 7] = [
    "pytest_cmdline_main",
    "pytest_collection_finish",
    "pytest_report_collectionfinish",
    "pytest_runtestloop",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_unconfigure",
];

/// Hooks of conftests that see more than one file's items, so that none of them is good by itself.
const ACROSS_FILES: [&str; 6] = [
    "pytest_collection",
    "pytest_collection_modifyitems",
    "pytest_deselected",
    "pytest_itemcollected",
    "pytest_make_collect_report",
    "pytest_collect_directory",
];

/// Hooks of conftests that are called file by file, and could count.
const FILE_BY_FILE: [&str; 8] = [
    "pytest_collect_file",
    "pytest_collectstart",
    "pytest_collectreport",
    "pytest_generate_tests",
    "pytest_ignore_collect",
    "pytest_make_parametrize_id",
    "pytest_pycollect_makeitem",
    "pytest_pycollect_makemodule",
];

/// What is known of an environment with one configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Known {
    pub facts: PluginFacts,
    /// The marks that are registered, where no conftest may have registered any.
    pub marks: Option<Vec<String>>,
    /// What was installed.
    installed: [u8; 32],
}

impl Known {
    pub fn new(surroundings: &Surroundings) -> Self {
        let mut facts = PluginFacts::none();
        facts.fixtures = surroundings
            .fixtures
            .iter()
            .map(|fixture| {
                let mut out = PluginFixture::new(fixture.name.clone());
                out.autouse = fixture.autouse;
                out.has_params = fixture.params;
                out.needs.clone_from(&fixture.needs);
                out
            })
            .collect();
        facts.hooks = surroundings
            .hooks
            .iter()
            .map(|hook| PluginHook::new(hook.module.clone(), hook.name.clone()))
            .collect();
        let paths = surroundings.search_path.iter();
        facts.search_path = paths.map(|path| decode(path)).collect();
        facts.modules.clone_from(&surroundings.modules);
        facts.marks.clone_from(&surroundings.marks);
        facts.python = version(&surroundings.python);
        facts.pytest = version(&surroundings.pytest);
        Self {
            marks: (surroundings.project_hooks.is_empty()).then(|| surroundings.marks.clone()),
            installed: environment::installed(&facts.search_path),
            facts,
        }
    }

    /// Whether a plugin that has not been read listens to what is collected.
    pub fn listen(&self) -> bool {
        let mut hooks = self.facts.hooks.iter();
        hooks.any(|hook| listens(&hook.hook) && !hook.is_of_known_plugin())
    }

    pub fn load(directory: &Path, key: &str) -> Option<Self> {
        let known: Self = file::read(&path(directory, key), KIND)?;
        (known.installed == environment::installed(&known.facts.search_path)).then_some(known)
    }

    pub fn save(&self, directory: &Path, key: &str) -> std::io::Result<()> {
        file::write(&path(directory, key), KIND, self)?;
        file::keep_newest(directory, PREFIX, KEPT);
        Ok(())
    }
}

/// Major and minor of a version.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    let major = parts.next()?.parse().ok()?;
    Some((major, parts.next()?.parse().ok()?))
}

/// Where it is kept.
pub(super) fn path(directory: &Path, key: &str) -> PathBuf {
    directory.join(format!("{PREFIX}{key}"))
}

fn listens(hook: &str) -> bool {
    LISTENING.contains(&hook)
}

/// What the hooks of a project's own conftests and plugins leave possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProjectHooks {
    /// They may print something that depends on which items there are.
    pub listen: bool,
    /// They see items of several files at once.
    pub across_files: bool,
    /// They are called file by file.
    pub file_by_file: bool,
}

impl ProjectHooks {
    pub fn new(hooks: &[Hook]) -> Self {
        let any = |names: &[&str]| hooks.iter().any(|hook| names.contains(&&*hook.name));
        Self {
            listen: any(&LISTENING),
            across_files: any(&ACROSS_FILES),
            file_by_file: any(&FILE_BY_FILE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(hook: &str) -> Surroundings {
        Surroundings {
            hooks: vec![Hook {
                module: "unheard_of".to_owned(),
                name: hook.to_owned(),
            }],
            marks: vec!["slow".to_owned()],
            ..Surroundings::default()
        }
    }

    #[test]
    fn an_environment_is_known_until_something_is_installed() {
        let directory = tempfile::tempdir().expect("a directory");
        let site = tempfile::tempdir().expect("a directory");
        let mut surroundings = surroundings("pytest_terminal_summary");
        surroundings.search_path = vec![site.path().as_os_str().as_encoded_bytes().to_vec().into()];
        let known = Known::new(&surroundings);
        known.save(directory.path(), "key").expect("saved");
        let loaded = Known::load(directory.path(), "key").expect("it is there");
        assert_eq!(loaded.facts, known.facts);
        assert!(loaded.listen());
        assert_eq!(loaded.marks.as_deref(), Some(&["slow".to_owned()][..]));
        assert!(Known::load(directory.path(), "other").is_none());
        std::fs::create_dir(site.path().join("new-1.dist-info")).expect("a directory");
        assert!(Known::load(directory.path(), "key").is_none());
    }

    #[test]
    fn marks_of_conftests_are_not_the_environments() {
        let mut surroundings = surroundings("pytest_configure");
        surroundings.project_hooks = surroundings.hooks.clone();
        let known = Known::new(&surroundings);
        assert!(known.marks.is_none() && !known.listen());
    }
}
