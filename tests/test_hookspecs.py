"""docs/hooks.md says what hookspecs.py says, and its examples run."""

from __future__ import annotations

import asyncio
import inspect
import re
import types
from pathlib import Path

import pytest

from notifiers import log
from realtime import hookspecs
from realtime.hookspecs import AccountNotice, Facts, Hooks, Retry, TicketFacts
from realtime.model import Delivery
from realtime.registry import Registry
from realtime.settings import Settings
from tests.plugins.facts import CLOSED, CLOSED_STORE, EVENT, JOIN, notice, outgoing

TEXT = (Path(__file__).parents[1] / "docs" / "hooks.md").read_text()
HOOKS = [name for name, function in inspect.getmembers(Hooks, inspect.isfunction) if hasattr(function, f"{hookspecs.PROJECT}_spec")]
FACTS = [kind for _, kind in inspect.getmembers(hookspecs, inspect.isclass) if issubclass(kind, Facts) and kind is not Facts]


def section(hook: str) -> str:
    found = re.search(rf"^## `{hook}`$(.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/hooks.md has no section on {hook}"
    return found[1]


def example(hook: str) -> types.ModuleType:
    """The example of a hook, run as a module."""
    found = re.search(r"```python\n(.*?)```", section(hook), re.DOTALL)
    assert found
    module = types.ModuleType(f"example_of_{hook}")
    exec(compile(found[1], f"docs/hooks.md, {hook}", "exec"), module.__dict__)
    return module


def load(hook: str, **settings: object) -> Registry:
    registry = Registry.load(Settings.defaults(**settings), [("log", log), ("example", example(hook))], group="nowserving.tests")
    assert {info.name: info.status for info in registry.plugins()}["example"].partition(":")[0] in ("active", "idle")
    return registry


def failures(registry: Registry) -> int:
    return sum(info.failures for info in registry.plugins())


def test_every_hook_has_a_section_and_every_section_a_hook() -> None:
    assert sorted(re.findall(r"^## `(\w+)`$", TEXT, re.MULTILINE)) == sorted(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_signature_is_the_one_in_the_code(hook: str) -> None:
    function = getattr(Hooks, hook)
    signature = inspect.signature(function)
    arguments = ", ".join(f"{one.name}: {one.annotation}" for one in signature.parameters.values() if one.name != "self")
    is_async = "async " if inspect.iscoroutinefunction(function) else ""

    assert f"```\n{is_async}{hook}({arguments}) -> {signature.return_annotation}\n```" in section(hook)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("said", ["Phase", "Errors", "Since"])
def test_phase_error_policy_and_age_are_those_in_the_code(hook: str, said: str) -> None:
    found = re.search(rf"^{said}: .*$", inspect.getdoc(getattr(Hooks, hook)) or "", re.MULTILINE)

    assert found, f"the docstring of {hook} has no line {said}:"
    assert f"- {found[0]}\n" in section(hook)


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: kind.__name__)
def test_every_fact_is_listed_with_all_its_fields(kind: type[Facts]) -> None:
    fields = ", ".join(f"`{field}`" for field in kind.__struct_fields__)

    assert f"| `{kind.__name__}` | {fields} |" in TEXT


@pytest.mark.parametrize(
    "kind", [hookspecs.Sent, hookspecs.Accepted, hookspecs.Retry, hookspecs.Permanent, hookspecs.Gone, hookspecs.Suppressed]
)
def test_every_outcome_is_explained(kind: type) -> None:
    fields = ", ".join(inspect.signature(kind).parameters)

    row = re.search(rf"^\| `{kind.__name__}\((.*?)\)` \|", TEXT, re.MULTILINE)
    assert row
    assert re.sub(r"=[^,)]*", "", row[1]) == fields


# ---- the examples -------------------------------------------------------------------------------------------------


def test_the_example_of_register_notifiers_runs() -> None:
    registry = load("register_notifiers")

    outcome = asyncio.run(registry.deliver(outgoing(Delivery("pager", "Bo", "joined", {}))))

    assert outcome == Retry("The pager was switched off.", 30)
    assert load("register_notifiers", log_level="error").plugins()[0].status == "idle: nobody wants to be paged"


def test_the_example_of_check_join_runs() -> None:
    crowded = hookspecs.JoinFacts(store=JOIN.store, queue=JOIN.queue, name="Ann", waiting=40)

    assert load("check_join").check_join(JOIN) is None
    assert load("check_join").check_join(crowded) == "The line is very long tonight. Please ask the staff."


def test_the_example_of_compose_ticket_notice_runs() -> None:
    registry = load("compose_ticket_notice")

    assert registry.compose_ticket_notice(notice("called")) == []
    (owed,) = registry.compose_ticket_notice(notice("called", TicketFacts(id=7, label="A07", name="Ann", party=9)))
    assert owed.moment == "large_party"


def test_the_example_of_compose_store_closed_runs() -> None:
    assert "busy_evening" in [owed.moment for owed in load("compose_store_closed").compose_store_closed(CLOSED)]


def test_the_example_of_compose_account_notice_runs() -> None:
    owed = load("compose_account_notice").compose_account_notice(AccountNotice(moment="email_changed", email="luigi@example.com"))

    assert [each.notifier for each in owed] == ["log"]


def test_the_example_of_compose_report_runs() -> None:
    (file,) = load("compose_report").compose_report(CLOSED_STORE)

    assert file.header() + file.rows([]) + file.footer() == "end\n"


def test_the_example_of_on_event_runs(capsys: pytest.CaptureFixture[str]) -> None:
    registry = load("on_event")
    called = hookspecs.EventFacts(**{field: getattr(EVENT, field) for field in EVENT.__struct_fields__} | {"change": "called"})

    asyncio.run(registry.on_event(called))

    assert failures(registry) == 0
    assert capsys.readouterr().out == "A07 {}\n"
