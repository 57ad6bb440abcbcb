//! What `--help` shows of the table: pytest's parser writes the page, with the options of pytest and of the plugins, so
//! that the Python side has a copy.

use std::fmt::Write as _;

use super::definition::{Group, State, Takes};
use super::table::OPTIONS;
use crate::settings::KEYS;

/// The text of `rpytest_worker/command_options.py`.
pub(crate) fn python_module() -> String {
    let mut text = String::from(
        "\"\"\"The options of the command, for `--help` and for pytest's parser.\n\n\
         Written by the test `help_knows_the_table` of rpytest-cli from its `args/table.rs`: change that.\n\
         \"\"\"\n\n\
         from __future__ import annotations\n\n\
         from typing import NamedTuple\n\n\n\
         class Option(NamedTuple):\n    \
         \"\"\"An option of the command.\"\"\"\n\n    \
         group: str\n    \
         names: tuple[str, ...]\n    \
         value: str | None\n    \
         choices: tuple[str, ...]\n    \
         parsed: bool\n    \
         \"\"\"Whether pytest's parser knows it as well.\"\"\"\n    \
         help: str\n\n\n\
         OPTIONS = (\n",
    );
    for group in Group::ALL {
        let options = OPTIONS.iter().filter(|option| option.listed());
        for option in options.filter(|option| option.group == group) {
            let value = match option.takes {
                Takes::Nothing => "None".to_owned(),
                Takes::Value(value) | Takes::Inline(value) => quoted(value),
            };
            let parsed = match option.state {
                State::Pytests => "True",
                _ => "False",
            };
            let _ = write!(
                text,
                "    Option(\n        {},\n        {},\n        {value},\n        {},\n        {parsed},\n        {},\n    ),\n",
                quoted(group.title()),
                tuple(option.names),
                tuple(option.choices),
                quoted(option.help),
            );
        }
    }
    text.push_str(
        ")\n\n# Keys of [tool.rpytest], the variables that count more, what they decide, and what they must be.\nSETTINGS = (\n",
    );
    for key in KEYS {
        let (name, variable) = (quoted(key.name), quoted(&key.variable()));
        let _ = write!(
            text,
            "    (\n        {name},\n        {variable},\n        {},\n        {},\n    ),\n",
            quoted(key.help),
            quoted(key.wanted),
        );
    }
    text + ")\n"
}

/// As the formatter of the Python side writes it.
fn quoted(text: &str) -> String {
    match text.contains('"') {
        true => format!("'{text}'"),
        false => format!("{text:?}"),
    }
}

fn tuple(texts: &[&str]) -> String {
    match texts {
        [one] => format!("({},)", quoted(one)),
        _ => {
            let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
            format!("({})", texts.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn help_knows_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../rpytest-worker/python/rpytest_worker/command_options.py");
        let module = python_module();
        if std::env::var_os("RPYTEST_BLESS").is_some() {
            std::fs::write(&path, &module).expect("written");
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == module,
            "{} does not have what args/table.rs says; run this test with RPYTEST_BLESS=1",
            path.display()
        );
    }

    #[test]
    fn the_table_is_sound() {
        let mut names: Vec<_> = OPTIONS.iter().flat_map(|option| option.names).collect();
        for option in OPTIONS {
            let name = option.name();
            assert!(name.starts_with("--"), "{name}");
            let reason = match option.state {
                State::NotYet(reason) | State::Never(reason) => reason.len() > 20,
                _ => false,
            };
            let hidden = name == super::super::SERVE_ON;
            assert!(option.listed() || hidden || reason, "{name} has no reason");
            // What does not fit into a line of the Python file.
            assert!(option.help.len() <= 88, "{name}: {}", option.help);
            assert!(
                !option.help.ends_with('.') && !option.help.contains('"'),
                "{name}"
            );
            let excluded = option.not_with.iter().flat_map(|excluded| excluded.options);
            let needed = option.needs.iter().flat_map(|needed| needed.options);
            for other in excluded.chain(needed) {
                let ours = names.contains(&other);
                assert!(
                    ours || super::super::COLLECTS_ONLY.contains(other),
                    "{name}: {other}"
                );
            }
        }
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "a name stands twice");
    }
}
