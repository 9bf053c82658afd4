"""Libraries that no start needs are loaded once the server answers, so that the first who needs one does not wait for it.

They take half as long to load as everything else together. The modules that use them import them where they are used.
"""

from __future__ import annotations

import importlib
import threading

LATER = ("databases", "jwt", "phonenumbers", "segno")


def begin() -> threading.Thread:
    """Load them on a thread, which the end of the process need not wait for."""
    thread = threading.Thread(target=load, name="warming", daemon=True)
    thread.start()
    return thread


def load() -> None:
    for name in LATER:
        importlib.import_module(name)
