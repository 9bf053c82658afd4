"""Gets what a compared server needs into `.bench/`, nginx's module with apt; nothing of it becomes part of the program's own environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".bench"
LONGEST_S = 180
MODULES = ("/usr/lib/nginx/modules/ngx_nchan_module.so", "/usr/lib64/nginx/modules/ngx_nchan_module.so")


class NotThere(Exception):
    """A peer cannot be had here; says why in a few words."""


def npm(name: str, release: str) -> Path:
    """The folder in which Node finds the package. Raises: NotThere."""
    folder = CACHE / "npm" / name
    if not (folder / "node_modules" / name / "package.json").exists():
        program = found("npm")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n')
        _run([program, "install", "--no-audit", "--no-fund", "--silent", f"{name}@{release}"], folder)
    return folder


def pip(name: str, *requirements: str) -> Path:
    """A folder for PYTHONPATH that holds the packages. Raises: NotThere."""
    folder = CACHE / "pip" / name
    done = folder / "installed"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _run([sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--target", str(folder), *requirements], folder)
        done.touch()
    return folder


def nchan() -> tuple[str, str]:
    """nginx and its module. Raises: NotThere."""
    if not _module() or not shutil.which("nginx"):
        program = found("apt-get")
        if os.geteuid() != 0:
            raise NotThere("needs root for `apt-get install libnginx-mod-nchan nginx-light`")
        # RUNLEVEL: the package would else start an nginx on port 80.
        quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        _run([program, "-qq", "update"], CACHE, quiet)
        _run([program, "-qq", "install", "-y", "--no-install-recommends", "libnginx-mod-nchan", "nginx-light"], CACHE, quiet)
    return found("nginx"), _module() or ""


def _module() -> str | None:
    return next((path for path in MODULES if Path(path).exists()), None)


def found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise NotThere(f"no {program}")
    return path


def _run(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=LONGEST_S, env={**os.environ, **(environment or {})}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotThere(f"{Path(command[0]).name}: {type(error).__name__}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotThere(f"{' '.join([Path(command[0]).name, *command[1:3]])}: {said[-1][:120] if said else f'ended with {done.returncode}'}")
