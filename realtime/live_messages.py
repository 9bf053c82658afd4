"""What the live socket tells, as types: docs/protocol.md in a form that programs read.

They describe; the bytes themselves are put together in events.py and protocol.py, once for everybody.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from realtime.ladder import Ladder
from realtime.messages import (
    CodeView,
    OwnerSnapshot,
    OwnerTicket,
    OwnTicket,
    PublicSnapshot,
    PublicTicket,
    QueueView,
    QuietHours,
    StoreView,
)

SUBPROTOCOL = "nowserving.v1"

Epoch = Annotated[str, Meta(description="Which history `seq` counts; another one after a backup was restored.")]
Seq = Annotated[int, Meta(ge=0, description="The store's event up to which this is true.")]
AtMs = Annotated[int, Meta(ge=0, description="When it happened, milliseconds UTC.")]

TicketMove = Literal["joined", "called", "recalled", "serving", "done", "no_show", "returned", "undone", "left", "removed"]
StaffChange = Literal["notified", "seen", "not_reached"]
QueueChange = Literal["queue_added", "queue_changed"]
StoreChange = Literal["opened", "store_changed", "closing", "reported", "settled", "purged"]


class Told(Struct, frozen=True):
    """What the server says. A later version may add fields, so nothing here is said to be all there is."""


# ---- pushes -------------------------------------------------------------------------------------------------------


class Tick(Told, frozen=True):
    """Something happened that this topic does not see; its `seq` counts all the same."""

    topic: str
    seq: Seq
    at_ms: AtMs


class OwnerTicketChanged(Tick, frozen=True, kw_only=True):
    """A ticket is now as given."""

    change: TicketMove | StaffChange
    ticket: OwnerTicket
    pace_ms: int | UnsetType = UNSET
    """With a call: its queue's milliseconds between two calls."""


class PublicTicketChanged(Tick, frozen=True, kw_only=True):
    """A ticket is now as given, as everybody may see it."""

    change: TicketMove
    ticket: PublicTicket
    pace_ms: int | UnsetType = UNSET
    """With a call: its queue's milliseconds between two calls."""


class QueueChanged(Tick, frozen=True, kw_only=True):
    """A queue is now as given."""

    change: QueueChange
    queue: QueueView


class OwnStoreView(StoreView, frozen=True):
    """What the owner sees of a store, but for its `board_link`, which never changes."""

    almost_at: int
    board_code: bool
    ladder: Ladder
    quiet_hours: QuietHours


class OwnerStoreChanged(Tick, frozen=True, kw_only=True):
    """The store is now as given."""

    change: StoreChange
    store: OwnStoreView


class PublicStoreChanged(Tick, frozen=True, kw_only=True):
    """The store is now as given, as everybody may see it."""

    change: StoreChange
    store: StoreView


class CodeShown(Tick, frozen=True, kw_only=True):
    """A new join code is on show; on owner topics, and on board topics where the owner lets boards show it."""

    change: Literal["code_shown"]
    code: CodeView


class OwnTicketChanged(Tick, frozen=True, kw_only=True):
    """A party's own ticket is now as given. `seq` jumps on ticket topics, for the pushes of others are left out."""

    own: OwnTicket


PUSHES: tuple[type[Tick], ...] = (
    OwnerTicketChanged, PublicTicketChanged, QueueChanged, OwnerStoreChanged, PublicStoreChanged, CodeShown, OwnTicketChanged, Tick,
)  # fmt: skip


# ---- whole states -------------------------------------------------------------------------------------------------


class Standing(Told, frozen=True):
    topic: str
    epoch: Epoch
    seq: Seq


class OwnerState(Standing, frozen=True, kw_only=True):
    """The whole store as its owner sees it, read at one moment with its `seq`."""

    recovered: Literal[False]
    snapshot: OwnerSnapshot


class PublicState(Standing, frozen=True, kw_only=True):
    """The whole store as customers and boards see it, read at one moment with its `seq`."""

    recovered: Literal[False]
    snapshot: PublicSnapshot


class OwnTicketState(Standing, frozen=True, kw_only=True):
    """A party's own ticket, read at one moment with its `seq`."""

    recovered: Literal[False]
    snapshot: OwnTicket


class ConflatedOwnerState(Standing, frozen=True, kw_only=True):
    """The whole store in place of the pushes that a slow reader did not take; its `seq` may jump."""

    conflated: Literal[True]
    snapshot: OwnerSnapshot


class ConflatedPublicState(Standing, frozen=True, kw_only=True):
    """The same for customers and boards."""

    conflated: Literal[True]
    snapshot: PublicSnapshot


class ConflatedOwnTicketState(Standing, frozen=True, kw_only=True):
    """The same for a party's own ticket."""

    conflated: Literal[True]
    snapshot: OwnTicket


class Replay(Standing, frozen=True, kw_only=True):
    """Every event since the client's `since`, in order, each as the push that it missed."""

    recovered: Literal[True]
    events: list[Tick]


STATES: tuple[type[Standing], ...] = (OwnerState, PublicState, OwnTicketState)
CONFLATED: tuple[type[Standing], ...] = (ConflatedOwnerState, ConflatedPublicState, ConflatedOwnTicketState)


# ---- replies and goodbyes -----------------------------------------------------------------------------------------


class Nothing(Told, frozen=True):
    """Done; there is nothing to say about it."""


class Refusal(Told, frozen=True):
    """Why a command was refused; nothing was changed."""

    code: str
    """One of the error codes."""
    message: str
    """A sentence for people."""
    retry: bool
    """Whether the same command may succeed later."""
    field: str | None
    """Dotted path of the value that is wrong, where there is one."""


class Looking(Told, frozen=True):
    """Who looks at a store, counted over all processes."""

    topic: str
    """The owner topic that hears it."""
    public: Annotated[int, Meta(ge=0, description="Phones, and whatever else follows the line.")]
    boards: Annotated[int, Meta(ge=0)]
    owners: Annotated[int, Meta(ge=0)]
    open: list[int]
    """Tickets whose page is open."""
    all: bool
    """Whether those are all of them."""


class Presence(Told, frozen=True):
    """Who looks has changed; it has no `seq`, for nothing is missed that the next one does not say."""

    presence: Looking


class Goodbye(Told, frozen=True):
    """The socket is about to be closed on purpose."""

    code: int
    """The close code that will follow."""
    after_ms: Annotated[int, Meta(ge=0, description="When to come back; each socket is told another moment.")]


class Disconnect(Told, frozen=True):
    """Comes before a planned end."""

    disconnect: Goodbye
