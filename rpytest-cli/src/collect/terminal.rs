//! What the standard output takes.

use std::io::{self, IsTerminal};

use super::answer::Answer;
use super::request::Color;

/// `should_do_markup` of `_pytest/_io/terminalwriter.py`.
pub(crate) fn has_colors(option: Color) -> bool {
    let var = |name| std::env::var_os(name).unwrap_or_default();
    match option {
        Color::Yes => true,
        Color::No => false,
        Color::Auto if var("PY_COLORS") == "1" => true,
        Color::Auto if var("PY_COLORS") == "0" => false,
        Color::Auto if !var("NO_COLOR").is_empty() => false,
        Color::Auto if !var("FORCE_COLOR").is_empty() => true,
        Color::Auto => io::stdout().is_terminal() && var("TERM") != "dumb",
    }
}

/// Whether Python would write the answer as UTF-8, too.
pub(super) fn takes(answer: &Answer) -> bool {
    let mut ids = answer.files.iter().flat_map(|(_, ids)| ids);
    if ids.all(|id| id.is_ascii()) {
        return true;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    // Python takes UTF-8 for the two that say nothing.
    matches!(&*locale, "" | "c" | "posix") || locale.contains("utf-8") || locale.contains("utf8")
}
