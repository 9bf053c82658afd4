"""schema.sql: split into statements, one dialect, the same tables on both databases."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from realtime.storage import schema
from realtime.storage.postgres import PostgresStorage
from realtime.storage.sqlite import SqliteStorage
from realtime.storage.statement import Operation, every

ROOT = Path(__file__).parents[2]
STATEMENTS = schema.statements(schema.text())
TABLES = schema.tables(schema.text())


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        (" ;; \n;", []),
        ("select 1", ["select 1"]),
        ("select 1; select 2;", ["select 1", "select 2"]),
        ("-- it's; \"one\nselect 1; -- two; 'three\n-- four", ["select 1"]),
        ("/* a; 'b\n */ select /* ; */ 1;", ["select   1"]),
        ("select ';', '--', '/*', 'it''s'; select 2", ["select ';', '--', '/*', 'it''s'", "select 2"]),
        ('select 1 as "a;--b"; select 2', ['select 1 as "a;--b"', "select 2"]),
        ("select 3 - 1 / 2; select 2", ["select 3 - 1 / 2", "select 2"]),
    ],
)
def test_a_script_is_split_at_the_semicolons_that_end_statements(script: str, expected: list[str]) -> None:
    assert schema.statements(script) == expected


def test_every_statement_of_the_schema_is_in_the_dialect_that_both_databases_share() -> None:
    other = re.compile(
        r"\b(serial|autoincrement|integer|int|boolean|json|jsonb|timestamp\w*|varchar|blob|bytea|uuid|real|numeric|now|rowid|strict|generated|collate)\b"
    )
    column = re.compile(r"^\s+(?!primary key|foreign key|check|unique)\w+ (?P<type>\w+)", re.MULTILINE)

    for statement in STATEMENTS:
        assert re.match(r"create (table|(unique )?index) if not exists \w+ (\(|on )", statement), statement
        assert not other.search(statement), statement
        if statement.startswith("create table"):
            assert {found["type"] for found in column.finditer(statement)} <= {"text", "bigint"}, statement


def test_every_table_has_a_comment_before_it() -> None:
    lines = schema.text().splitlines()

    for number, line in enumerate(lines):
        if line.startswith("create table"):
            assert lines[number - 1].startswith("-- "), line


def test_what_belongs_to_a_store_leads_its_primary_key_with_the_store() -> None:
    for statement in STATEMENTS:
        if statement.startswith("create table") and re.search(r"^\s+store_id ", statement, re.MULTILINE):
            assert re.search(r"primary key \(store_id\b|^\s+store_id text primary key", statement, re.MULTILINE), statement


def test_the_tables_are_named() -> None:
    assert {"installation", "stores", "tickets", "events", "receipts"} <= set(TABLES)
    assert len(TABLES) == schema.text().count("\ncreate table")


def test_an_installed_package_brings_the_schema_along(tmp_path: Path) -> None:
    """As the wheel lays it out: `schema.sql` inside the package, nothing beside it."""
    package = tmp_path / "realtime"
    (package / "storage").mkdir(parents=True)
    for name in ("__init__.py", "errors.py", "storage/__init__.py", "storage/statement.py", "storage/schema.py"):
        (package / name).write_text((ROOT / "realtime" / name).read_text())
    (package / "schema.sql").write_text("select 'from the wheel';")
    program = "import sys; sys.path.insert(0, '.'); from realtime.storage import schema; print(schema.statements(schema.text()))"

    done = subprocess.run([sys.executable, "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.stdout.strip() == str(["select 'from the wheel'"]), done.stderr


async def test_both_databases_end_up_with_the_same_tables_even_when_installed_twice(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    sqlite = SqliteStorage(f"sqlite:///{tmp_path / 'a.db'}")
    postgres = PostgresStorage(new_database(), pool=2)

    for _ in range(2):
        await sqlite.open()
        await postgres.open()
        in_sqlite = await sqlite.read(columns_in_sqlite)
        in_postgres = await postgres.read(columns_in_postgres)
        await sqlite.close()
        await postgres.close()

        assert in_sqlite == in_postgres
        assert set(in_sqlite) == set(TABLES)


async def test_several_processes_may_install_at_once(new_database: Callable[[], str]) -> None:
    url = new_database()
    storages = [PostgresStorage(url, pool=1) for _ in range(8)]

    await asyncio.gather(*(storage.open() for storage in storages))

    assert set(await storages[0].read(columns_in_postgres)) == set(TABLES)
    await asyncio.gather(*(storage.close() for storage in storages))


Columns = dict[str, list[tuple[str, str, bool]]]


def columns_in_sqlite() -> Operation[Columns]:
    found: Columns = {}
    tables = yield from every("select name from sqlite_schema where type = 'table' order by name")
    for (table,) in tables:
        rows = yield from every('select name, type, "notnull" or pk > 0 from pragma_table_info($1) order by cid', table)
        found[table] = [(name, kind.lower(), bool(required)) for name, kind, required in rows]
    return found


def columns_in_postgres() -> Operation[Columns]:
    found: Columns = {}
    rows = yield from every(
        "select table_name::text, column_name::text, data_type::text, is_nullable = 'NO' from information_schema.columns"
        " where table_schema = 'public' order by table_name, ordinal_position"
    )
    for table, name, kind, required in rows:
        found.setdefault(table, []).append((name, kind, required))
    return found
