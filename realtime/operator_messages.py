"""What an operator asks of the queues and is answered, as types that check themselves."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from realtime.messages import Request

AnyQueue = Annotated[str, Meta(pattern="^[A-Za-z0-9_/-]{1,160}$", max_length=160, description="A queue, as the overview names it.")]
DryRun = Annotated[bool, Meta(description="Only say to which it would be done.")]
Place = Literal["ready", "deferred", "behind", "held", "in_flight", "dead", "ended"]


class ShowQueueJobs(Request, frozen=True):
    state: Annotated[
        Place | Literal["blocking"],
        Meta(description="Where the jobs stand; `blocking`: the dead letters for which a lane waits."),
    ] = "ready"
    queue: Annotated[str, Meta(pattern="^[A-Za-z0-9_/-]{0,160}$", max_length=160, description="Only this queue's.")] = ""
    owner: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{0,80}$", max_length=80, description="Only those of this store or account.")] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 50


class PauseQueue(Request, frozen=True):
    queue: AnyQueue


class RedriveQueue(Request, frozen=True):
    queue: AnyQueue
    limit: Annotated[int, Meta(ge=1, le=1000, description="The oldest so many.")] = 100
    reason: Annotated[str, Meta(max_length=500, description="Only those whose reason begins so.")] = ""
    dry_run: DryRun = False


class PurgeQueue(Request, frozen=True):
    queue: AnyQueue
    older_than: Annotated[int, Meta(ge=0, le=31_536_000, description="Only those that died more than so many seconds ago.")] = 0
    limit: Annotated[int, Meta(ge=1, le=1000, description="The oldest so many.")] = 100
    dry_run: DryRun = False


class Reschedule(Request, frozen=True):
    due_ms: Annotated[int, Meta(ge=0, le=253_402_300_799_999, description="When it may be tried next; a time that is over: now.")]


class QueueFigures(Struct, frozen=True, kw_only=True):
    queue: str
    ready: int
    """Can be taken now."""
    deferred: int
    """Not due yet."""
    behind: int
    """Wait for others of their lane."""
    held: int
    """Wait until their owner has confirmed an address."""
    in_flight: int
    dead: int
    oldest_ready_seconds: float
    blocked_lanes: int
    """Lanes that wait until somebody has decided about a dead letter."""
    paused_ms: int
    """Since when it is paused; 0: it is not."""


class PluginStanding(Struct, frozen=True):
    name: str
    version: str
    status: str
    failures: int


class ProviderView(Struct, frozen=True):
    """How the provider behind a notifier is, as the process that was asked found it."""

    notifier: str
    state: Literal["closed", "open", "half_open"]
    """"open": it is down and left alone; "half_open": it is tried with one delivery at a time."""
    in_flight: int
    failures: int
    """In a row."""
    reason: str
    """What it failed with last; empty while it is up."""
    since_ms: int
    """From when on it is down; 0: it is up."""
    until_ms: int
    """When it is tried next; 0 while it is up, or is being tried."""


class AlarmView(Struct, frozen=True):
    name: str
    text: str
    since_ms: int


class Finding(Struct, frozen=True, omit_defaults=True):
    """Something that needs a person."""

    kind: Literal[
        "clock", "plugin", "provider", "paused", "blocked_lanes", "dead_letters", "reports", "unconfirmed", "backlog", "unsettled", "alarm"
    ]
    of: str
    """The queue, plugin, notifier or alarm that it is about; empty: none in particular."""
    text: str
    """What is so, in a sentence."""
    todo: str
    """What to do next, in a sentence."""
    command: str = ""
    """Where to begin in a shell, where there is a command."""


class Diagnosis(Struct, frozen=True):
    at_ms: int
    findings: list[Finding]
    """Empty: all is well."""


class Overview(Struct, frozen=True, kw_only=True):
    at_ms: int
    queues: list[QueueFigures]
    plugins: list[PluginStanding]
    providers: list[ProviderView]
    alarms: list[AlarmView]


class JobView(Struct, frozen=True, kw_only=True):
    """Never what a job says, and nobody's address in full."""

    owner: str
    """The store or account it belongs to."""
    id: str
    queue: str
    lane: str
    state: Place
    ended: str
    """How it ended: "done", "expired", "cancelled" or "dead"; empty while it has not."""
    attempts: int
    due_ms: int
    leased_until_ms: int
    worker: str
    outcome: str
    """What became of it last."""
    created_ms: int
    ended_ms: int
    notifier: str
    """Who carries it, or does it."""
    recipient: str
    moment: str
    report: bool
    """Whether it carries a closed store's report."""
    bytes: int


class JobList(Struct, frozen=True):
    jobs: list[JobView]
    more: bool
    """Whether there may be others behind these."""


class AttemptView(Struct, frozen=True):
    number: int
    worker: str
    started_ms: int
    ended_ms: int
    outcome: str
    detail: str
    counted: bool
    """False: it was given back, or its job has begun anew since."""


class JobWithAttempts(Struct, frozen=True):
    job: JobView
    attempts: list[AttemptView]


class ChosenView(Struct, frozen=True):
    owner: str
    id: str
    reason: str
    """Why it was given up."""


class Count(Struct, frozen=True, omit_defaults=True):
    count: int
    """How many it was done to, or would be."""
    dry_run: bool = False
    """True: nothing was changed."""
    jobs: list[ChosenView] | UnsetType = UNSET
    """In a dry run: to which, the oldest first."""


class Changed(Struct, frozen=True):
    changed: bool
    """False when it was so already."""
