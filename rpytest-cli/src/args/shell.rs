//! What shells and `man` are told: the whole command line, as `clap` describes one.

use std::io::{self, Write};

use clap::{Arg, ArgAction, ValueHint};

use super::commands;
use super::definition::{Group, Takes};
use super::pytests::{self, PytestOption};
use super::table;
use crate::settings;

/// Writes the completions for a shell.
pub(crate) fn complete(shell: Shell, out: &mut dyn Write) {
    let mut command = whole(shell);
    let generator: clap_complete::Shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::Zsh => clap_complete::Shell::Zsh,
    };
    clap_complete::generate(generator, &mut command, "rpytest", out);
}

/// A shell that has completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shell {
    /// GNU bash, from 4.4 on.
    Bash,
    /// fish.
    Fish,
    /// zsh.
    Zsh,
}

impl Shell {
    /// Their names.
    pub(super) const NAMES: [&str; 3] = ["bash", "fish", "zsh"];

    /// The shell of this name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "bash" => Shell::Bash,
            "fish" => Shell::Fish,
            "zsh" => Shell::Zsh,
            _ => return None,
        })
    }
}

/// The command line with pytest's options. bash would offer the name of the paths in the place of paths.
fn whole(shell: Shell) -> clap::Command {
    let mut command = bare();
    command = with(command, "pytest", pytests::OPTIONS);
    command = own(provided(command));
    if shell != Shell::Bash {
        let paths = Arg::new("PATH")
            .num_args(0..)
            .value_hint(ValueHint::AnyPath);
        command = command.arg(paths.help("Files, directories and node ids"));
    }
    commands::all()
        .into_iter()
        .fold(command, clap::Command::subcommand)
}

fn bare() -> clap::Command {
    clap::Command::new("rpytest")
        .version(env!("CARGO_PKG_VERSION"))
        .about("run an existing pytest suite, in parallel, with the answer that pytest gives")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .args_conflicts_with_subcommands(true)
}

fn with(command: clap::Command, heading: &'static str, options: &[PytestOption]) -> clap::Command {
    options.iter().fold(command, |command, option| {
        let takes = match option.value {
            "" => Takes::Nothing,
            value => Takes::Value(value),
        };
        let arg = arg(option.names, takes, option.choices, option.help);
        command.arg(arg.help_heading(heading))
    })
}

/// Adds the options that plugins have, too.
fn provided(command: clap::Command) -> clap::Command {
    with(command, "workers, reruns, timeouts", pytests::PROVIDED)
}

/// Adds the options of rpytest's own.
fn own(mut command: clap::Command) -> clap::Command {
    for group in Group::ALL {
        let of_group = table::OPTIONS.iter().filter(|one| one.group == group);
        for option in of_group.filter(|option| option.listed()) {
            let arg = arg(option.names, option.takes, option.choices, option.help);
            command = command.arg(arg.help_heading(group.title()));
        }
    }
    command
}

fn arg(
    names: &'static [&'static str],
    takes: Takes,
    choices: &'static [&'static str],
    help: &'static str,
) -> Arg {
    let mut arg = Arg::new(names[0]).help(help).action(ArgAction::Append);
    let mut long = false;
    for name in names {
        arg = match (name.strip_prefix("--"), name.chars().nth(1)) {
            (Some(name), _) if long => arg.visible_alias(name),
            (Some(name), _) => {
                long = true;
                arg.long(name)
            }
            (None, Some(letter)) => arg.short(letter),
            (None, None) => arg,
        };
    }
    let value = match takes {
        Takes::Nothing => return arg.action(ArgAction::Count),
        Takes::Value(value) => value,
        Takes::Inline(value) => {
            arg = arg.num_args(0..=1).require_equals(true);
            value
        }
    };
    arg = arg.value_name(value).value_hint(match value {
        "PATH" | "FILE" => ValueHint::AnyPath,
        "DIR" => ValueHint::DirPath,
        "N|auto|logical" | "NODEID" => ValueHint::Other,
        _ => ValueHint::Unknown,
    });
    match choices {
        [] => arg,
        choices => arg
            .hide_possible_values(true)
            .value_parser(clap::builder::PossibleValuesParser::new(choices)),
    }
}

/// Writes the manual page.
pub(crate) fn manual(out: &mut dyn Write) -> io::Result<()> {
    use clap_mangen::roff::{Roff, bold, italic, roman};
    let mut command = own(provided(bare()));
    for subcommand in commands::all() {
        command = command.subcommand(subcommand);
    }
    let page = clap_mangen::Man::new(command).manual("rpytest");
    page.render_title(out)?;
    page.render_name_section(out)?;
    let mut text = Roff::new();
    text.control("SH", ["SYNOPSIS"]);
    let (option, path) = (italic("OPTION"), italic("PATH"));
    let line = |text: &mut Roff, words: Vec<clap_mangen::roff::Inline>| {
        text.text(words);
        text.control("br", []);
    };
    line(
        &mut text,
        vec![
            bold("rpytest"),
            roman(" ["),
            option,
            roman("]... ["),
            path,
            roman(" | NODE ID]..."),
        ],
    );
    for subcommand in commands::all() {
        let usage = format!(" {} ...", subcommand.get_name());
        line(&mut text, vec![bold("rpytest"), roman(usage)]);
    }
    text.control("SH", ["DESCRIPTION"]);
    text.text([roman(
        "Runs the tests that pytest would run, by the pytest of the environment, and prints what it would print. \
         All options of pytest and of its plugins are taken; ",
    ), bold("rpytest --help"), roman(" lists those that there are. The following are rpytest's own, and those that it has where the plugins known for them are not installed.")]);
    text.to_writer(out)?;
    page.render_options_section(out)?;
    page.render_subcommands_section(out)?;
    let mut text = Roff::new();
    text.control("SH", ["SETTINGS"]);
    text.text([roman(
        "Keys of [tool.rpytest] in the project's pyproject.toml. A variable of the environment counts more, an option more than both.",
    )]);
    for key in settings::KEYS {
        text.control("TP", []);
        text.text([bold(key.name), roman(", "), bold(key.variable())]);
        text.text([roman(format!("{}: {}", key.help, key.wanted))]);
    }
    text.control("SH", ["ENVIRONMENT"]);
    for (name, help) in settings::VARIABLES {
        text.control("TP", []);
        text.text([bold(*name)]);
        text.text([roman(*help)]);
    }
    text.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in crate::exit::MEANINGS {
        text.control("TP", []);
        text.text([bold(code.to_string())]);
        text.text([roman(*meaning)]);
    }
    text.control("SH", ["SEE ALSO"]);
    text.text([bold("pytest"), roman(", https://docs.pytest.org")]);
    text.to_writer(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_command_line_is_sound() {
        for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
            whole(shell).debug_assert();
        }
    }

    #[test]
    fn every_option_is_in_every_text() {
        let mut page = Vec::new();
        manual(&mut page).expect("written");
        let page = String::from_utf8(page).expect("text").replace('\\', "");
        for option in table::OPTIONS.iter().filter(|option| option.listed()) {
            assert!(page.contains(option.name()), "{}: {page}", option.name());
        }
        for option in pytests::PROVIDED {
            assert!(page.contains(option.names[0]), "{option:?}: {page}");
        }
        for key in settings::KEYS {
            assert!(page.contains(key.name), "{}", key.name);
        }
        for shell in Shell::NAMES {
            let shell = Shell::parse(shell).expect("a shell");
            let mut script = Vec::new();
            complete(shell, &mut script);
            let script = String::from_utf8(script).expect("text");
            let ours = table::OPTIONS.iter().filter(|option| option.listed());
            let ours = ours.map(super::super::definition::Definition::name);
            let pytests = pytests::OPTIONS.iter().chain(pytests::PROVIDED);
            let pytests = pytests.map(|option| option.names[0]);
            for name in ours.chain(pytests) {
                let name = match shell {
                    Shell::Fish => name.trim_start_matches('-'),
                    _ => name,
                };
                assert!(script.contains(name), "{shell:?}: {name}");
            }
        }
    }
}
