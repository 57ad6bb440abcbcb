"""Options and settings of ours give way to those of these names that plugins and conftests have.

What the user's code registers counts, as with pytest: it was there before rpytest came. While plugins
and the first conftests are loaded ours are not in the parser; then those come back that nobody has.

pytest parses the command line several times before that. A value that an option of ours refuses may be
right for the user's, and so ours are left out of such a parse if they are what is wrong. The last one,
which has all of them that came back, says whether anything is.

A conftest that is found while tests are collected may have such options, too: nobody can give them, and
they have their defaults. It finds no trace of ours.

Read in pytest 8.0 to 9.2.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest


class OwnOptions:
    """All of them in a process."""

    def __init__(self, manager: pytest.PytestPluginManager) -> None:
        self._manager = manager
        self._config: Any = manager.getplugin("pytestconfig")
        self._parser: Any = self._config._parser
        # In the parser, and not there for a while.
        self._there: list[_Part] = []
        self._away: list[_Part] = []
        # Whether an early parse went without them.
        self._is_refused = False
        self._parse = self._parser.parse_known_and_unknown_args
        self._parser.parse_known_and_unknown_args = self._parse_early

    def add_each(self, plugin: Any) -> None:
        """Those of a registered plugin, each of which gives way for itself."""
        self._there.append(_Part(_Listed.by(plugin), ()))

    def register(self, plugins: dict[str, Any]) -> bool:
        """Register plugins, by their names, that are of use only with all options and settings of the
        first; false if somebody has one of these already."""
        known = _Listed.by(next(iter(plugins.values())))
        if known.overlaps(_known_to(self._parser)):
            return False
        for name, plugin in plugins.items():
            self._manager.register(plugin, name)
        self._there.append(_Part(known, tuple(plugins)))
        return True

    def step_back(self) -> bool:
        """Take them out of the parser; whether any were in it."""
        parts, self._there = self._there, []
        for part in parts:
            part.leave(self._config)
        self._away += parts
        return bool(parts)

    def return_after_plugins(self) -> None:
        """Put them back, unless only a conftest can still say what their values mean."""
        if not self._is_refused:
            self.return_()

    def return_(self) -> None:
        """Put those back that nobody else has."""
        parts, self._away = self._away, []
        for part in parts:
            taken = _known_to(self._parser)
            if part.plugins and part.known.overlaps(taken):
                for name in part.plugins:
                    self._manager.unregister(name=name)
            else:
                part.come_back(self._config, taken)
                self._there.append(part)

    def be_done(self) -> None:
        """Everything has been parsed; what conftests register from now on does not meet ours."""
        parser, config = self._parser, self._config
        process, add_setting = parser._processopt, parser.addini
        owners = {dest: part for part in self._there for dest in part.known.dests}
        for part in self._there:
            part.take_out(parser)

        def process_theirs(option: Any) -> None:
            owner = owners.pop(option.dest, None)
            if owner is not None:
                for plugin in map(self._manager.getplugin, owner.plugins):
                    if hasattr(plugin, "keep_options"):
                        plugin.keep_options()
                # Else it would stand in the place of their default.
                if hasattr(config.option, option.dest):
                    delattr(config.option, option.dest)
            process(option)

        def add_their_setting(name: str, *args: Any, **kwargs: Any) -> None:
            add_setting(name, *args, **kwargs)
            config._inicache.pop(name, None)

        parser._processopt, parser.addini = process_theirs, add_their_setting

    def _parse_early(self, args: Sequence[Any], namespace: Any = None) -> Any:
        before = copy.copy(namespace)
        try:
            return self._parse(args, namespace)
        except pytest.UsageError:
            if not self.step_back():
                raise
            try:
                result = self._parse(args, before)
            except pytest.UsageError:
                self.return_()
            else:
                self._is_refused = True
                return result
            raise


class _Known(NamedTuple):
    """What there must not be twice."""

    options: frozenset[str]
    # Where the values of options go.
    dests: frozenset[str]
    settings: frozenset[str]

    def overlaps(self, other: _Known) -> bool:
        return any(ours & theirs for ours, theirs in zip(self, other, strict=True))

    def without(self, other: _Known) -> _Known:
        return _Known(*(ours - theirs for ours, theirs in zip(self, other, strict=True)))


class _Listed:
    """Stands in for a parser and its groups, and writes down what a plugin of ours would add."""

    def __init__(self) -> None:
        self._options: set[str] = set()
        self._dests: set[str] = set()
        self._settings: set[str] = set()

    @classmethod
    def by(cls, plugin: Any) -> _Known:
        listed = cls()
        plugin.pytest_addoption(listed)
        return _Known(*map(frozenset, (listed._options, listed._dests, listed._settings)))

    def getgroup(self, *_: Any) -> _Listed:
        return self

    def addoption(self, *names: str, dest: str | None = None, **_: Any) -> None:
        self._options.update(names)
        self._dests.add(dest or names[0].lstrip("-").replace("-", "_"))

    # By which a group takes the short options that pytest keeps for itself and xdist.
    _addoption = addoption

    def addini(self, name: str, *_: Any, **__: Any) -> None:
        self._settings.add(name)


def _known_to(parser: Any) -> _Known:
    options = [option for _, option in _options(parser)]
    return _Known(
        frozenset(name for option in options for name in option.names()),
        frozenset(option.dest for option in options),
        frozenset([*parser._inidict, *getattr(parser, "_ini_aliases", ())]),
    )


def _options(parser: Any) -> Iterator[tuple[Any, Any]]:
    """All options, each behind its group."""
    groups = [*parser._groups]
    if parser._anonymous not in groups:  # before pytest 9.2
        groups.append(parser._anonymous)
    for group in groups:
        for option in group.options:
            yield group, option


class _Part:
    """Options and settings that come and go together."""

    def __init__(self, known: _Known, plugins: tuple[str, ...]) -> None:
        self.known, self.plugins = known, plugins
        self._options: list[tuple[Any, Any]] = []
        # Since pytest 9 the options are in one parser from the start; before, it is made each time.
        self._actions: list[tuple[Any, Any]] = []
        self._settings: dict[str, Any] = {}

    def leave(self, config: Any) -> None:
        parser = config._parser
        self.take_out(parser)
        for _, option in self._options:
            # Else it would stand in the place of another's default.
            default = getattr(option, "default", None)
            if getattr(config.option, option.dest, self) is default:
                delattr(config.option, option.dest)
        self._settings = {name: parser._inidict.pop(name) for name in self.known.settings}
        names = getattr(parser, "_ininames", None)  # before pytest 9
        if names is not None:
            names[:] = [name for name in names if name not in self._settings]

    def take_out(self, parser: Any) -> None:
        """The options alone; what they hold stays."""
        # There may be options of others in the same groups.
        self._options = [
            (group, option)
            for group, option in _options(parser)
            if not self.known.options.isdisjoint(option.names())
        ]
        self._actions = []
        for group, option in self._options:
            group.options.remove(option)
            container = getattr(group, "_arggroup", None)
            if container is not None:
                known = parser.optparser._option_string_actions
                action = known[option.names()[0]]
                container._group_actions.remove(action)
                parser.optparser._actions.remove(action)
                for name in action.option_strings:
                    del known[name]
                self._actions.append((container, action))

    def come_back(self, config: Any, taken: _Known) -> None:
        """Those that nobody has; what the others hold stays as if they were not given."""
        parser = config._parser
        self.known = self.known.without(taken)
        for group, option in self._options:
            if not hasattr(config.option, option.dest):
                setattr(config.option, option.dest, getattr(option, "default", None))
            if taken.options.isdisjoint(option.names()):
                group.options.append(option)
        for container, action in self._actions:
            if taken.options.isdisjoint(action.option_strings):
                container._group_actions.append(action)
                parser.optparser._actions.append(action)
                for name in action.option_strings:
                    parser.optparser._option_string_actions[name] = action
        parser._inidict.update(self._settings)
        names = getattr(parser, "_ininames", None)
        if names is not None:
            names.extend(self._settings)
