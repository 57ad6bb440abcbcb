//! `docs/plugins.md`: the row of each plugin is what its own test has found, and is checked there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::PLUGINS;
use crate::plugin::Plugin;
use crate::support::normal::difference;
use crate::ways::{BESIDE, Found, NO_DAEMON, ONE, TWO, WARM, examine};

/// Fails if anything that was compared is not what it must be, or the page says something else.
#[track_caller]
pub fn holds(plugin: &Plugin) {
    let found = examine(plugin);
    let mut differ = String::new();
    for (way, what) in &found.ways {
        if let Err(told) = what {
            differ.push_str(&format!("{} {way}\n{told}\n", plugin.name));
        }
    }
    assert!(differ.is_empty(), "{differ}");
    let row = row(plugin, &found);
    if blesses() {
        write(Some((plugin, &row)));
    }
    let on_disk = row_on_disk(&page_on_disk(), plugin);
    assert_eq!(
        on_disk, row,
        "docs/plugins.md (RPYTEST_BLESS=1 writes it anew)"
    );
}

const HEAD: &str = "\
# Plugins

Thirty plugins that many projects have, each at the newest release for CPython 3.13 and pytest 9.2. A test
(`rpytest-cli/tests/plugins`) installs each in an environment of its own, runs a suite that uses what the plugin is for by
pytest and by rpytest, and writes this page: it fails when the page says something else than it has found.

- **equal**: output, exit code and artefacts are those of pytest without workers, but for times, addresses and temporary paths.
- **as xdist**: the plugin does something else where there are workers. Outcomes, exit code and artefacts are those of
  pytest-xdist with as many, with xdist installed beside rpytest and without.
- **daemon warm**: the run after one that has made the daemon warm, and where it begins: from a session that had *collected*, one that
  was *configured* (it collects), or an *interpreter* that has imported pytest (it configures and collects).
- **beside xdist**: `-n 2` with pytest-xdist installed as well, for plugins that have code for it. Everywhere else it is not installed.
- **short**: whether tests are run by rpytest's short protocol; *no*: the plugin, or the suite, listens to what that skips, and pytest's own is
  used.

| plugin | version | without `-n` | `-n 1` | `-n 2` | daemon warm | beside xdist | short | artefacts compared |
|---|---|---|---|---|---|---|---|---|
";

fn row(plugin: &Plugin, found: &Found) -> String {
    let cell = |way| match found.ways.get(way) {
        Some(Ok(said)) => said.as_str(),
        _ => "",
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
        ..
    } = plugin;
    let cells = [NO_DAEMON, ONE, TWO, WARM, BESIDE].map(cell).join(" | ");
    format!("| {name} | {version} | {cells} | {short} | {artefacts} |\n")
}

fn row_on_disk(page: &str, plugin: &Plugin) -> String {
    let begin = format!("| {} |", plugin.name);
    let mut lines = page.split_inclusive('\n');
    let row = lines.find(|line| line.starts_with(&begin));
    row.unwrap_or_default().to_owned()
}

/// The page with the rows that another has, but for one that is given.
fn page(rows_of: &str, given: Option<(&Plugin, &str)>) -> String {
    let mut page = HEAD.to_owned();
    for plugin in PLUGINS {
        match given {
            Some((other, row)) if other.name == plugin.name => page.push_str(row),
            _ => page.push_str(&row_on_disk(rows_of, plugin)),
        }
    }
    page.push_str("\n## What to know\n\n");
    for Plugin { name, note, .. } in PLUGINS {
        if !note.is_empty() {
            page.push_str(&format!("- **{name}**: {note}.\n"));
        }
    }
    page
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/plugins.md")
}

fn page_on_disk() -> String {
    fs::read_to_string(path()).unwrap_or_default()
}

fn blesses() -> bool {
    std::env::var_os("RPYTEST_BLESS").is_some_and(|value| value == "1")
}

/// Writes the page, with one row anew.
fn write(given: Option<(&Plugin, &str)>) {
    // Tests run side by side.
    static WRITES: Mutex<()> = Mutex::new(());
    let _writes = WRITES.lock().unwrap_or_else(PoisonError::into_inner);
    fs::write(path(), page(&page_on_disk(), given)).expect("it can be written");
}

#[test]
fn the_page_has_every_plugin_and_nothing_else() {
    if blesses() {
        write(None);
    }
    let on_disk = page_on_disk();
    let page = page(&on_disk, None);
    let differ = difference(&on_disk, &page);
    assert!(
        on_disk == page,
        "docs/plugins.md (RPYTEST_BLESS=1 writes it anew):\n{differ}"
    );
    assert_eq!(PLUGINS.len(), 30);
    if !blesses() {
        for plugin in PLUGINS {
            let row = row_on_disk(&on_disk, plugin);
            let begin = format!("| {} | {} |", plugin.name, plugin.version);
            assert!(row.starts_with(&begin), "{} has no row: {row}", plugin.name);
        }
    }
}
