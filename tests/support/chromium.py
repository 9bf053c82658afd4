"""The real browser: found on the machine, or installed with apt where that is allowed, or one line that says how."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
DOWNLOADED = (
    (".cache/ms-playwright", "chromium-*/chrome-linux*/chrome"),
    ("Library/Caches/ms-playwright", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*"),
)
HOW = (
    "No Chromium was found, so the browser tests are left out. Install it (Debian: sudo apt install chromium; macOS: brew install --cask chromium;"
    " elsewhere: .venv/bin/python -m playwright install --with-deps chromium) and run `make test` again."
)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # It would look for updates and accounts on the way, and be refused on a machine that is closed to the world.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@cache
def find() -> str | None:
    """Path of a Chromium that starts, None if there is none."""
    candidates = [os.environ.get("CHROMIUM", ""), *(shutil.which(name) or "" for name in NAMES), *PLACES]
    candidates += [str(path) for folder, pattern in DOWNLOADED for path in sorted((Path.home() / folder).glob(pattern))]
    return next((path for path in candidates if path and _starts(path)), None)


def _starts(path: str) -> bool:
    """Ubuntu ships a /usr/bin/chromium-browser that is only a hint to install a snap."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def ensure() -> str | None:
    """Finds Chromium; where there is none and this is Debian's root, installs it."""
    if find() is None and shutil.which("apt-get") and os.geteuid() == 0:
        print("Installing chromium with apt", flush=True)
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "-qq", "update"], check=False, **quiet)  # type: ignore[call-overload]  # keywords in a dict
        subprocess.run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", "chromium"], check=False, **quiet)  # type: ignore[call-overload]  # keywords in a dict
        find.cache_clear()
    return find()


if __name__ == "__main__":
    if ensure() is None:
        print(HOW, file=sys.stderr)
