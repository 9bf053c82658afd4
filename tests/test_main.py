"""The command line: exit codes, what is printed where, and that nothing private is."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

from realtime.__main__ import main, parse
from realtime.settings import NAMES
from tests.conftest import Serve
from tests.support.process import ROOT, clean_environment


def nowserving(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command as a process of its own."""
    command = [sys.executable, "-m", "realtime", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment(**environment), timeout=50)


def test_serving_is_what_it_does_without_a_command() -> None:
    assert parse([]).command == "run"


@pytest.mark.parametrize("said", [["--settings", "a.toml", "settings"], ["settings", "--settings", "a.toml"]])
def test_a_settings_file_may_be_named_before_or_after_the_command(said: list[str]) -> None:
    assert parse(said).settings == Path("a.toml")


def test_wrong_settings_end_it_with_2_and_one_block_of_sentences() -> None:
    done = nowserving(NOWSERVING_PROT="80", WEB_CONCURRENCY="lots")

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "nowserving cannot start. Some settings are wrong:\n"
        "  NOWSERVING_PROT: is not a setting; did you mean NOWSERVING_PORT?\n"
        '  WEB_CONCURRENCY: cannot be "lots"; write a whole number from 1 to 256\n'
    )
    assert done.stderr in (ROOT / "docs" / "settings.md").read_text(), "the document shows this very example"


def test_a_settings_file_that_is_not_there_ends_it_with_2(tmp_path: Path) -> None:
    done = nowserving("--settings", str(tmp_path / "none.toml"))

    assert done.returncode == 2
    assert "none.toml: cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_printed_settings_can_be_read_as_settings() -> None:
    done = nowserving("settings", PORT="9000")

    printed = tomllib.loads(done.stdout)
    assert done.returncode == 0
    assert tuple(printed) == NAMES
    assert (printed["port"], printed["host"]) == (9000, "0.0.0.0")


def test_the_printed_settings_hold_no_secret() -> None:
    done = nowserving("settings", "--json", SECRET_KEY="hunter2" * 5, DATABASE_URL="postgres://ann:hunter2@h/d")

    assert "hunter2" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["database_url"] == "postgresql://ann:***@h/d"


def test_notes_go_beside_the_settings() -> None:
    done = nowserving("settings", WEB_CONCURRENCY="4")

    assert done.stderr.startswith("note: web_concurrency is 4")


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("nowserving ")


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve"])

    assert ended.value.code == 2
    assert "invalid choice: 'serve'" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--customers", "0"], ["--speed", "0"], ["--minutes", "nan"], ["--customers", "many"]])
def test_a_rehearsal_that_cannot_be_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["rehearse", *wrong])

    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err


# ---- serving ------------------------------------------------------------------------------------------------------


def test_it_serves_until_told_to_stop_and_comes_back_after_a_power_cut(server: Serve) -> None:
    running = server()
    assert httpx.get(running.url + "/healthz").status_code == 200

    running.kill()
    running.start()

    assert httpx.get(running.url + "/readyz").status_code == 200
    assert running.stop() == 0


def test_notes_on_settings_are_in_the_log(server: Serve) -> None:
    running = server(environment={"WEB_CONCURRENCY": "4"})

    assert "WARNING realtime.server web_concurrency is 4, but SQLite serves one process" in running.output()


def test_a_second_process_on_the_same_file_says_so_and_ends_with_3(server: Serve) -> None:
    first = server()

    second = nowserving("run", NOWSERVING_PORT="0", DATABASE_URL=first.environment["NOWSERVING_DATABASE_URL"])

    assert second.returncode == 3
    assert "Another process is using the database file" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_start_waits_for_no_library_that_it_does_not_need() -> None:
    said = (
        "import sys; from realtime.app import create_app; from realtime.server import run, warming; from realtime.settings import Settings;"
        " create_app(Settings.defaults()); print([each for each in (*warming.LATER, 'sqlalchemy', 'cryptography', 'aiosmtplib')"
        " if each in sys.modules]); warming.begin(lambda: None).join(); print([each for each in warming.LATER if each not in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True, env=clean_environment(), timeout=50)

    assert done.stdout.splitlines() == ["[]", "[]"]
