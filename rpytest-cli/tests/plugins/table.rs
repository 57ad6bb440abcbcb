//! `docs/plugins.md`, from what was found.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crate::PLUGINS;
use crate::plugin::Plugin;
use crate::support::normal::difference;
use crate::ways::{BESIDE, Found, NO_DAEMON, ONE, TWO, WARM, examine};

/// What was found of a plugin, by whoever asked first.
pub fn found(plugin: &Plugin) -> &'static Found {
    static FOUND: [OnceLock<Found>; 30] = [const { OnceLock::new() }; 30];
    let at = PLUGINS.iter().position(|other| other.name == plugin.name);
    FOUND[at.expect("it is in the table")].get_or_init(|| examine(plugin))
}

const HEAD: &str = "\
# Plugins

Thirty plugins that many projects have, each at the newest release for CPython 3.13 and pytest 9.2. A test
(`rpytest-cli/tests/plugins`) installs each in an environment of its own, runs a suite that uses what the plugin is for by
pytest and by rpytest, and writes this page: it fails when the page says something else than it has found.

- **equal**: output, exit code and artefacts are those of pytest without workers, but for times, addresses and temporary paths.
- **as xdist**: the plugin does something else where there are workers. Outcomes, exit code and artefacts are those of
  pytest-xdist with as many.
- **daemon warm**: the run after one that has made the daemon warm, and where it begins: from a session that had *collected*, one that
  was *configured* (it collects), or an *interpreter* that has imported pytest (it configures and collects).
- **beside xdist**: `-n 2` with pytest-xdist installed as well, for plugins that have code for it. Everywhere else it is not installed.
- **short**: tests that need no hook of the plugin's are run by rpytest's short protocol; *no*: the plugin watches each phase, and pytest's own
  is used.

| plugin | version | without `-n` | `-n 1` | `-n 2` | daemon warm | beside xdist | short | artefacts compared |
|---|---|---|---|---|---|---|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut notes = String::new();
    for plugin in PLUGINS {
        let found = found(plugin);
        let cell = |way| match found.ways.get(way) {
            Some(Ok(said)) => said.as_str(),
            Some(Err(_)) => "**differs**",
            None => "",
        };
        let short = match found.short {
            (0, _) => "no",
            (short, all) if short == all => "yes",
            _ => "in part",
        };
        let Plugin {
            name,
            version,
            artefacts,
            note,
            ..
        } = plugin;
        page.push_str(&format!(
            "| {name} | {version} | {} | {} | {} | {} | {} | {short} | {artefacts} |\n",
            cell(NO_DAEMON),
            cell(ONE),
            cell(TWO),
            cell(WARM),
            cell(BESIDE),
        ));
        if !note.is_empty() {
            notes.push_str(&format!("- **{name}**: {note}\n"));
        }
    }
    format!("{page}\n## What to know\n\n{notes}")
}

#[test]
fn table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/plugins.md");
    let page = page();
    if std::env::var_os("RPYTEST_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, &page).expect("it can be written");
    }
    let on_disk = fs::read_to_string(&path).unwrap_or_default();
    let differ = difference(&on_disk, &page);
    assert!(
        on_disk == page,
        "docs/plugins.md (RPYTEST_BLESS=1 writes it anew):\n{differ}"
    );
}
