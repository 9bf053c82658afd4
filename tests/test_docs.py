"""The documents say what the program does, or a test here fails."""

from __future__ import annotations

import inspect
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from realtime import errors
from realtime.__main__ import COMMANDS
from realtime.errors import CannotStart, NowServingError
from realtime.settings import HOST_NAMES, NAMES

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ON_THE_WIRE = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, NowServingError) and not issubclass(kind, CannotStart)
]
CLOSE_CODES = sorted({kind.close_code for kind in ON_THE_WIRE if kind.close_code is not None})


@cache
def document(name: str) -> str:
    return (ROOT / name).read_text()


# ---- settings -----------------------------------------------------------------------------------------------------


def test_every_setting_is_documented_with_its_default_in_the_words_of_settings_toml() -> None:
    said = re.findall(r"^(\w+) = (.*?) +# (.*)$", document("settings.toml"), re.MULTILINE)
    tables = document("docs/settings.md").partition("## Where it is reached")[2]
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \| (.*) \|$", tables, re.MULTILINE)

    assert [name for name, _, _ in said] == list(NAMES)
    assert rows == said


def test_every_variable_of_a_host_is_documented() -> None:
    assert all(f"| `{variable}` | `{name}` |" in document("docs/settings.md") for variable, name in HOST_NAMES.items())


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_used(name: str) -> None:
    """A setting that nothing reads is a promise that nobody keeps."""
    used = re.compile(rf"settings\.{name}\b" + (r"|\bsqlite_path\b" if name == "database_url" else ""))
    sources = [
        path for folder in ("realtime", "plugins", "notifiers") for path in (ROOT / folder).rglob("*.py") if path.name != "settings.py"
    ]
    # Settled inside settings.py, before anything runs.
    if name != "allow_ephemeral_sqlite":
        assert any(used.search(path.read_text()) for path in sources)


def test_the_settings_in_documents_exist() -> None:
    named = {name.lower() for path in DOCUMENTS for name in re.findall(r"\bNOWSERVING_([A-Z_]+)\b", path.read_text())}

    assert named <= {*NAMES, "settings", "prot"}  # PROT is the slip that docs/settings.md shows


# ---- protocol -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ON_THE_WIRE, ids=lambda kind: kind.code)
def test_every_error_is_documented_with_its_status_and_in_its_own_words(kind: type[NowServingError]) -> None:
    row = f"| `{kind.code}` | {kind.status} | {'yes' if kind.retry else 'no'} | {kind.sentence} |"

    assert row in document("docs/protocol.md").splitlines()


@pytest.mark.parametrize("code", CLOSE_CODES)
def test_every_close_code_is_documented(code: int) -> None:
    assert str(code) in document("docs/protocol.md")


# ---- commands, links, packaging -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    assert any(f"nowserving {command}" in path.read_text() for path in DOCUMENTS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", path.read_text())

    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_four_verbs_are_there() -> None:
    phony = re.findall(r"^\.PHONY: (.*)$", document("Makefile"), re.MULTILINE)[0].split()

    assert {"run", "test", "check", "bench"} <= set(phony)
    assert all(f"make {verb}" in document("README.md") + document("CONTRIBUTING.md") for verb in ("run", "test", "check", "bench", "soak"))


def test_the_wheel_carries_the_schema_and_the_settings() -> None:
    wheel = tomllib.loads(document("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["wheel"]

    assert wheel["packages"] == ["realtime", "plugins", "notifiers"]
    assert wheel["force-include"] == {"schema.sql": "realtime/schema.sql", "settings.toml": "realtime/settings.toml"}
