"""`nowserving plugins`: which plugins there are, what they hook into, and how they are."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import to_builtins

from realtime import logs
from realtime.settings import Settings

if TYPE_CHECKING:
    from realtime.registry import PluginInfo

SENTENCE = "List the plugins with their versions, hooks and status."


def options(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("--json", action="store_true", help="as JSON instead of a table")


def main(arguments: argparse.Namespace) -> int:
    """Returns 0, or 1 when a plugin failed to load. Raises: BadSettings."""
    settings = Settings.load(os.environ, arguments.settings)
    logs.configure("error")

    # Imported only now, as it brings in every plugin there is.
    from realtime.app import load_plugins

    found = load_plugins(settings).plugins()
    if arguments.json:
        print(json.dumps(to_builtins(found), indent=2))
    else:
        print(table(found))
    return int(any(plugin.status.startswith("failed") for plugin in found))


def table(found: Sequence[PluginInfo]) -> str:
    """Columns as wide as they need to be; the hooks come last, as they are the longest."""
    rows = [("name", "version", "status", "hooks")]
    rows += [(plugin.name, plugin.version or "-", plugin.status, ", ".join(plugin.hooks) or "-") for plugin in found]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join("  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]) for row in rows)
