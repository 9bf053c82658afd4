"""The rules of the house that a program can check."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from realtime import errors
from realtime.errors import NowServingError

ROOT = Path(__file__).parents[1]
OURS = ("realtime", "plugins", "notifiers", "tests", "bench", "examples")
SOURCES = sorted(path for folder in OURS for path in (ROOT / folder).rglob("*.py"))
SHIPPED = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in ("realtime", "plugins", "notifiers")]
READ_BY_PEOPLE = [
    path
    for folder in (*OURS, "docs", ".ci")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.is_file()
    and path.suffix in (".py", ".js", ".css", ".html", ".md", ".sql", ".toml", ".txt", ".c", "")
    and "__pycache__" not in path.parts
] + [
    path
    for path in sorted(ROOT.iterdir())
    if path.is_file() and path.suffix in (".md", ".toml", ".sql", ".txt", "") and path.name != ".git"
]
ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, NowServingError)]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def wrong(paths: Iterable[Path], fault: Callable[[Path], object]) -> dict[str, object]:
    """What is found, by file. A test for each rule and not for each file: there are a thousand of them."""
    return {name_of(path): found for path in paths if (found := fault(path))}


def test_no_file_is_longer_than_400_lines() -> None:
    code = [path for path in READ_BY_PEOPLE if path.suffix in (".py", ".js", ".css", ".html", ".sql", ".c")]

    assert wrong(code, lambda path: len(path.read_text().splitlines()) > 400) == {}, "split it: one file, one noun"


def test_no_file_has_a_name_that_says_nothing() -> None:
    nothing = re.compile(r"^(utils?|common|helpers?|manager|misc)$")

    assert [
        name_of(path) for path in READ_BY_PEOPLE if any(nothing.match(part) for part in (path.stem, *path.relative_to(ROOT).parts[:-1]))
    ] == []


def test_every_module_opens_with_one_sentence() -> None:
    def opens_without(path: Path) -> bool:
        text = path.read_text()
        said = ast.get_docstring(ast.parse(text)) or ("Nothing." if path.name == "__init__.py" and not text else "")
        return not said or not said.splitlines()[0].rstrip().endswith((".", ":", "?"))

    assert wrong(SOURCES, opens_without) == {}, "say in one sentence what the file is for"


def test_no_module_has_state() -> None:
    """No `global`, and no module-level name in lower case that holds something to be filled."""
    fillable = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    makers = {"list", "dict", "set", "deque", "defaultdict", "Counter", "count", "ContextVar"}

    def state(path: Path) -> list[str]:
        tree = ast.parse(path.read_text())
        assigned = [(target, node.value) for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
        assigned += [(node.target, node.value) for node in tree.body if isinstance(node, ast.AnnAssign) and node.value is not None]
        return [f"global in line {node.lineno}" for node in ast.walk(tree) if isinstance(node, ast.Global)] + [
            target.id
            for target, value in assigned
            if isinstance(target, ast.Name) and target.id.islower() and not target.id.startswith("__")
            if isinstance(value, fillable) or (isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in makers)
        ]

    assert wrong(SHIPPED, state) == {}


def test_every_ignore_has_its_reason_on_the_line() -> None:
    ignore = re.compile(r"# (noqa|type: ignore)(?P<rest>.*)$")
    reason = re.compile(r"^(: [A-Z0-9, ]+|\[[\w, -]+\]) +(- |# )\S")

    def bare(path: Path) -> list[str]:
        return [
            line.strip() for line in path.read_text().splitlines() if (found := ignore.search(line)) and not reason.match(found["rest"])
        ]

    assert wrong(SOURCES, bare) == {}


def test_no_file_names_a_person_or_a_machine() -> None:
    def named(path: Path) -> list[str]:
        text = path.read_text(errors="replace")
        homes = re.findall(r"(?<![\w.])/(?:root|home|Users)/[\w.-]+", text)
        addresses = re.findall(r"[\w.+-]+@(?!example\.|[\w-]+\.example\b|localhost|\d)[\w-]+\.(?:com|org|net|io|dev)\b", text)
        if path.relative_to(ROOT).parts[0] == "tests":
            addresses = []  # what people type into forms is made up there
        registries = re.findall(r"(?:--?(?:extra-)?index-url|find[-]links)\s*=?\s*\S+", text)
        return homes + addresses + registries

    assert wrong(READ_BY_PEOPLE, named) == {}


# ---- errors -------------------------------------------------------------------------------------------------------


def drawn() -> dict[str, str]:
    """Class -> parent, as the docstring of errors.py draws them."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^([│├└─ ]*)([A-Z]\w+)", line):
            depth = len(found[1]) // 4
            if depth or line.startswith(NowServingError.__name__):
                path[depth:] = [found[2]]
                parents[found[2]] = path[depth - 1] if depth else "Exception"
    return parents


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    assert drawn() == {kind.__name__: kind.__bases__[0].__name__ for kind in ERRORS}


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in ERRORS]

    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_is_one_a_person_can_read_and_a_client_can_act_on(kind: type[NowServingError]) -> None:
    assert kind.sentence.endswith(".")
    assert kind.sentence[0].isupper() or kind.sentence.startswith("nowserving ")
    assert 400 <= kind.status <= 599
    if kind.close_code is not None and kind.close_code >= 4000:
        assert (kind.close_code < 4400) == kind.retry, "4000-4399 means: come back; 4400-4999: do not"
