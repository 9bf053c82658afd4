"""How processes hear of each other: one contract, the same suite of tests, and Postgres or Valkey/Redis in between."""

from __future__ import annotations

from realtime.broker.contract import Broker, Hears, NoBroker
from realtime.broker.postgres import PostgresBroker
from realtime.broker.valkey import ValkeyBroker

__all__ = ["Broker", "Hears", "NoBroker", "PostgresBroker", "ValkeyBroker"]
