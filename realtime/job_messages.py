"""What the job service takes and answers, as types that check themselves. Field names are those of the interface it is compatible with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from realtime.messages import Request
from realtime.model import OnKey
from realtime.queue_messages import Key, MessageId, OnDead, Window

Status = Literal["SUCCESS", "FAILED", "PENDING"]


class AddJob(Request, frozen=True):
    payload: Any = None
    """Any JSON: what the handler gets, and what an external service is sent."""
    handler: Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,31}$", max_length=32, description="Who does it.")] = "service"
    url: Annotated[str, Meta(max_length=2000, description="Address of the external service, where the server allows it.")] = ""
    lane: Annotated[str, Meta(max_length=128)] | None = None
    """Jobs of one lane are done one after the other, in order. Left out: the lane of this client. Empty: in no order."""
    priority: Annotated[int, Meta(ge=0, le=3, description="The lowest number first; between lanes, not within one.")] = 1
    delay: Annotated[int, Meta(ge=0, le=2_592_000, description="Seconds before it is begun.")] = 0
    expires: Annotated[int, Meta(ge=0, le=2_592_000, description="Seconds after which it is not begun any more; 0: never.")] = 0
    key: Key = ""
    window: Window = 300
    on_key: OnKey = OnKey.KEEP
    """As for messages."""
    on_dead: OnDead = "skip"
    """What its lane does when it is given up: goes on with the next, or waits until somebody has decided."""


class AddedJob(Struct, frozen=True):
    jobId: str  # noqa: N815 - the name in the interface it is compatible with
    message: str = "Job added successfully"
    deduplicated: bool = False
    """Whether the key stood for an earlier job already; this is that one's id."""
    replaced: bool = False
    """Whether that one is what this one says now."""


class ShowJobs(Request, frozen=True):
    count: Annotated[int, Meta(ge=1, le=100)] = 10
    status_type: Status | Literal[""] = ""
    """Empty: of every status."""
    before: Annotated[str, Meta(pattern="^[0-9]{0,19}$", max_length=19, description="`next` of the page before.")] = ""
    lane: Annotated[str, Meta(max_length=128, description="Only jobs of this lane.")] = ""
    since_ms: Annotated[int, Meta(ge=0, lt=1 << 43, description="Only jobs that were added then or later.")] = 0
    until_ms: Annotated[int, Meta(ge=0, lt=1 << 43, description="Only jobs that were added before; 0: until now.")] = 0


class JobAttempt(Struct, frozen=True):
    number: int
    started: str
    ended: str
    """Empty while it lasts."""
    outcome: str
    detail: str


class JobStatus(Struct, frozen=True):
    id: MessageId
    status: Status
    numberOfAttempts: int  # noqa: N815 - as above
    timestamp: str
    """When it was added, ISO 8601 in UTC."""


class OneJob(Struct, frozen=True):
    id: MessageId
    status: Status
    state: str
    """"waiting", "leased", "done", "dead", "expired" or "cancelled"."""
    numberOfAttempts: int  # noqa: N815 - as above
    timestamp: str
    handler: str
    lane: str
    reason: str
    """What became of it last."""
    attempts: list[JobAttempt]


class JobPage(Struct, frozen=True):
    jobs: list[JobStatus]
    total_jobs_returned: int
    next: str = ""
    """Where the next page starts; empty on the last one."""


class JobStatuses(Struct, frozen=True):
    data: JobPage
    message: str = "Job statuses fetched successfully"
