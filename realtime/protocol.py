"""One client's conversation over the live socket, sans I/O: texts in -> commands out; replies and errors -> JSON texts.

The clock is an argument (seconds that only go forward); nothing here waits, sends or looks anything up.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from realtime import messages
from realtime.errors import BadMessage, NotSignedIn, NowServingError, Overloaded
from realtime.live_messages import SUBPROTOCOL as SUBPROTOCOL
from realtime.messages import QueueId
from realtime.reading import read

PING = b"{}"
COMMANDS_PER_MINUTE = 100
"""Messages one socket may send in a minute, all kinds together; as many may come at once."""

MOST_TOGETHER = 16
"""Messages in one text."""

T = TypeVar("T", bound=Struct)

StoreId = Annotated[str, Meta(min_length=1, max_length=64)]
TicketId = Annotated[int, Meta(ge=1, le=2**53)]
Topic = Annotated[str, Meta(min_length=1, max_length=160)]


class Pong(Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to the server's ping: an empty object."""


class Authenticate(messages.Request, frozen=True):
    token: Annotated[str, Meta(min_length=1, max_length=2048)]


class Since(messages.Request, frozen=True):
    """The last event the client has seen of a topic."""

    epoch: Annotated[str, Meta(max_length=64)]
    seq: Annotated[int, Meta(ge=0, le=2**53)]


class Subscribe(messages.Request, frozen=True):
    topic: Topic
    since: Since | None = None


class Unsubscribe(messages.Request, frozen=True):
    topic: Topic


class CallNext(messages.Request, frozen=True):
    store_id: StoreId
    queue: QueueId
    desk: messages.Desk = ""

    def body(self) -> messages.CallNext:
        return messages.CallNext(desk=self.desk)


class ChangeTicket(messages.ChangeTicket, frozen=True, kw_only=True):
    store_id: StoreId
    ticket: TicketId

    def body(self) -> messages.ChangeTicket:
        return messages.ChangeTicket(action=self.action, desk=self.desk)


class WalkIn(messages.WalkIn, frozen=True, kw_only=True):
    store_id: StoreId

    def body(self) -> messages.WalkIn:
        return _without_store(self, messages.WalkIn)


class EditStore(messages.EditStore, frozen=True, kw_only=True):
    store_id: StoreId

    def body(self) -> messages.EditStore:
        return _without_store(self, messages.EditStore)


class Leave(messages.Request, frozen=True):
    """A ticket's party gives its place up."""


class Seen(messages.Request, frozen=True):
    """A ticket's page shows that it is its party's turn."""

    called_ms: Annotated[int, Meta(ge=1, le=2**53, description="Which call: the ticket's `called_ms`.")]


Verb: TypeAlias = Authenticate | Subscribe | Unsubscribe | CallNext | ChangeTicket | WalkIn | EditStore | Leave | Seen

VERBS: dict[str, type[Verb]] = {
    "authenticate": Authenticate,
    "subscribe": Subscribe,
    "unsubscribe": Unsubscribe,
    "call_next": CallNext,
    "change_ticket": ChangeTicket,
    "walk_in": WalkIn,
    "edit_store": EditStore,
    "leave": Leave,
    "seen": Seen,
}
"""What a client may ask for, by the key that asks for it."""


class Command(Struct, frozen=True):
    id: int
    """The client's own number; the reply carries it."""
    verb: Verb


class _Message(Struct, frozen=True, forbid_unknown_fields=True):
    """A message as it arrives: a number and exactly one verb, or nothing at all (a pong)."""

    id: Annotated[int, Meta(ge=0, le=2**53)] | UnsetType = UNSET
    authenticate: Raw | UnsetType = UNSET
    subscribe: Raw | UnsetType = UNSET
    unsubscribe: Raw | UnsetType = UNSET
    call_next: Raw | UnsetType = UNSET
    change_ticket: Raw | UnsetType = UNSET
    walk_in: Raw | UnsetType = UNSET
    edit_store: Raw | UnsetType = UNSET
    leave: Raw | UnsetType = UNSET
    seen: Raw | UnsetType = UNSET


class Refused(Struct, frozen=True):
    """A command whose body cannot be used; the socket goes on."""

    id: int
    error: NowServingError


class Conversation:
    """What one socket has said so far: whether it signed in, and how much it may still say this minute.

    Args:
        now: the moment it began.
    """

    __slots__ = ("_allowance", "_at", "asked", "signed_in")

    def __init__(self, now: float) -> None:
        self.signed_in = False
        """Set by whoever checked the token."""
        self.asked = False
        """A token was given; what is said after it waits for what becomes of it. Taken back by whoever refused it."""
        self._allowance = float(COMMANDS_PER_MINUTE)
        self._at = now

    def receive(self, text: str, now: float) -> Pong | Command | Refused:
        """What one text asks for.

        Raises:
            BadMessage: it cannot be read, or was one too many; the socket is to be closed.
            NotSignedIn: the first message was something else than `authenticate`; likewise.
        """
        self._count(now)
        try:
            message = read(text, _Message)
        except BadMessage:
            raise
        except NowServingError as error:
            where = f" ({error.field})" if error.field else ""
            raise BadMessage(f"That message has no known form{where}: send an id and one verb.") from error
        asked = [verb for verb in VERBS if getattr(message, verb) is not UNSET]
        if not asked and message.id is UNSET:
            return Pong()
        if len(asked) != 1 or isinstance(message.id, UnsetType):
            raise BadMessage("Send an id and exactly one verb.")
        verb = asked[0]
        if not self.signed_in and not self.asked and verb != "authenticate":
            raise NotSignedIn("Send authenticate first.")
        try:
            command = Command(message.id, read(getattr(message, verb), VERBS[verb], verb))
        except NowServingError as error:
            return Refused(message.id, error)
        self.asked = True
        return command

    def _count(self, now: float) -> None:
        gained = max(0.0, now - self._at) * COMMANDS_PER_MINUTE / 60
        self._allowance = min(float(COMMANDS_PER_MINUTE), self._allowance + gained)
        self._at = now
        if self._allowance < 1:
            raise BadMessage("That was too many messages in one minute.")
        self._allowance -= 1


def together(text: str) -> list[str]:
    """The messages of a text: several, if each line is an object by itself; else one, however it is laid out.

    Raises:
        BadMessage: they are too many.
    """
    if "\n" not in text:
        return [text]
    lines = text.strip("\n").split("\n")
    if not all(line.startswith("{") and line.endswith("}") for line in lines):
        return [text]
    if len(lines) > MOST_TOGETHER:
        raise BadMessage(f"Send at most {MOST_TOGETHER} messages in one text.")
    return lines


def reply(number: int, body: bytes) -> bytes:
    """The answer to a command; `body` is a JSON object."""
    return b'{"id":%d,"ok":%b}' % (number, body)


def error_reply(number: int, error: NowServingError) -> bytes:
    """The refusal of a command."""
    body: dict[str, Any] = {"code": error.code, "message": error.message, "retry": error.retry, "field": error.field}
    return msgspec.json.encode({"id": number, "error": body})


def disconnect(code: int, after_ms: int) -> bytes:
    """Says that the socket is about to be closed on purpose, and when to come back."""
    return b'{"disconnect":{"code":%d,"after_ms":%d}}' % (code, after_ms)


def ends(verb: Verb, error: NowServingError) -> bool:
    """Whether an error that a command met ends its socket, instead of only being told."""
    if isinstance(error, Overloaded):
        return True
    if error.close_code is None or error.retry:
        return False
    return isinstance(error, NotSignedIn | BadMessage) or isinstance(verb, Authenticate | Subscribe)


def _without_store(verb: Struct, type_: type[T]) -> T:
    return type_(**{name: getattr(verb, name) for name in type_.__struct_fields__})
