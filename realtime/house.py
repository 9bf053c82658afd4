"""The house rules: what plugins have to say inside a store's transactions, put in the words of the operations."""

from __future__ import annotations

from collections.abc import Sequence

from realtime.builtin_wordings import FALLBACK
from realtime.hookspecs import JoinFacts, QueueFacts, StoreFacts, TicketFacts, TicketNotice
from realtime.keys import Keys
from realtime.model import Delivery, Queue, Ticket
from realtime.operations.changes import Moment, Rules
from realtime.registry import Registry


class House:
    """Hands out rules that know under which address this server was reached, for links in messages.

    Args:
        public_url: the address from the settings; empty when requests tell it.
    """

    def __init__(self, registry: Registry, keys: Keys, public_url: str, fallback: str) -> None:
        self._registry = registry
        self._keys = keys
        self._public_url = public_url
        self._last = public_url or fallback

    @property
    def base(self) -> str:
        """The public address, as far as it is known: from the settings, else as the last owner reached it."""
        return self._last

    def reached(self, base: str) -> None:
        """An owner reached this server at this address. Nobody else's word counts: it goes into everybody's codes and messages."""
        if not self._public_url:
            self._last = base

    def rules(self) -> Rules:
        return _Rules(self._registry, self._keys, self._last)


class _Rules:
    __slots__ = ("_base", "_keys", "_registry")

    def __init__(self, registry: Registry, keys: Keys, base: str) -> None:
        self._registry = registry
        self._keys = keys
        self._base = base

    def check(self, moment: Moment) -> str | None:
        if not self._registry.implements("check_join"):
            return None
        ticket = moment.ticket
        return self._registry.check_join(
            JoinFacts(
                store=_store(moment),
                queue=_queue(moment),
                name=ticket.name,
                phone=ticket.phone,
                email=ticket.email,
                party=ticket.party,
                waiting=moment.ahead,
                walk_in=ticket.walk_in,
                now_ms=moment.now_ms,
            )
        )

    def compose(self, moment: Moment) -> Sequence[Delivery]:
        if not self._registry.implements("compose_ticket_notice"):
            return ()
        ticket = moment.ticket
        link = f"{self._base}/t#{self._keys.ticket_token(moment.store_id, ticket.id)}"
        store_language = moment.language or FALLBACK
        notice = TicketNotice(
            moment=moment.kind,
            store=_store(moment),
            queue=_queue(moment),
            ticket=_ticket(ticket, moment.queue, moment.ahead),
            link=link,
            now_ms=moment.now_ms,
            language=ticket.language or store_language,
            store_language=store_language,
            texts=moment.texts,
            together=tuple(_ticket(each, queue) for queue, each in moment.together),
        )
        return self._registry.compose_ticket_notice(notice)


def _ticket(ticket: Ticket, queue: Queue, ahead: int = 0) -> TicketFacts:
    return TicketFacts(
        id=ticket.id,
        label=ticket.label,
        name=ticket.name,
        phone=ticket.phone,
        email=ticket.email,
        party=ticket.party,
        desk=ticket.desk,
        ahead=ahead,
        walk_in=ticket.walk_in,
        queue=queue.name,
        push=tuple(ticket.push.split()),
    )


def _store(moment: Moment) -> StoreFacts:
    return StoreFacts(id=moment.store_id, name=moment.store_name, timezone=moment.timezone)


def _queue(moment: Moment) -> QueueFacts:
    queue = moment.queue
    return QueueFacts(id=queue.id, name=queue.name, waiting_text=queue.waiting_text, end_text=queue.end_text)
