"""Finding plugins: what is given, what installed packages offer - nowserving's own among them - and which hooks each implements."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import metadata
from typing import NamedTuple

import pluggy

from realtime.hookspecs import PROJECT, Hooks
from realtime.isolation import Broken

Implementations = dict[str, Callable[..., object]]
"""Hook by hook, a function that takes the hook's arguments by keyword."""


class Candidate(NamedTuple):
    """A plugin that may be loaded."""

    name: str
    version: str
    load: Callable[[], object]


def candidates(builtin: Sequence[tuple[str, object]], group: str) -> list[Candidate]:
    """The plugins given as objects, then those of an entry-point group: nowserving's own before all others, so that nobody takes a name from
    them, and each by name, because the order in which packages are found means nothing."""
    given = [Candidate(name, own_version(), partial(_same, plugin)) for name, plugin in builtin]
    own: list[Candidate] = []
    foreign: list[Candidate] = []
    known: dict[int, tuple[str, str]] = {}
    for entry in metadata.entry_points(group=group):
        package, version = known.get(id(entry.dist)) or known.setdefault(id(entry.dist), _package_of(entry))
        (own if package == PROJECT else foreign).append(Candidate(entry.name, version, entry.load))
    return [*sorted(given, key=_name), *sorted(own, key=_name), *sorted(foreign, key=_name)]


def load(candidate: Candidate) -> Implementations | Broken:
    """Import a plugin and look at its hooks. What an import raises is told whole: there is no personal data yet."""
    try:
        plugin = candidate.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit while importing is a broken plugin, not the end of the server
        return Broken(" ".join(f"it cannot be imported: {type(error).__name__}: {error}".split()))
    return implementations(candidate.name, plugin)


def implementations(name: str, plugin: object) -> Implementations | Broken:
    """The hooks that a plugin implements, if they are as hookspecs.py says."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    known = [hook for hook in dir(Hooks) if hasattr(manager.hook, hook)]
    try:
        manager.register(plugin, name)
    except (pluggy.PluginValidationError, ValueError) as error:
        return Broken(" ".join(str(error).split()))
    found: Implementations = {}
    for caller in manager.get_hookcallers(plugin) or ():
        for implementation in caller.get_hookimpls():
            if caller.name not in known:
                if not implementation.optionalhook:
                    return Broken(f"there is no hook {caller.name!r}{near(caller.name, known)}")
                continue
            if implementation.wrapper or implementation.hookwrapper:
                return Broken(f"{caller.name} is a wrapper; plugins do not wrap each other here, write a plain function")
            if inspect.iscoroutinefunction(implementation.function) and not inspect.iscoroutinefunction(getattr(Hooks, caller.name)):
                return Broken(f"{caller.name} is async; this hook must be a plain function")
            every = caller.spec is not None and set(implementation.argnames) == set(caller.spec.argnames)
            found[caller.name] = implementation.function if every else _taking(implementation.function, implementation.argnames)
    if not found:
        return Broken("it implements no hook; mark its functions with @hookimpl from realtime.hookspecs")
    return found


def near(name: str, names: Iterable[str]) -> str:
    """ ", did you mean ...?" where a name is close to one there is."""
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _taking(function: Callable[..., object], names: Sequence[str]) -> Callable[..., object]:
    """Passes only the arguments that an implementation names."""

    def call(**facts: object) -> object:
        return function(**{name: facts[name] for name in names})

    return call


def _name(candidate: Candidate) -> str:
    return candidate.name


def _same(plugin: object) -> object:
    return plugin


def _package_of(entry: metadata.EntryPoint) -> tuple[str, str]:
    """The name and version of the package that offers a plugin. They are read from a file each time that they are asked for."""
    try:
        said = entry.dist.metadata if entry.dist else None
        return (str(said["Name"]), str(said["Version"])) if said else ("", "")
    except Exception:  # noqa: BLE001 - a package with broken metadata may still hold a good plugin
        return "", ""


def own_version() -> str:
    """This program's version. Reads files: not for the event loop."""
    try:
        return metadata.version(PROJECT)
    except metadata.PackageNotFoundError:
        return "0"  # run from a checkout that was never installed
