"""Who listens over plain HTTP: what an event stream and a poll have in common with the socket, asked by headers and query."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct

from realtime.errors import InvalidInput, StoreClosed, StoreNotFound, TicketNotFound
from realtime.web.addresses import header
from realtime.web.cases import Granted
from realtime.web.endpoint import Call, bearer
from realtime.web.held import shown
from realtime.web.problems import CrossSite

REFUSALS = (CrossSite, StoreClosed, StoreNotFound, TicketNotFound, InvalidInput)
MOST_TOPICS = 16
_POSITION = re.compile(r"([A-Za-z0-9_-]{1,64}):(\d{1,16})")

Topics = Annotated[
    str, Meta(max_length=2600, description="Topics of one store, with commas between them; left out: all that the token names.")
]
Topic = Annotated[str, Meta(min_length=1, max_length=160, description="One of the topics of GET /v1/live/topics.")]
Since = Annotated[str, Meta(max_length=81, description="`epoch:seq` of the last event that was heard.")]


class Hears(Struct, frozen=True, rename={"as_": "as"}):
    """Who a token stands for, and what it may hear."""

    as_: str
    """"owner", "ticket" or "board"."""
    store_id: str
    topics: tuple[str, ...]
    expires_ms: int
    """When a fresh token is needed; 0: never."""


def hears(granted: Granted) -> Hears:
    return Hears(granted.kind, granted.store_id, granted.topics, granted.expires_ms)


async def signed_in(call: Call[None]) -> Granted:
    """What the asker may hear, by the token in Authorization that would open a socket, or by the phone's ticket cookie.

    Raises:
        CrossSite: a page of another site asks.
        NotSignedIn, StoreClosed, StoreNotFound, TicketNotFound
    """
    refuse_other_pages(call)
    token = bearer(call.scope)
    if token is None:
        _, ticket = await shown(call.context.reception, call.tickets, call.public_base)
        token = ticket.live_token
    return await call.context.live.authenticate(token)


def refuse_other_pages(call: Call[None]) -> None:
    """As at the socket's handshake: pages of this server may listen, and programs, which send neither header. Raises: CrossSite."""
    if header(call.scope, b"sec-fetch-site") not in {None, "same-origin", "none"}:
        raise CrossSite
    origins = [value.decode("latin-1") for key, value in call.scope["headers"] if key == b"origin"]
    if origins and not (len(origins) == 1 and call.context.own_origin(origins[0], call.scope)):
        raise CrossSite


def topics_of(asked: str, granted: Granted) -> tuple[str, ...]:
    """The topics that were asked for. Raises: InvalidInput: too many, none, one that names no store, or not of one store."""
    topics = tuple(dict.fromkeys(asked.split(","))) if asked else granted.topics
    if not topics:
        raise InvalidInput("There is no store to hear of. Open one, or name a topic.", field="topic")
    if len(topics) > MOST_TOPICS:
        raise InvalidInput(f"Ask for at most {MOST_TOPICS} topics.", field="topic")
    store_ids = {topic.partition("/")[2].partition("/")[0] for topic in topics}
    if "" in store_ids:
        raise InvalidInput("There is no such topic. GET /v1/live/topics says which there are for this token.", field="topic")
    if len(store_ids) > 1:
        raise InvalidInput("Ask for the topics of one store at a time.", field="topic")
    return topics


def position(text: str) -> tuple[str, int] | None:
    """`epoch:seq` as the two; None when it is nothing of ours, which means: not known."""
    found = _POSITION.fullmatch(text.strip())
    return (found[1], int(found[2])) if found else None
