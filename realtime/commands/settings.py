"""`nowserving settings`: what this process would run with, secrets left out."""

from __future__ import annotations

import argparse
import json
import os
import sys

from realtime.settings import Settings

SENTENCE = "Print the effective settings, secrets left out."


def options(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("--json", action="store_true", help="as JSON instead of TOML")


def main(arguments: argparse.Namespace) -> int:
    """Prints them as a settings file could hold them. Raises: BadSettings."""
    settings = Settings.load(os.environ, arguments.settings)
    shown = settings.shown()
    if arguments.json:
        print(json.dumps(shown, indent=2))
        return 0
    for name, value in shown.items():
        # A JSON text, number, truth value or list of texts is TOML as well.
        print(f"{name} = {json.dumps(value)}")
    for note in settings.notes:
        print(f"note: {note}", file=sys.stderr)
    return 0
