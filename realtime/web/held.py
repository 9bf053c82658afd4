"""The tickets a phone holds: the one it shows, and whether one of them is still in a store's line."""

from __future__ import annotations

import msgspec

from realtime.errors import NotFound, StoreClosed, TicketNotFound
from realtime.messages import OwnTicket
from realtime.model import LIVE
from realtime.web.cases import Reception


async def shown(reception: Reception, tokens: tuple[str, ...], base: str) -> tuple[str, OwnTicket]:
    """The newest ticket that still exists, with its secret: the one that was joined with, or asked for by its link, last.

    Its `others` are those of this phone's other tickets that are in the same store's line.

    Raises:
        TicketNotFound: none of them exists any more.
    """
    if not tokens:
        raise TicketNotFound("There is no ticket on this phone. Scan the code on the screen to get one.")
    found: tuple[str, OwnTicket] | None = None
    others: list[str] = []
    closed: StoreClosed | None = None
    for token in tokens:
        try:
            ticket = await reception.own_ticket(token, base=base)
        except StoreClosed as error:
            closed = error
            continue
        except NotFound:
            continue
        if found is None:
            found = token, ticket
        elif ticket.store.id == found[1].store.id and ticket.state in LIVE:
            others.append(ticket.label)
    if found is None:
        if closed:
            raise TicketNotFound(closed.message) from closed
        raise TicketNotFound
    return found[0], msgspec.structs.replace(found[1], others=others)


async def labelled(reception: Reception, tokens: tuple[str, ...], label: str, base: str) -> str:
    """The secret of the ticket with this label.

    Raises:
        TicketNotFound: the phone holds no such ticket.
    """
    for token in tokens:
        try:
            if (await reception.own_ticket(token, base=base)).label == label:
                return token
        except (NotFound, StoreClosed):
            continue
    raise TicketNotFound


async def in_line(reception: Reception, tokens: tuple[str, ...], store_id: str, base: str) -> bool:
    """Whether one of the tickets is in this store's line."""
    for token in tokens:
        try:
            ticket = await reception.own_ticket(token, base=base)
        except (NotFound, StoreClosed):
            continue
        if ticket.store.id == store_id and ticket.state in LIVE:
            return True
    return False
