"""The page of `--help`, parted into the options of pytest, of plugins and conftests, and of rpytest.

pytest's parser writes it. argparse has no way to change the order of its groups: pytest takes the same
attributes as this module does. Read in pytest 8.0 to 9.2.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

import pytest

from .command_options import OPTIONS, SETTINGS, Option


def arrange(config: pytest.Config) -> None:
    """Part the groups of the page, when everything has been parsed."""
    parser: argparse.ArgumentParser = config._parser.optparser
    groups = list(parser._action_groups)
    pytests = _added_by(config, "_pytest")
    # xdist's, where it is not installed.
    substituted = _added_by(config, __package__)
    of_pytest: list[Any] = []
    of_others: list[Any] = []
    of_rpytest: list[Any] = []
    for group in groups:
        parts: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        for action in group._group_actions:
            names = set(action.option_strings)
            if _is_ours(action):
                continue
            parts[0 if not names or names & pytests else 2 if names & substituted else 1].append(
                action
            )
        for part, section in zip(parts, (of_pytest, of_others, of_rpytest), strict=True):
            if part:
                section.append(_group(parser, group.title, group.description, part))
    of_rpytest += _own_groups(parser)
    arranged = [_group(parser, "OPTIONS OF PYTEST", "Those of pytest itself.", ()), *of_pytest]
    if of_others:
        title = "OPTIONS OF PLUGINS AND CONFTESTS"
        arranged += [_group(parser, title, _plugins(config), ()), *of_others]
    typed = ", ".join(option.names[0] for option in OPTIONS if not option.parsed)
    text = f"For the command line, and for addopts and PYTEST_ADDOPTS but for {typed}."
    arranged += [_group(parser, "OPTIONS OF RPYTEST", text, ()), *of_rpytest]
    parser._action_groups = arranged
    parser.prog = "rpytest"
    parser.epilog = "Commands of rpytest: merge, durations, completions, man; each has --help."


def add_settings(config: pytest.Config) -> None:
    """Behind pytest's own configuration options."""
    out = config.get_terminal_writer()
    out.line()
    out.line("[tool.rpytest] settings in pyproject.toml, and variables that count more:")
    out.line()
    for name, variable, text, wanted in SETTINGS:
        out.line(f"  {name} ({variable}):")
        out.line(f"{'':24}{text}: {wanted}")


def _own_groups(parser: argparse.ArgumentParser) -> list[Any]:
    groups: dict[str, list[Any]] = {}
    for option in OPTIONS:
        known = parser._option_string_actions.get(option.names[0])
        if known is None:
            known = _action(option)
        elif not _is_ours(known):
            continue  # A plugin has one of that name.
        groups.setdefault(option.group, []).append(known)
    return [_group(parser, title, None, actions) for title, actions in groups.items()]


def _is_ours(action: Any) -> bool:
    return str(action.dest).startswith("rpytest_")


def _action(option: Option) -> argparse.Action:
    """What no parser knows, so that it is shown alone."""
    page = argparse.ArgumentParser(add_help=False)
    if option.value is None:
        return page.add_argument(*option.names, action="store_true", help=option.help)
    return page.add_argument(*option.names, metavar=option.value, help=option.help)


def _group(
    parser: argparse.ArgumentParser,
    title: str | None,
    description: str | None,
    actions: Iterable[Any],
) -> Any:
    group = parser.add_argument_group(title, description)
    group._group_actions = list(actions)
    return group


def _added_by(config: pytest.Config, package: str | None) -> set[str]:
    """The names of the options that modules of a package add to another parser."""
    parser = pytest.Parser(_ispytest=True)
    for hook in config.hook.pytest_addoption.get_hookimpls():
        module = str(hook.function.__module__)
        if package is not None and module.split(".")[0] == package:
            known = {"parser": parser, "pluginmanager": config.pluginmanager}
            hook.function(*(known[name] for name in hook.argnames))
    found: Any = getattr(parser, "optparser", None) or parser._getparser()  # type: ignore[attr-defined]
    return set(found._option_string_actions)


def _plugins(config: pytest.Config) -> str:
    found = {
        f"{distribution.project_name} {distribution.version}"
        for _, distribution in config.pluginmanager.list_plugin_distinfo()
    }
    names = ", ".join(sorted(found))
    return f"Those of {names}, and of conftests." if names else "Those of conftests."
