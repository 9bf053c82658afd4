"""One SQLite file, one process: the second says what to do and ends, the first goes on."""

from __future__ import annotations

from tests.conftest import Serve
from tests.flows.client import Screen, off_loop, open_store


async def test_a_second_process_on_the_same_file_says_so_and_ends(server: Serve) -> None:
    first = server()
    async with open_store(first) as owner, Screen(first, owner.token, owner.topic) as screen:
        second = server(start=False)
        second.start_nowait()
        assert second.process is not None
        code = await off_loop(second.process.wait, 20)

        assert code not in (0, None)
        said = second.output()
        assert "Another process is using the database file" in said
        assert "SQLite serves one process" in said
        assert "Traceback" not in said
        await owner.walk_in("Ann")
        await screen.check()


async def test_the_file_is_free_again_after_a_kill(server: Serve) -> None:
    first = server()
    async with open_store(first) as owner:
        ticket = (await owner.walk_in("Ann"))["ticket"]
        await off_loop(first.kill)

        second = await off_loop(lambda: server())

        owner.http.base_url = second.url
        owner.server = second
        assert (await owner.snapshot())["tickets"] == [ticket]
