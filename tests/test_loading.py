"""Plugins are found, checked and listed; one that cannot be loaded is named and leaves nothing behind."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notifiers import csv_report, email, html_report, json_report, log, sms, web_push, webhook
from plugins import echo, journal, party_size, service
from realtime.hookspecs import Idle, Notifier, hookimpl
from realtime.registry import PluginInfo, Registry
from realtime.settings import Settings
from tests.plugins.facts import JOIN, notice
from tests.plugins.office import GROUP, PostOffice, Says, load

BUILT_IN = (
    ("csv_report", csv_report), ("echo", echo), ("email", email), ("html_report", html_report), ("journal", journal), ("json_report", json_report),
    ("log", log), ("party_size", party_size), ("service", service), ("sms", sms), ("web_push", web_push), ("webhook", webhook),
)  # fmt: skip
THIEF = """
from realtime.hookspecs import hookimpl
class Post:
    name = "post"
    async def deliver(self, delivery): pass
@hookimpl
def register_notifiers(): return [Post()]
"""
OFFICE = THIEF
"""The same: whoever comes first has the name."""
ROOT = Path(__file__).parents[1]

Install = Callable[..., None]


def status(registry: Registry, name: str) -> str:
    (info,) = [info for info in registry.plugins() if info.name == name]
    return info.status


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package with one plugin where Python finds it, as pip would."""
    before = set(sys.modules)

    def put(name: str, source: str, distribution: str = "") -> None:
        module = f"installed_{name}"
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{distribution or module}-1.2.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution or module}\nVersion: 1.2.3\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {module}\n")

    monkeypatch.syspath_prepend(str(tmp_path))
    yield put
    for module in set(sys.modules) - before:
        if module.startswith("installed_"):
            del sys.modules[module]


# ---- found and listed ---------------------------------------------------------------------------------------------


def test_an_installed_package_is_found_with_its_version_and_hooks(install: Install) -> None:
    install("bell", "from realtime.hookspecs import hookimpl\n@hookimpl\ndef on_event(event): pass\n")

    assert load().plugins() == [PluginInfo("bell", "1.2.3", ("on_event",), "active")]


def test_plugins_are_listed_and_called_by_name_however_they_were_installed(install: Install) -> None:
    for name in ("zebra", "ant", "mole"):
        install(name, f"from realtime.hookspecs import hookimpl\n@hookimpl\ndef check_join(): return 'no, says {name}'\n")

    registry = load(("bee", Says("no, says bee")))

    assert [info.name for info in registry.plugins()] == ["ant", "bee", "mole", "zebra"]
    assert registry.check_join(JOIN) == "no, says ant"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import nowhere_to_be_found", "it cannot be imported: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise SystemExit(3)", "it cannot be imported: SystemExit: 3"),
        ("raise BaseException('no')", "it cannot be imported: BaseException: no"),
        ("def f(): f()\nf()", "it cannot be imported: RecursionError"),
        ("x = (", "it cannot be imported: SyntaxError"),
        ("x = 1", "it implements no hook"),
        (
            "from realtime.hookspecs import hookimpl\n@hookimpl\ndef on_evnt(event): pass",
            "there is no hook 'on_evnt'; did you mean 'on_event'?",
        ),
        (
            "from realtime.hookspecs import hookimpl\n@hookimpl\ndef on_event(evnt): pass",
            "{'evnt'} are declared in the hookimpl but can not be found",
        ),
        ("from realtime.hookspecs import hookimpl\n@hookimpl\nasync def check_join(join): pass", "check_join is async"),
        (
            "from realtime.hookspecs import hookimpl\n@hookimpl(wrapper=True)\ndef check_join(join): return (yield)",
            "check_join is a wrapper",
        ),
        (
            "from realtime.hookspecs import hookimpl\n@hookimpl\ndef register_notifiers(): raise SystemExit",
            "raised SystemExit at installed_bad.py:3",
        ),
        (
            "from realtime.hookspecs import hookimpl\n@hookimpl\ndef register_notifiers(): return 'email'",
            "returned str instead of a list of Notifier",
        ),
        (
            "from realtime.hookspecs import hookimpl\n@hookimpl\ndef register_notifiers(): return [object()]",
            "returned object instead of a Notifier",
        ),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named_with_the_reason_and_the_others_work(
    install: Install, caplog: pytest.LogCaptureFixture, source: str, why: str
) -> None:
    install("bad", source)

    registry = load(("good", Says("no")))

    assert status(registry, "bad").startswith("failed: ")
    assert why in status(registry, "bad")
    assert "The plugin bad 1.2.3 takes no part" in caplog.text
    assert registry.check_join(JOIN) == "no"


def test_an_unknown_hook_that_is_marked_optional_is_no_failure(install: Install) -> None:
    source = "from realtime.hookspecs import hookimpl\n@hookimpl\ndef check_join(): pass\n@hookimpl(optionalhook=True)\ndef of_tomorrow(x): pass\n"
    install("new", source)

    assert load().plugins() == [PluginInfo("new", "1.2.3", ("check_join",), "active")]


def test_a_plugin_that_fails_while_it_registers_leaves_nothing_behind() -> None:
    class Half(PostOffice):
        @hookimpl
        def register_notifiers(self, settings: Settings) -> list[Notifier] | Idle:
            raise RuntimeError

    registry = load(("half", Half()))

    assert registry.notifiers() == frozenset()
    assert registry.compose_ticket_notice(notice()) == []


def test_a_name_is_taken_once_and_what_is_built_in_wins(install: Install) -> None:
    install("says", "from realtime.hookspecs import hookimpl\n@hookimpl\ndef check_join(): return 'no, says the other'\n")

    registry = load(("says", Says("no, says the first")))

    assert [info.status.partition(":")[0] for info in registry.plugins()] == ["active", "failed"]
    assert registry.check_join(JOIN) == "no, says the first"


def test_a_notifier_cannot_be_taken_over(install: Install) -> None:
    install("aaa", THIEF)

    registry = load(("office", PostOffice()))

    assert status(registry, "aaa") == "failed: the notifier 'post' is there already, from the plugin 'office'"
    assert status(registry, "office") == "active"


def test_a_plugin_that_is_turned_off_is_not_even_imported(install: Install) -> None:
    install("bad", "raise AssertionError('imported')")

    registry = load(("says", Says("no")), plugins_off=["bad", "says"])

    assert {info.name: info.status for info in registry.plugins()} == {"bad": "off", "says": "off"}
    assert registry.check_join(JOIN) is None


def test_a_slip_in_plugins_off_is_told(caplog: pytest.LogCaptureFixture) -> None:
    load(("journal", Says(None)), plugins_off=["jornal"])

    assert "plugins_off names 'jornal', but there is no such plugin; did you mean 'journal'?" in caplog.text


def test_an_idle_plugin_says_why_and_is_left_alone() -> None:
    class Quiet(PostOffice):
        @hookimpl
        def register_notifiers(self, settings: Settings) -> list[Notifier] | Idle:
            return Idle("no bell is set up")

    registry = load(("quiet", Quiet()))

    assert status(registry, "quiet") == "idle: no bell is set up"
    assert registry.compose_ticket_notice(notice()) == []


def test_what_is_built_in_loads_and_says_what_it_misses() -> None:
    registry = load(*BUILT_IN)

    assert {info.name: info.status for info in registry.plugins()} == {
        "csv_report": "active",
        "echo": "active",
        "email": "idle: smtp_url is not set",
        "html_report": "active",
        "journal": "idle: log_changes is not set",
        "json_report": "idle: report_files does not name jsonl",
        "log": "active",
        "party_size": "active",
        "service": "idle: neither job_service_url nor job_service_hosts is set",
        "sms": "idle: sms_url is not set",
        "web_push": "idle: neither mail_from nor a public_url with https is set, and push services want to know whom they can ask",
        "webhook": "active",
    }


def test_everything_in_plugins_and_notifiers_is_found_by_an_entry_point() -> None:
    said = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["nowserving"]
    there = {
        path.stem: f"{folder}.{path.stem}"
        for folder in ("notifiers", "plugins")
        for path in (ROOT / folder).iterdir()
        if (path / "__init__.py").exists() or (path.suffix == ".py" and path.stem != "__init__")
    }

    assert said == there == {name: str(getattr(plugin, "__name__", "")) for name, plugin in BUILT_IN}


def test_nothing_takes_a_name_from_nowserving_itself(install: Install) -> None:
    """Its own plugins are found by entry points too, and come first whatever their names are."""
    install("aaa", THIEF)
    install("office", OFFICE, distribution="nowserving")

    registry = load()

    assert status(registry, "aaa") == "failed: the notifier 'post' is there already, from the plugin 'office'"
    assert status(registry, "office") == "active"


def test_every_hook_is_used_by_something_built_in() -> None:
    registry = load(*BUILT_IN, smtp_url="smtp://127.0.0.1", mail_from="queue@example.com", sms_url="json://127.0.0.1/{to}")

    assert {hook for info in registry.plugins() for hook in info.hooks} == {
        "register_handlers",
        "register_notifiers",
        "check_join",
        "compose_ticket_notice",
        "compose_store_closed",
        "compose_account_notice",
        "compose_report",
        "on_event",
    }
