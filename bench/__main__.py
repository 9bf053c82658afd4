"""Runs every benchmark in a fresh process, prints one table, and writes it to bench/RESULTS.md with what is known of the machine, its figures into docs/scaling.md."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import scaling
from bench.result import Result, Table, line, markdown

HERE = Path(__file__).parent
LONGEST_S = 1800
_KINDS: dict[str, type[Result | Table]] = {"Result": Result, "Table": Table}


def names() -> list[str]:
    """The benchmarks: every file here that has a function `run`."""
    sources = {path.stem: ast.parse(path.read_text()) for path in sorted(HERE.glob("[a-z]*.py"))}
    return [name for name, tree in sources.items() if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body)]


def measure(name: str, quick: bool) -> list[Result | Table]:
    """One benchmark's results, from a process of its own: no figure is coloured by what ran before. Raises: subprocess.SubprocessError."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "results.json"
        command = [sys.executable, "-m", "bench", name, "--answer", str(answer), *(["--quick"] if quick else [])]
        subprocess.run(command, check=True, cwd=HERE.parent, stdout=sys.stderr, timeout=LONGEST_S)
        return [_KINDS[kind](*fields) for kind, *fields in json.loads(answer.read_text())]


def machine() -> str:
    """What a figure depends on. The machine's name is nobody's business."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    kernel = re.match(r"\d+(\.\d+)?", platform.release())
    packages = ", ".join(f"{name} {version(name)}" for name in ("uvicorn", "starlette", "websockets", "uvloop", "asyncpg"))
    return f"{cores} cores, {platform.machine()}, {platform.system()} {kernel[0] if kernel else ''}, Python {platform.python_version()}, {packages}"


def document(results: dict[str, list[Result | Table]], seconds: float) -> str:
    """The table as bench/RESULTS.md holds it."""
    rows = ["| figure | value | ratio | target | |", "|---|---|---|---|---|"]
    for name, found in results.items():
        rows.append(f"| **`python -m bench {name}`** | | | | |")
        for result in found:
            if isinstance(result, Table):
                continue
            ratio = f"{result.ratio:.2f} × {result.against}" if result.ratio is not None else result.against
            rows.append(f"| {result.name} | {result.value:,.2f} {result.unit} | {ratio} | {result.target} | {_verdict(result)} |")
    head = (
        "# Figures\n\n"
        f"Made by `make bench` on {datetime.now(UTC):%Y-%m-%d} in {seconds / 60:.0f} minutes: {machine()}.\n"
        "Values are medians of several runs; ratios compare two figures of the same run on the same machine.\n\n"
    )
    tables = [markdown(result) for found in results.values() for result in found if isinstance(result, Table)]
    return head + "\n".join(rows) + "\n" + "".join(tables)


def _verdict(result: Result) -> str:
    return {True: "met", False: "**not met**", None: ""}[result.met]


def main() -> int:
    """Returns 0 when every benchmark ran, whatever its figures are; 1 otherwise."""
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"which ones: {', '.join(names())}; all without")
    parser.add_argument("--quick", action="store_true", help="shorter and less exact; RESULTS.md is not written")
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(names())):
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    if arguments.answer:
        module = importlib.import_module(f"bench.{arguments.names[0]}")
        arguments.answer.write_text(json.dumps([[type(row).__name__, *row] for row in module.run(arguments.quick)]))
        return 0

    began = time.monotonic()
    results: dict[str, list[Result | Table]] = {}
    broken = []
    print(machine())
    for name in arguments.names or names():
        try:
            results[name] = measure(name, arguments.quick)
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            broken.append(name)
            print(f"{name}: did not come to an end: {error}", file=sys.stderr)
        for result in results.get(name, ()):
            print(line(result), flush=True)
    judged = [result.met for found in results.values() for result in found if isinstance(result, Result) and result.met is not None]
    print(f"{sum(judged)} of {len(judged)} targets met" + (f"; broken: {', '.join(broken)}" if broken else ""))
    if not arguments.quick and not arguments.names and not broken:
        (HERE / "RESULTS.md").write_text(document(results, time.monotonic() - began))
        scaling.write()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
