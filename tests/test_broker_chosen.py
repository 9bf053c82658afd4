"""Which broker the settings mean, and which they cannot."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from realtime.app import make_broker
from realtime.broker import Hears, NoBroker, PostgresBroker, ValkeyBroker
from realtime.errors import BadSettings, CannotStart
from realtime.keys import Keys
from realtime.settings import Settings

POSTGRES = {"database_url": "postgresql://h/d"}
REDIS = {"redis_url": "redis://h"}
KEYS = Keys("s" * 32)


@pytest.mark.parametrize(
    ("own", "kind"),
    [
        ({}, NoBroker),
        ({"broker": "none"}, NoBroker),
        (POSTGRES, PostgresBroker),
        ({**POSTGRES, **REDIS}, ValkeyBroker),
        ({**POSTGRES, **REDIS, "broker": "redis"}, ValkeyBroker),
        ({**POSTGRES, **REDIS, "broker": "postgres"}, PostgresBroker),
        ({**POSTGRES, **REDIS, "broker": "none"}, NoBroker),
        ({**POSTGRES, "broker": "none"}, NoBroker),
        (REDIS, NoBroker),  # with SQLite there is one process
    ],
)
def test_the_broker_is_the_one_that_was_chosen_or_the_one_there_is(own: dict[str, Any], kind: type) -> None:
    assert type(make_broker(Settings.defaults(**own), KEYS, Hears())) is kind


def test_without_the_package_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "redis.asyncio", raising=False)

    with pytest.raises(CannotStart, match=r"pip install 'nowserving\[redis\]'"):
        make_broker(Settings.defaults(**POSTGRES, **REDIS), KEYS, Hears())


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"broker": "redis", **POSTGRES}, 'broker: is "redis", but redis_url is empty; set REDIS_URL'),
        ({"broker": "redis", "redis_url": "redis://h"}, 'broker: is "redis", but SQLite serves one process'),
        ({"broker": "postgres"}, 'broker: is "postgres", but SQLite serves one process'),
        ({"broker": "none", **POSTGRES, "web_concurrency": 2}, 'broker: is "none", but web_concurrency is 2'),
        ({"broker": "kafka"}, 'broker: cannot be "kafka"; write auto, none, postgres or redis'),
    ],
)
def test_a_broker_that_cannot_join_the_processes_is_refused_in_one_sentence(own: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSettings) as caught:
        Settings.defaults(**own)

    (fault,) = caught.value.message.splitlines()

    assert fault.startswith(said)


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"broker": "none"},
        {"broker": "none", "web_concurrency": 4},  # SQLite: one process runs
        {"broker": "none", **POSTGRES},
        {"broker": "postgres", **POSTGRES, "web_concurrency": 4},
        {"broker": "redis", **POSTGRES, "redis_url": "redis://h", "web_concurrency": 4},
    ],
)
def test_a_broker_that_fits_is_taken(own: dict[str, Any]) -> None:
    assert Settings.defaults(**own).broker == own.get("broker", "auto")


def test_a_valkey_that_is_there_and_not_used_is_noted() -> None:
    (note,) = Settings.defaults(broker="postgres", **POSTGRES, redis_url="redis://h").notes

    assert note == 'redis_url is set, but broker is "postgres", so it is not used.'
