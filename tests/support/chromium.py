"""The real browser: found on the machine, or installed with apt where that is allowed, or one line that says how."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

SHELL = "chromium-headless-shell"
"""Debian's Chromium without the window's frame, from the same source: it draws and runs the same pages for half of the CPU, but shows no
notifications."""
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
APT_S = 180
"""A mirror that cannot be reached holds up the tests no longer than this."""


@cache
def find(*, whole: bool = False) -> str | None:
    """Path of a Chromium that starts, None if there is none. `whole`: not the headless one."""
    names = NAMES if whole else (SHELL, *NAMES)
    candidates = [os.environ.get("CHROMIUM", ""), *(shutil.which(name) or "" for name in names), *PLACES]
    candidates += [str(path) for folder, pattern in DOWNLOADED for path in sorted((Path.home() / folder).glob(pattern))]
    return next((path for path in candidates if path and _starts(path)), None)


def _starts(path: str) -> bool:
    """Ubuntu ships a /usr/bin/chromium-browser that is only a hint to install a snap."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@asynccontextmanager
async def launched(*, whole: bool = False) -> AsyncIterator[Browser]:
    """A browser that closes at the end. Where there is none, the test is skipped."""
    found = find(whole=whole)
    if found is None:
        pytest.skip(HOW)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield browser
        await browser.close()


def ensure() -> str | None:
    """Finds Chromium; where there is none and this is Debian's root, installs it, and where CI is set the headless one beside it."""
    if shutil.which("apt-get") and os.geteuid() == 0 and not os.environ.get("CHROMIUM"):
        missing = ["chromium"] * (find(whole=True) is None) + [SHELL] * (bool(os.environ.get("CI")) and shutil.which(SHELL) is None)
        if missing:
            print(f"Installing {' and '.join(missing)} with apt", flush=True)
            _apt("update")
        for package in missing:
            _apt("install", "-y", "--no-install-recommends", package)
        find.cache_clear()
    return find(whole=True)


def _apt(*command: str) -> None:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(["apt-get", "-qq", *command], check=False, timeout=APT_S, **quiet)  # type: ignore[call-overload]  # keywords in a dict


if __name__ == "__main__":
    if ensure() is None:
        print(HOW, file=sys.stderr)
