"""Every hook: what a plugin is told, what it may answer, when it is called, and what happens when it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import pluggy
from msgspec import Struct

from realtime.model import Delivery, Endpoint, Subscription, Ticket
from realtime.outcomes import Accepted as Accepted
from realtime.outcomes import Arrival as Arrival
from realtime.outcomes import Callback as Callback
from realtime.outcomes import Done as Done
from realtime.outcomes import Gone as Gone
from realtime.outcomes import JobOutcome as JobOutcome
from realtime.outcomes import Outcome as Outcome
from realtime.outcomes import Permanent as Permanent
from realtime.outcomes import Retry as Retry
from realtime.outcomes import Sent as Sent
from realtime.outcomes import Suppressed as Suppressed
from realtime.outcomes import Wish as Wish
from realtime.party_facts import Facts as Facts
from realtime.party_facts import JoinFacts as JoinFacts
from realtime.party_facts import QueueFacts as QueueFacts
from realtime.party_facts import Said as Said
from realtime.party_facts import StoreFacts as StoreFacts
from realtime.party_facts import TicketFacts as TicketFacts
from realtime.party_facts import TicketNotice as TicketNotice

if TYPE_CHECKING:
    from realtime.settings import Settings

PROJECT = "nowserving"
"""The name of the markers, and the entry-point group in which plugins are found."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# ---- what plugins are told, besides what `realtime.party_facts` says ------------------------------------------------


class Counts(Facts, frozen=True, kw_only=True):
    """The evening in figures."""

    tickets: int
    served: int
    no_shows: int
    left: int
    removed: int
    unserved: int
    """Still waiting or called when the store closed."""
    median_wait_ms: int
    longest_wait_ms: int


class FileFacts(Facts, frozen=True, kw_only=True):
    """A report file, as it was made; `about` is a sentence on it for the owner."""

    name: str
    media_type: str
    rows: int
    bytes: int
    sha256: str
    about: str = ""


class ClosedStore(Facts, frozen=True, kw_only=True):
    """A store whose report is being made."""

    id: str
    name: str
    timezone: str
    queues: tuple[QueueFacts, ...]
    opened_ms: int
    closed_ms: int


class StoreClosed(Facts, frozen=True, kw_only=True):
    """A store has closed and its report is made."""

    store: StoreFacts
    owner_email: str
    confirmed: bool
    """Whether the owner proved that the address is theirs. While it is not, the core holds what needs the report back."""
    opened_ms: int
    closed_ms: int
    counts: Counts
    files: tuple[FileFacts, ...]
    link: str = ""
    """Where the owner sees how far the closing is."""


class AccountNotice(Facts, frozen=True, kw_only=True):
    """Something that an owner must be told about their account."""

    moment: str
    """"confirm_email", "reset_password", "email_changed" or "webhook_disabled"."""
    email: str
    link: str = ""
    """Secret: only for the owner."""
    about: str = ""
    """What it is about, in the owner's own words: the name of a webhook."""
    why: str = ""
    """A sentence."""
    expires_ms: int = 0
    """When the link ends; 0: never."""


class EventFacts(Facts, frozen=True, kw_only=True):
    """A change of a store that is committed and told."""

    store_id: str
    seq: int
    at_ms: int
    kind: str
    """"ticket", "queue", "store" or "code"."""
    change: str
    """What happened: "joined", "called", "queue_changed" ... as on the wire."""
    label: str
    """The ticket's number, "A07"; empty when it is not about a ticket."""
    public: str
    """What everybody may know, as JSON."""
    owner: str
    """What the owner may know, as JSON: holds names and phone numbers."""


class JobFacts(Facts, frozen=True, kw_only=True):
    """A job that a program put in."""

    id: str
    """The same on every attempt, as a delivery's."""
    attempt: int
    account_id: str
    payload: Any
    url: str = ""
    """The address the job names, if it names one."""
    lane: str = ""
    created_ms: int
    traceparent: str = ""
    """Trace context (W3C) of the request that put it in: hand it on with what you ask of others."""
    tracestate: str = ""


# ---- what notifiers are given, and answer -------------------------------------------------------------------------


Chunks = Callable[[], AsyncIterator[bytes]]


class Attachment(Facts, frozen=True, kw_only=True):
    """A report file that goes with a delivery."""

    name: str
    media_type: str
    bytes: int
    sha256: str
    chunks: Chunks
    """Reads the file from its start, each time it is called."""


class OutgoingDelivery(Facts, frozen=True, kw_only=True):
    id: str
    """The same on every attempt: use it as Message-ID or idempotency key."""
    attempt: int
    delivery: Delivery
    report: tuple[Attachment, ...] = ()
    """The store's report files, if the delivery needs them."""
    endpoint: Endpoint | None = None
    """Where an account's webhook is, and what signs for it; None for every other delivery, and when it was turned off."""
    subscription: Subscription | None = None
    """The browser that it goes to, for a notifier with a `push_key`; None once that browser wants no more."""
    stop_link: str = ""
    """Where its recipient says that they want no more: a page, and the address of a one-click unsubscription (RFC 8058). Empty where that is not known."""


class Preview(Facts, frozen=True, kw_only=True):
    """A delivery as its recipient would see it."""

    subject: str = ""
    text: str = ""
    html: str = ""
    """A whole page; empty where there is only text."""
    refused: bool = False
    """It would not be sent; `text` says why."""


class Notifier(Protocol):
    """One way to reach a person.

    May also have `deadline_s: float`, how long one delivery may take (else the setting `notifier_deadline_seconds`),
    `async def close(self) -> None`, awaited when the server stops, and
    `def callback(self, callback: Callback) -> Sequence[Arrival | Wish] | None`, which may be async: what a provider tells later. It checks the
    signature; None means that it does not fit, and the request is refused. Without it nobody can call back.

    May also have `def preview(self, delivery: OutgoingDelivery) -> Preview`, what the recipient would see, without sending anything: for the
    outbox and for whoever writes texts. And `stays: bool`, True where nothing leaves this server, so that nothing is captured.

    One that notifies browsers has `push_key: str`, the public key with which they subscribe. `def use_secret(self, secret: bytes) -> None`
    is called once at the start, with 32 bytes that stay the same for this notifier on this installation.
    """

    name: str
    """Lower-case letters, digits, "-" and "_"; stable, for deliveries are kept under it."""

    async def deliver(self, delivery: OutgoingDelivery) -> Outcome:
        """Carry one delivery and say how it went.

        The same delivery may come again after a crash, with the same `id`. An exception, or no answer within the deadline, counts
        as `Retry`. It runs on the event loop, so it must await, or use a thread, wherever it waits.
        """
        ...


class JobHandler(Protocol):
    """One kind of work that programs give. May have `deadline_s` and `close`, like a notifier."""

    name: str
    """As a notifier's; jobs are kept under it."""

    async def handle(self, job: JobFacts) -> JobOutcome:
        """Do one job and say how it went; as for `Notifier.deliver`, it may come again with the same `id`, and must await."""
        ...


class Idle(Struct, frozen=True):
    """Why a plugin has nothing to do here, as one sentence without a full stop: "smtp_url is not set"."""

    why: str


class ReportFile(Protocol):
    """A file of the report, made in order: header, page after page, footer. Called again from the header after a crash."""

    name: str
    """Made by the plugin, never from the store's texts: "report.csv". A file may also have `about: str`, a sentence on it for the owner."""
    media_type: str

    def header(self) -> str: ...
    def rows(self, tickets: Sequence[Ticket]) -> str: ...
    def footer(self) -> str: ...


# ---- the hooks ----------------------------------------------------------------------------------------------------


class Hooks(Protocol):
    """All hooks. A plugin implements those it wants, as functions of a module or methods of an object, marked `@hookimpl`.

    Arguments are passed by keyword, and those that an implementation does not name are left out, so new ones never break it.
    Plugins are called in the order of their names. A hook of a plugin that fails five times in a row is suspended for a minute,
    then longer, up to an hour; no other plugin notices.
    """

    @hookspec
    def register_notifiers(self, settings: Settings) -> list[Notifier] | Idle:
        """Return the notifiers of this plugin, or `Idle(why)` if it has nothing to do with these settings.

        An idle plugin's other hooks are not called.

        Phase: at start, once. Sync.
        Errors: the plugin is listed as failed and takes no further part; the server starts without it.
        Since: 0.1
        """
        ...

    @hookspec
    def register_handlers(self, settings: Settings) -> list[JobHandler] | Idle:
        """Return the handlers of jobs that this plugin brings, or `Idle(why)` if it has nothing to do with these settings.

        Phase: at start, once. Sync.
        Errors: the plugin is listed as failed and takes no further part; the server starts without it.
        Since: 0.1
        """
        ...

    @hookspec
    def check_join(self, join: JoinFacts) -> str | None:
        """Return a sentence to refuse a party, which then reads it; None to let it in. The first refusal counts.

        Phase: before commit. Sync, pure, quick: no network, no files, no waiting.
        Errors: the party is let in (fail-open), and the failure is logged.
        Since: 0.1
        """
        ...

    @hookspec
    def compose_ticket_notice(self, notice: TicketNotice) -> list[Delivery] | Delivery | None:
        """Return the deliveries that a party is owed because it joined, is almost next, or was called.

        Phase: inside the transaction. Sync, pure, quick: no network, no files, no waiting. May be called again for the same change.
        Errors: nothing is owed by this plugin; the change itself goes on, and the failure is logged.
        Since: 0.1
        """
        ...

    @hookspec
    def compose_store_closed(self, closed: StoreClosed) -> list[Delivery] | Delivery | None:
        """Return the deliveries that a closed store owes. One with `needs_report=True` carries the report files.

        The store's data is kept until every delivery that needs the report has settled, or a person decided.

        Phase: inside the transaction. Sync, pure, quick: no network, no files, no waiting. May be called again for the same store.
        Errors: nothing is owed by this plugin; the failure is logged. This hook is never suspended.
        Since: 0.1
        """
        ...

    @hookspec
    def compose_account_notice(self, notice: AccountNotice) -> list[Delivery] | Delivery | None:
        """Return the deliveries that an owner is owed: a link to confirm an address or to reset a password, or a warning.

        Phase: inside the transaction. Sync, pure, quick: no network, no files, no waiting. May be called again for the same change.
        Errors: nothing is owed by this plugin; the change itself goes on, and the failure is logged.
        Since: 0.1
        """
        ...

    @hookspec
    def compose_report(self, store: ClosedStore) -> list[ReportFile]:
        """Return the files that this plugin adds to a closed store's report.

        Phase: after the store closed, before its report is committed. Sync, in pages: keep no ticket in memory.
        Errors: a file that breaks is left out and the failure is logged. This hook is never suspended.
        Since: 0.1
        """
        ...

    @hookspec
    async def on_event(self, event: EventFacts) -> None:
        """React to a change that is committed and told to everybody.

        A plugin gets a store's events one after another. It may miss some: when the process dies, or while it is a thousand behind.
        What must not be lost is composed as a delivery instead.

        Phase: after commit. Async, within 5 seconds; a plain function that is quick costs less.
        Errors: the failure is logged and everything else goes on.
        Since: 0.1
        """
        ...
