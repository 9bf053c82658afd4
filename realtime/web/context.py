"""Everything an endpoint may use, joined once by `app.py` and handed to every route."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any, NamedTuple

from jinja2 import Environment
from starlette.types import Scope

from realtime.counts import Counts
from realtime.crowds import Crowds
from realtime.errors import NotSignedIn
from realtime.settings import Settings
from realtime.web import addresses
from realtime.web.cases import (
    Accounts,
    Callbacks,
    Closing,
    JobService,
    Lifecycle,
    Live,
    Messaging,
    Notes,
    OptOuts,
    Outbox,
    Oversight,
    Pings,
    Programs,
    Push,
    Reception,
    Schedules,
    Scribe,
    Storage,
    Tasks,
    Webhooks,
)
from realtime.web.cookies import Cookies
from realtime.web.limits import Limits
from realtime.web.readiness import Readiness
from realtime.web.turnstile import Turnstile

SIGNED_OUT = "signed_out"
"""The kind of the note that ends an account's sockets in other processes; its body is the account's id."""

CROWDED = "Too many phones look at this store at the moment. Please try again."

_OVER_TLS, _IN_PLAIN = Cookies(secure=True), Cookies(secure=False)


class Tells(NamedTuple):
    """Which of a party's addresses messages go to."""

    phone: bool
    email: bool


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    accounts: Accounts
    reception: Reception
    closing: Closing
    messaging: Messaging
    programs: Programs
    jobs: JobService
    schedules: Schedules
    webhooks: Webhooks
    oversight: Oversight
    push: Push
    opt_outs: OptOuts
    callbacks: Callbacks
    scribe: Scribe
    outbox: Outbox
    live: Live
    storage: Storage
    lifecycle: Lifecycle
    limits: Limits
    templates: Environment
    pings: Pings
    tasks: Tasks
    """Socket commands run here."""
    notes: Notes
    now_ms: Callable[[], int]
    """The time of day, milliseconds UTC."""
    clock: Callable[[], float]
    """Seconds that only go forward."""
    asked: Callable[[str, int, str], None]
    """Told a topic about which somebody asked, and for what ticket or, where that is 0, at what address."""
    counts: Counts = field(default_factory=Counts)
    readiness: Readiness = field(default_factory=Readiness)
    sessions: set[Any] = field(default_factory=set)
    """Every live socket of this process, as a `Session`, and every event stream, as a `Listener`."""
    crowds: Crowds = field(init=False)
    """The customers and boards of each store. Owners are never turned away: their screens are what a full store is run with."""

    turnstile: Turnstile = field(init=False)
    """Through which sockets come to have their commands done."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "turnstile", Turnstile(self.tasks, "a socket's commands"))
        object.__setattr__(self, "crowds", Crowds(self.settings.max_sockets_per_store, CROWDED))

    def operator(self, token: str, address: str, *, metrics: bool = False) -> None:
        """Whoever asks must be this installation's operator, or with `metrics` whoever collects its figures. Raises: NotSignedIn, TooMany."""
        known = [self.settings.operator_token, *((self.settings.metrics_token,) if metrics else ())]
        if not any(known):
            name = "operator_token or metrics_token" if metrics else "operator_token"
            raise NotSignedIn(f"Nobody may see this yet. Whoever runs this installation chooses the setting {name}.")
        given = token.encode("utf-8", "replace")
        if not any(each and compare_digest(each.encode(), given) for each in known):
            self.limits.operator(address)
            raise NotSignedIn("This is not the operator's token.")

    def end_sessions(self, account_id: str) -> None:
        """Close the live sockets of an account that signed out somewhere, in every process; browsers that are still signed in come back at once."""
        self.close_sessions(account_id)
        self.notes.tell_note(SIGNED_OUT, account_id.encode())

    def close_sessions(self, account_id: str) -> None:
        """The same, in this process only."""
        for session in list(self.sessions):
            session.end(account_id)

    @property
    def tells(self) -> Tells:
        """To what a party may leave messages are made, be they sent or only kept."""
        kept = self.settings.capture_messages
        return Tells(phone=bool(self.settings.sms_url) or kept, email=bool(self.settings.smtp_url) or kept)

    @property
    def ticket_seconds(self) -> int:
        """How long a phone keeps its tickets: until any store that is open now has closed."""
        return self.settings.store_hours * 3600 + 3600

    def seen_base(self, scope: Scope) -> str:
        return addresses.seen_base(scope, self.settings.public_url)

    def public_base(self, scope: Scope) -> str:
        return addresses.public_base(scope, self.settings.public_url, self.settings.trusted_proxies)

    def own_origin(self, origin: str, scope: Scope) -> bool:
        return addresses.own_origin(origin, scope, self.settings.public_url)

    def cookies(self, scope: Scope) -> Cookies:
        return _OVER_TLS if addresses.is_secure(scope, self.settings.public_url) else _IN_PLAIN
