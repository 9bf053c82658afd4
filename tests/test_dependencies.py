"""No dependency with a known advisory: the lowest release of each that has none, held against what is asked for and what is installed."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

FLOORS = {
    "starlette": "1.6.0",
    "uvicorn": "0.52.1",
    "websockets": "9.1",
    "jinja2": "3.1.6",
    "aiosmtplib": "5.1.2",
    "h11": "0.16.0",
    "python-multipart": "0.0.31",
    "asyncpg": "0.21.0",
    "redis": "4.5.4",
    "pyjwt": "2.4.0",
    "aiosmtpd": "1.4.6",
}
PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
ASKED = [
    Requirement(line) for line in [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
]


@pytest.mark.parametrize("name", FLOORS)
def test_no_installed_release_has_a_known_advisory(name: str) -> None:
    try:
        installed = Version(version(name))
    except PackageNotFoundError:
        return
    assert installed >= Version(FLOORS[name])


@pytest.mark.parametrize("requirement", [one for one in ASKED if one.name in FLOORS], ids=lambda one: one.name)
def test_no_release_with_a_known_advisory_can_be_chosen(requirement: Requirement) -> None:
    lowest = [Version(part.version) for part in requirement.specifier if part.operator == ">="]

    assert lowest
    assert lowest[0] >= Version(FLOORS[requirement.name])


@pytest.mark.parametrize("requirement", [one for one in ASKED if one.name != "nowserving"], ids=lambda one: one.name)
def test_every_dependency_has_a_lower_bound(requirement: Requirement) -> None:
    assert any(part.operator == ">=" for part in requirement.specifier)
