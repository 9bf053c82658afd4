"""The command line: `nowserving [run | worker | jobs | settings | plugins | bounce | rehearse]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

from realtime.commands import bounce, jobs, plugins, rehearse, run, settings, worker
from realtime.errors import BadSettings, CannotStart


class Command(Protocol):
    """A module in realtime/commands."""

    SENTENCE: str

    def options(self, parser: argparse.ArgumentParser) -> None: ...
    def main(self, arguments: argparse.Namespace) -> int: ...


COMMANDS: dict[str, Command] = {
    "run": run,
    "worker": worker,
    "jobs": jobs,
    "settings": settings,
    "plugins": plugins,
    "bounce": bounce,
    "rehearse": rehearse,
}


def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    shared = argparse.ArgumentParser(add_help=False)
    # Suppressed, so that a command without the option does not undo what was said before the command.
    shared.add_argument("--settings", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="a settings file of your own")
    top = argparse.ArgumentParser("nowserving", description="A real-time waitlist. Without a command it serves.", parents=[shared])
    top.add_argument("--version", action="version", version=f"nowserving {_version()}")
    top.set_defaults(command="run")
    commands = top.add_subparsers(metavar="command")
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.SENTENCE, description=command.SENTENCE, parents=[shared])
        one.set_defaults(command=name)
        command.options(one)
    return top


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments, with `command` and `settings` always among them. Ends the process with 2 where they make no sense."""
    return parser().parse_args(argv, argparse.Namespace(settings=None))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0 done, 2 cannot start like this, 3 cannot start now, and what the command says otherwise."""
    arguments = parse(argv)
    try:
        return COMMANDS[arguments.command].main(arguments)
    except CannotStart as error:
        print(refusal(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output, such as `head`, has seen enough. Python would complain again when it closes the stream.
        sys.stderr.close()
        return 0


def refusal(error: CannotStart) -> str:
    """What a person reads who started it: what is wrong and what to do, each fault of the settings in a line of its own."""
    if isinstance(error, BadSettings):
        return "\n  ".join([f"nowserving cannot start. {error.sentence.rstrip('.')}:", *error.message.splitlines()])
    return error.message if error.message == CannotStart.sentence else f"nowserving cannot start. {error.message}"


def _version() -> str:
    try:
        return version("nowserving")
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
