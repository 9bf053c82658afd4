"""`nowserving run`: serve until told to stop."""

from __future__ import annotations

import argparse
import os

from realtime import logs
from realtime.settings import Settings

SENTENCE = "Serve (the default)."


def options(parser: argparse.ArgumentParser) -> None:
    """None: everything is a setting."""


def main(arguments: argparse.Namespace) -> int:
    """Returns the exit code of the server. Raises: CannotStart."""
    settings = Settings.load(os.environ, arguments.settings)
    logs.configure(settings.log_level)

    # Imported only now: wrong settings are told at once, and the other commands start faster.
    from realtime.server.run import serve

    return serve("realtime.app:create_app", settings)
