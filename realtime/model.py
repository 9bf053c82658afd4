"""The things a store is made of, their states, and the table of legal moves."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct


class StoreState(StrEnum):
    """A store's life, in this order only."""

    OPEN = "open"
    CLOSING = "closing"
    REPORTED = "reported"
    SETTLED = "settled"
    PURGED = "purged"


class TicketState(StrEnum):
    WAITING = "waiting"
    CALLED = "called"
    SERVING = "serving"
    DONE = "done"
    NO_SHOW = "no_show"
    LEFT = "left"
    REMOVED = "removed"


LIVE = frozenset({TicketState.WAITING, TicketState.CALLED, TicketState.SERVING})
"""The states in which a party is still in the store's hands."""


class CodeState(StrEnum):
    FRESH = "fresh"
    SCANNED = "scanned"
    USED = "used"


class JobState(StrEnum):
    """A job waits, is held by one lease at a time, and ends in one of the last four states."""

    WAITING = "waiting"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class OnKey(StrEnum):
    """What becomes of a job whose key stands for an earlier one."""

    KEEP = "keep"
    """The earlier one stands as it is, also when it is done: one for each window."""
    REPLACE = "replace"
    """The earlier one says what this one says, if it still waits, and keeps its turn: of many only the last matters."""
    POSTPONE = "postpone"
    """The same, and it waits as long as this one would, but not past the window: nothing is done while more keep coming."""


class Action(StrEnum):
    """What can be done to a ticket, by its party (leave) or by the staff (the rest)."""

    CALL = "call"
    RECALL = "recall"
    SERVE = "serve"
    DONE = "done"
    NO_SHOW = "no_show"
    RETURN = "return"
    REMOVE = "remove"
    LEAVE = "leave"


MOVES: dict[Action, tuple[frozenset[TicketState], TicketState]] = {
    Action.CALL: (frozenset({TicketState.WAITING}), TicketState.CALLED),
    Action.RECALL: (frozenset({TicketState.CALLED}), TicketState.CALLED),
    Action.SERVE: (frozenset({TicketState.WAITING, TicketState.CALLED}), TicketState.SERVING),
    Action.DONE: (frozenset({TicketState.SERVING, TicketState.CALLED}), TicketState.DONE),
    Action.NO_SHOW: (frozenset({TicketState.CALLED}), TicketState.NO_SHOW),
    Action.RETURN: (frozenset(TicketState) - {TicketState.WAITING}, TicketState.WAITING),
    Action.REMOVE: (LIVE, TicketState.REMOVED),
    Action.LEAVE: (frozenset({TicketState.WAITING, TicketState.CALLED}), TicketState.LEFT),
}
"""The table of legal moves: from which states an action is allowed, and where it leads.

RETURN undoes every other move: the party stands at its old place again.
"""

CHANGES: dict[Action, str] = {
    Action.CALL: "called",
    Action.RECALL: "recalled",
    Action.SERVE: "serving",
    Action.DONE: "done",
    Action.NO_SHOW: "no_show",
    Action.RETURN: "returned",
    Action.REMOVE: "removed",
    Action.LEAVE: "left",
}
"""What an action is called once it has happened: the `change` of its event."""


def label(queue: str, number: int) -> str:
    """The number a party sees: the queue's letter and at least two digits, "A07", "A117"."""
    return f"{queue}{number:02d}"


class Account(Struct, frozen=True):
    """An owner's login. Outlives every store."""

    id: str
    email: str
    confirmed: bool
    """Whether the owner has proved that the address is theirs."""
    created_ms: int


class Queue(Struct, frozen=True):
    """One line of waiting people in a store."""

    id: str
    """The letter that its numbers begin with."""
    name: str
    waiting_text: str
    """Shown to those who wait."""
    end_text: str
    """Shown to those who reached the end of the queue."""
    paused: bool
    pace_ms: int
    """Milliseconds between two calls, smoothed over the evening; 0 while unknown."""
    logo: str
    """Version of the queue's logo (part of its address), empty when it has none."""


class Store(Struct, frozen=True):
    """One opening of one shop."""

    id: str
    account_id: str
    name: str
    description: str
    timezone: str
    state: StoreState
    epoch: str
    """Changes when recorded history may have been lost, so that nobody resumes from the wrong past."""
    seq: int
    almost_at: int
    """At this place in line a party is told that it is almost their turn; 0 tells nobody."""
    board_code: bool
    """Whether the public board shows the QR code."""
    accent: str
    """The store's colour as #rrggbb."""
    opened_ms: int
    closes_ms: int
    """When it closes by itself."""
    ladder: str = ""
    """How a called party is reached, as JSON; empty: everything at once. See `ladder.kept`."""
    quiet_hours: str = ""
    """When guests are written nothing but that they are called, "22:00-08:00" by the store's clock; empty: never."""


class Ticket(Struct, frozen=True):
    """One party's place in a queue. `id` is the store's `seq` at which it joined."""

    id: int
    queue: str
    number: int
    name: str
    phone: str
    email: str
    party: int
    state: TicketState
    desk: str
    place: int
    """Order within the queue: the smallest waits at the front."""
    walk_in: bool
    calls: int
    joined_ms: int
    called_ms: int
    served_ms: int
    ended_ms: int
    notices: str = ""
    """How its notifications went, as a JSON list; empty while there is none."""
    push: str = ""
    """The ids of its push subscriptions, with spaces between them."""
    language: str = ""
    """What the party reads, as a primary tag of BCP 47; empty where it did not say."""
    seen_ms: int = 0
    """When its page showed the present call; 0: not yet."""
    unreached_ms: int = 0
    """When the staff were told that the present call was seen nowhere; 0: they were not."""
    was: str = ""
    """What it was before each of its moves since it stood in line, as a JSON list, the last move's last: what an undo goes back to."""

    @property
    def label(self) -> str:
        return label(self.queue, self.number)


class Notice(Struct, frozen=True):
    """How a notification to a party went."""

    by: str
    """The notifier: "sms", "email" ..."""
    moment: str
    """"joined", "almost" or "called"."""
    state: str
    """"sent", "accepted" (a provider has it), "captured" (nothing leaves this server), "delivered" or "undelivered" (so it tells), "retrying",
    "failed", "late" or "suppressed"."""
    at_ms: int
    why: str
    """Why it was not sent, or not yet; names nobody."""


class Code(Struct, frozen=True):
    """What the QR shows now."""

    number: int
    expires_ms: int


class Event(Struct, frozen=True):
    """One committed change of a store. `owner` and `public` are JSON objects; both are absolute, keyed upserts."""

    store_id: str
    seq: int
    at_ms: int
    kind: str
    """"ticket", "queue", "store" or "code"."""
    owner: str
    public: str


class Delivery(Struct, frozen=True):
    """One notification to one recipient over one channel, as a plugin owes it."""

    notifier: str
    """Name of the notifier that will carry it."""
    recipient: str
    moment: str
    """"joined", "almost", "called", "store_closed", "confirm_email", "reset_password" ..."""
    body: dict[str, str | int | bool]
    """Everything that its text is made of."""
    not_after_ms: int = 0
    """Dropped, not sent, after this time; 0: never too late."""
    needs_report: bool = False
    """Whether the store's report files go with it; the store's data is kept until such deliveries have settled."""
    not_before_ms: Annotated[int, Meta(ge=0, lt=253_402_300_800_000)] = 0
    """Not sent before this time; 0: at once."""
    unless_seen: bool = False
    """For "called": dropped once the party's own page has shown the call, or it is not called any more."""


class Job(Struct, frozen=True):
    """A row of durable work, as its worker holds it."""

    store_id: str
    id: str
    delivery: Delivery
    attempts: int
    """How often it was claimed, this time included."""
    lease: str
    created_ms: int
    ready_ms: int = 0
    """When it could first have been taken."""
    ticket_id: int = 0
    """The ticket that it is about; 0 when it is about none."""
    called_ms: int = 0
    """The call that it is about, where it is dropped once that was seen; else 0."""


class Endpoint(Struct, frozen=True):
    """Where a webhook's events go, and what signs them."""

    url: str
    secrets: tuple[str, ...]
    """"whsec_" (HMAC) or "whsk_" (Ed25519) and base64; the newest first, with the one before it while that is still good."""


class Subscription(Struct, frozen=True):
    """A browser that asked to be notified (RFC 8030, RFC 8291). Secret: whoever knows it can send to that browser."""

    id: str
    """Made of the endpoint, and no secret."""
    endpoint: str
    """The address at the browser's push service."""
    p256dh: str
    """The browser's public key: base64url of an uncompressed point on P-256, 65 bytes."""
    auth: str
    """Base64url of 16 bytes."""


class MadeFile(Struct, frozen=True):
    """A report file, as it was made."""

    name: str
    media_type: str
    tickets: int
    bytes: int
    sha256: str
    about: str = ""
    """One sentence for the owner: what is in it, and whether that is personal."""


class Receipt(Struct, frozen=True):
    """The record that a closed store's data was deleted; it is signed. Holds no personal data."""

    store_id: str
    opened_ms: int
    closed_ms: int
    deleted_ms: int
    tickets: int
    report: dict[str, str]
    """SHA-256 of each report file, by name."""
    delivered: bool
    """True when the report was delivered; False when a person decided to delete without."""
