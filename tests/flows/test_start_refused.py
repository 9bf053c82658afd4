"""The command line as people meet it: settings that are wrong are all named at once, and what cannot work is refused with what to do."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import Serve
from tests.flows.client import open_store
from tests.support.process import clean_environment, free_port


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "realtime", *arguments],
        cwd=folder,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=40,
    )


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "nowserving cannot start" in done.stderr
    return done.stderr


def test_every_wrong_setting_is_named_at_once(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('prot = 8000\nstore_hours = 48\nlog_level = "loud"\n')

    said = refused(
        run(
            tmp_path,
            "run",
            "--settings",
            str(own),
            NOWSERVING_DATABSE_URL="sqlite:///x.db",
            NOWSERVING_PING_SECONDS="soon",
            NOWSERVING_SMTP_URL="http://mail",
            PORT="eighty",
            DATABASE_URL="mysql://u:geheim@h/d",
            SECRET_KEY="geheim-but-short",
        )
    )

    for name in (
        "prot",
        "store_hours",
        "log_level",
        "NOWSERVING_DATABSE_URL",
        "NOWSERVING_PING_SECONDS",
        "smtp_url",
        "PORT",
        "database_url",
        "secret_key",
    ):
        assert any(line.strip().startswith(f"{name}:") for line in said.splitlines()), (name, said)
    assert "did you mean port" in said
    assert "did you mean NOWSERVING_DATABASE_URL" in said
    assert "geheim" not in said
    assert not list(tmp_path.glob("*.db*")), "it began although it was refused"


@pytest.mark.parametrize("text", ["port = ", "\x00", "[[[", "port = 8000\nport = 9000", "\udcff"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    own = tmp_path / "own.toml"
    own.write_bytes(text.encode("utf-8", "surrogateescape"))

    assert str(own) in refused(run(tmp_path, "run", "--settings", str(own)))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "nowhere.toml" in refused(run(tmp_path, NOWSERVING_SETTINGS=str(tmp_path / "nowhere.toml")))


def test_sqlite_on_a_disk_that_is_lost_at_every_restart_is_refused(tmp_path: Path) -> None:
    said = refused(run(tmp_path, "run", DYNO="web.1", PORT=str(free_port())))

    assert "DATABASE_URL" in said
    assert "NOWSERVING_ALLOW_EPHEMERAL_SQLITE" in said


async def test_sqlite_there_is_allowed_on_request(server: Serve) -> None:
    started = server(environment={"DYNO": "web.1"}, allow_ephemeral_sqlite=True)
    async with open_store(started):
        pass


async def test_a_host_that_asks_for_several_processes_gets_one_with_sqlite_and_a_note(server: Serve) -> None:
    started = server(environment={"WEB_CONCURRENCY": "4"})
    async with open_store(started) as owner:
        await owner.walk_in("Ann")
        assert psutil.Process(started.pid).children(recursive=True) == []
    said = started.output()
    assert "SQLite serves one process: running one" in said
    assert said.count("nowserving is at") == 1


def test_a_port_that_is_taken_and_a_database_that_is_not_there_are_sentences(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(tmp_path, NOWSERVING_PORT=str(taken.getsockname()[1]))
        assert "Stop the program that uses it, or set PORT to another" in done.stderr
        assert done.returncode == 3, "2 says that nothing will help but other settings"
    for url in (f"postgresql://u:geheim@127.0.0.1:{free_port()}/d", f"sqlite:///{tmp_path}/no/such/folder/x.db"):
        done = run(tmp_path, NOWSERVING_PORT=str(free_port()), DATABASE_URL=url)
        assert done.returncode not in (0, -9), url
        assert "Traceback" not in done.stderr, done.stderr
        assert "geheim" not in done.stderr + done.stdout
        assert done.stderr.strip()


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_the_effective_settings_are_printed_without_secrets(tmp_path: Path, form: tuple[str, ...]) -> None:
    done = run(
        tmp_path,
        "settings",
        *form,
        DATABASE_URL="postgres://ann:geheim1@db.example.com:5432/queue?sslmode=require&password=geheim6",
        REDIS_URL="rediss://:geheim2@cache.example.com:6380",
        SECRET_KEY="geheim3" * 6,
        NOWSERVING_SMTP_URL="smtp://ann:geheim4@mail.example.com:587",
        NOWSERVING_MAIL_FROM="queue@example.com",
        NOWSERVING_PUBLIC_URL="https://queue.example.com",
        NOWSERVING_SMS_URL="twilio://AC1:geheim5@+15551234567",
        WEB_CONCURRENCY="3",
        PORT="9000",
    )

    assert done.returncode == 0, done.stderr
    assert "geheim" not in done.stdout + done.stderr
    for shown in (
        "postgresql://ann:***@db.example.com:5432/queue",
        "cache.example.com:6380",
        "mail.example.com:587",
        "twilio://***",
        "9000",
    ):
        assert shown in done.stdout, shown
