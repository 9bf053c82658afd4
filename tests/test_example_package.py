"""The example of a third-party package: installed as anybody would, found, and run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "nowserving-doorbell"

LIST = """
from realtime.registry import Registry
from realtime.settings import Settings
for plugin in Registry.load(Settings.defaults(), []).plugins():
    print(plugin.name, plugin.version, plugin.status, *plugin.hooks, sep="|")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site-packages")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run([*pip, "--target", str(target), str(EXAMPLE)], check=True, timeout=120)
    return target


def python(installed: Path, *arguments: str, **environment: str) -> str:
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)])} | environment
    done = subprocess.run([sys.executable, *arguments], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(240)
def test_the_installed_package_is_found_by_its_entry_point(installed: Path, tmp_path: Path) -> None:
    listed = python(installed, "-c", LIST, DOORBELL_FILE=str(tmp_path / "bell")).splitlines()

    assert "doorbell|1.0.0|active|compose_ticket_notice|register_notifiers" in listed


@pytest.mark.timeout(240)
def test_the_package_passes_its_own_tests(installed: Path) -> None:
    said = python(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE))

    assert "9 passed" in said
