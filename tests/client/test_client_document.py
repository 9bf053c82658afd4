"""The example of docs/client.md is a program that works."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from tests.conftest import Serve
from tests.flows.client import MANY, PATIENCE_S, open_store

ROOT = Path(__file__).parents[2]


async def test_the_example_in_python_runs(server: Serve, tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "client.md").read_text(), re.DOTALL)
    program = tmp_path / "board.py"
    program.write_text(example)
    started = server(**MANY)
    async with open_store(started) as owner:
        await owner.walk_in("Ann")
        command = (sys.executable, program, started.url, await owner.board_token())
        running = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
        assert running.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            assert await running.stdout.readline() == b"Luigi's has 1 waiting\n"
            await owner.call_next(desk="Desk 2")
            assert await running.stdout.readline() == b"Now A01 to Desk 2\n"

            await owner.close_store()

            assert await running.stdout.read() == b"This store has closed. Thank you for coming.\n"
            assert await running.wait() == 0
