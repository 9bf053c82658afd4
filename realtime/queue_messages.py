"""What the message queue takes and answers, as types that check themselves. Field names are those of the interface it is compatible with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from realtime.messages import Name, Request
from realtime.model import OnKey

QueueName = Annotated[
    str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$", max_length=64, description="A queue of the account; it is there once it is used.")
]
Lane = Annotated[
    str, Meta(max_length=128, description="Messages of one lane are consumed one after the other, in the order of publishing.")
]
Key = Annotated[str, Meta(max_length=128, description="The same key within its window stands for the same message.")]
Window = Annotated[int, Meta(ge=1, le=604_800, description="Seconds for which the key stands.")]
Consumer = Annotated[
    str, Meta(pattern="^[A-Za-z0-9_.-]{1,64}$", max_length=64, description="Who consumes: a number or a name of your own.")
]
MessageId = Annotated[str, Meta(pattern="^[0-9]{1,19}$", max_length=19)]
AnyMessageId = MessageId | Annotated[int, Meta(ge=0, le=9_223_372_036_854_775_807)]
"""In JSON also as a number, for who reads numbers of 19 digits exactly."""
Receipt = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{0,64}$", max_length=64, description="The lease token that came with the message.")]
Visibility = Annotated[int, Meta(ge=0, le=43_200, description="Seconds for which nobody else sees the message.")]
Scope = Literal["publish", "consume", "jobs", "schedules"]
OnDead = Literal["skip", "block"]


class NewToken(Request, frozen=True):
    name: Name
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=4)]


class TokenView(Struct, frozen=True):
    id: str
    name: str
    scopes: list[str]
    created_ms: int


class MadeToken(Struct, frozen=True):
    id: str
    token: str
    """Shown this once; only a hash of it is kept."""


class Publish(Request, frozen=True):
    message: Any
    """Any JSON."""
    queue: QueueName = "default"
    lane: Lane = ""
    priority: Annotated[int, Meta(ge=0, le=3, description="The lowest number first; between lanes, not within one.")] = 1
    delay: Annotated[int, Meta(ge=0, le=2_592_000, description="Seconds before it can be consumed.")] = 0
    expires: Annotated[int, Meta(ge=0, le=2_592_000, description="Seconds after which it is dropped unread; 0: never.")] = 0
    key: Key = ""
    window: Window = 300
    on_key: OnKey = OnKey.KEEP
    """Where the key stands for an earlier message: that one stays as it is; or, if it still waits, says what this one says; or that, and waits anew
    for `delay`, until the window ends at the latest."""
    on_dead: OnDead = "skip"
    """What its lane does when it becomes a dead letter: goes on with the next, or waits until somebody has decided."""


class PublishMany(Request, frozen=True):
    messages: Annotated[list[Publish], Meta(min_length=1, max_length=100)]


class Published(Struct, frozen=True):
    messageId: str  # noqa: N815 - the name in the interface it is compatible with
    deduplicated: bool = False
    """Whether the key stood for an earlier message already; this is that one's id."""
    replaced: bool = False
    """Whether that one says now what this one says."""


class Consume(Request, frozen=True):
    cid: Consumer
    limit: Annotated[int, Meta(ge=1, le=100)] = 10
    queue: QueueName = "default"
    wait: Annotated[int, Meta(ge=0, le=20, description="Seconds to wait for a message where there is none.")] = 0
    vt: Annotated[int, Meta(ge=0, le=43_200, description="Seconds for which nobody else sees the messages; 0: as the server is set.")] = 0
    attempt_id: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{0,64}$", max_length=64)] = ""
    """The same again within 5 minutes gets the same messages, as long as they are held."""


class Message(Struct, frozen=True, omit_defaults=True):
    messageId: str  # noqa: N815 - as above
    message: Any
    receipt: str
    """Proves the lease; send it along with what becomes of the message."""
    attempt: int
    lane: str
    published_ms: int
    visible_ms: int
    """When somebody else may get it."""
    traceparent: str = ""
    """Trace context (W3C) of the request that published it; left out where it had none."""
    tracestate: str = ""


class Messages(Struct, frozen=True):
    messages: list[Message]


class Acknowledge(Request, frozen=True):
    cid: Consumer | Annotated[int, Meta(ge=0)]
    id: AnyMessageId
    receipt: Receipt = ""


class AcknowledgeMany(Request, frozen=True):
    messages: Annotated[list[Acknowledge], Meta(min_length=1, max_length=100)]


class Change(Request, frozen=True):
    """Hold a message longer, or with `vt` 0 give it back at once."""

    cid: Consumer | Annotated[int, Meta(ge=0)]
    id: AnyMessageId
    vt: Visibility
    receipt: Receipt = ""


class ShowDead(Request, frozen=True):
    queue: QueueName = "default"
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    after: Annotated[str, Meta(pattern="^([0-9]{1,15}[.][0-9]{1,19})?$", max_length=40, description="`next` of the page before.")] = ""
    blocking: bool = False
    """Only those for which a lane waits."""


class DeadLetter(Struct, frozen=True):
    messageId: str  # noqa: N815 - as above
    message: Any
    attempts: int
    lane: str
    reason: str
    published_ms: int
    died_ms: int
    blocks: bool
    """Whether its lane waits for a decision."""


class DeadLetters(Struct, frozen=True):
    letters: list[DeadLetter]
    next: str = ""
    """Where the next page starts; empty on the last one."""


class Redrive(Request, frozen=True):
    queue: QueueName = "default"
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    reason: Annotated[str, Meta(max_length=500, description="Only those whose reason begins so.")] = ""
    dry_run: Annotated[bool, Meta(description="Only say how many would be put back.")] = False


class Redriven(Struct, frozen=True, omit_defaults=True):
    redriven: int
    """How many were put back, or would be."""
    dry_run: bool = False
    """True: nothing was changed."""


class LetGo(Request, frozen=True):
    id: MessageId
    queue: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{0,64}$", max_length=64, description="Only if it is in this queue.")] = ""
