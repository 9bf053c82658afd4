"""Plugins for tests: one that brings a notifier, one that always says the same; and how to load them."""

from __future__ import annotations

import asyncio
from typing import Any

from realtime.hookspecs import Accepted, AccountNotice, Idle, JoinFacts, Notifier, OutgoingDelivery, TicketNotice, hookimpl
from realtime.model import Delivery
from realtime.registry import Registry
from realtime.settings import Settings

GROUP = "nowserving.tests"
"""No installed package offers anything here."""


def load(*builtin: tuple[str, object], group: str = GROUP, **settings: Any) -> Registry:
    return Registry.load(Settings.defaults(**settings), builtin, group=group)


async def load_async(*builtin: tuple[str, object]) -> Registry:
    """Loading reads the disk."""
    return await asyncio.to_thread(load, *builtin)


class Post:
    """A notifier that keeps what it is given."""

    def __init__(self, name: str = "post") -> None:
        self.name = name
        self.given: list[OutgoingDelivery] = []
        self.closed = False

    async def deliver(self, delivery: OutgoingDelivery) -> Accepted:
        self.given.append(delivery)
        return Accepted("42")

    async def close(self) -> None:
        self.closed = True


class PostOffice:
    """A plugin that brings the notifier `post` and owes something for everything."""

    def __init__(self) -> None:
        self.post = Post()

    @hookimpl
    def register_notifiers(self, settings: Settings) -> list[Notifier] | Idle:
        assert settings.store_hours
        return [self.post]

    @hookimpl
    def compose_ticket_notice(self, notice: TicketNotice) -> Delivery:
        return Delivery(notifier="post", recipient=notice.ticket.name, moment=notice.moment, body={"label": notice.ticket.label})

    @hookimpl
    def compose_account_notice(self, notice: AccountNotice) -> list[Delivery]:
        return [Delivery(notifier="post", recipient=notice.email, moment=notice.moment, body={})]

    @hookimpl
    def compose_store_closed(self) -> list[Delivery]:
        return [Delivery(notifier="post", recipient="owner", moment="store_closed", body={}, needs_report=True)]


class Says:
    """A plugin whose hook `check_join` answers always the same."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    @hookimpl
    def check_join(self, join: JoinFacts) -> object:
        return self.answer


class Brings:
    """A plugin that brings one notifier, made elsewhere."""

    def __init__(self, notifier: Notifier) -> None:
        self.notifier = notifier

    @hookimpl
    def register_notifiers(self) -> list[Notifier]:
        return [self.notifier]
