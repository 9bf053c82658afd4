"""What no start needs is done once the server answers, so that the first who needs it does not wait: libraries are loaded, templates compiled.

It takes longer than all of a start. The modules that use such a library import it where they use it.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable

LATER = ("databases", "jwt", "phonenumbers", "segno", "ctypes")


def begin(more: Callable[[], None]) -> threading.Thread:
    """Load them, and then do more, on a thread for which the end of the process need not wait."""
    thread = threading.Thread(target=_warm_up, args=(more,), name="warming", daemon=True)
    thread.start()
    return thread


def load() -> None:
    for name in LATER:
        with contextlib.suppress(ImportError):  # who needs it says so
            importlib.import_module(name)


def _warm_up(more: Callable[[], None]) -> None:
    load()
    more()
