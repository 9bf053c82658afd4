"""What comes in and what goes out: every request and answer of the HTTP API and the socket, as types that check themselves."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from realtime.ladder import MOST_STEPS, Ladder, Step
from realtime.model import Notice, Receipt

Name = Annotated[str, Meta(min_length=1, max_length=80, description="A name as people write it; no control characters.")]
Line = Annotated[str, Meta(max_length=120)]
Text = Annotated[str, Meta(max_length=1000, description="Plain text; line breaks are kept.")]
Email = Annotated[str, Meta(max_length=254, description="An e-mail address, or empty.")]
Phone = Annotated[str, Meta(max_length=32, description="A phone number with country code, or empty.")]
Password = Annotated[str, Meta(min_length=8, max_length=256)]
Desk = Annotated[str, Meta(max_length=40, description='Where to go: "Desk 2", "Bar".')]
Timezone = Annotated[str, Meta(max_length=64, description="An IANA name such as Europe/Berlin.")]
Accent = Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}$", max_length=7, description="A colour as #rrggbb.")]
PartySize = Annotated[int, Meta(ge=1, le=99)]
QueueId = Annotated[str, Meta(pattern="^[A-Z]$", max_length=1, description="The letter that the queue's numbers begin with.")]
Logo = Annotated[str, Meta(max_length=56_000, description="A PNG, JPEG or WebP picture as a data: URL; empty removes it.")]
Secret = Annotated[str, Meta(min_length=1, max_length=512)]
AlmostAt = Annotated[int, Meta(ge=0, le=50)]
Steps = Annotated[
    list[Step], Meta(max_length=MOST_STEPS, description="How a called party is reached, for as long as it has not seen the call.")
]


QuietHours = Annotated[
    str,
    Meta(
        max_length=11,
        description='When guests are written nothing but that they are called, by the store\'s clock: "22:00-08:00"; empty: never.',
    ),
]


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends. Unknown fields are refused."""


# ---- accounts -----------------------------------------------------------------------------------------------------


class QueueDraft(Request, frozen=True):
    name: Name
    waiting_text: Text = ""
    end_text: Text = ""


class OpenStore(Request, frozen=True):
    """Open a store. Without a sign-in, `email` and `password` make the account at the same time."""

    name: Name
    queues: Annotated[list[QueueDraft], Meta(min_length=1, max_length=26)]
    timezone: Timezone = "UTC"
    description: Text = ""
    email: Email = ""
    password: str = ""
    accent: Accent = "#0B6E4F"
    almost_at: AlmostAt = 3
    board_code: bool = False
    ladder: Steps | UnsetType = UNSET
    quiet_hours: QuietHours = ""


class Login(Request, frozen=True):
    email: Email
    password: Annotated[str, Meta(max_length=256)]


class ForgotPassword(Request, frozen=True):
    email: Email


class ResetPassword(Request, frozen=True):
    token: Secret
    password: Password


class ChangePassword(Request, frozen=True):
    password: Annotated[str, Meta(max_length=256, description="The present password.")]
    new_password: Password


class ChangeEmail(Request, frozen=True):
    password: Annotated[str, Meta(max_length=256)]
    email: Email


class CheckReceipt(Request, frozen=True):
    """A receipt as `GET /v1/receipts` gave it, by whoever was handed it."""

    receipt: Receipt
    signature: Annotated[str, Meta(max_length=128)]


class ConfirmEmail(Request, frozen=True):
    token: Secret


# ---- stores -------------------------------------------------------------------------------------------------------


class QueueEdit(Request, frozen=True):
    """Fields left out stay as they are."""

    id: QueueId
    name: Name | UnsetType = UNSET
    waiting_text: Text | UnsetType = UNSET
    end_text: Text | UnsetType = UNSET
    paused: bool | UnsetType = UNSET
    logo: Logo | UnsetType = UNSET


class EditStore(Request, frozen=True):
    """Fields left out stay as they are."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    accent: Accent | UnsetType = UNSET
    almost_at: AlmostAt | UnsetType = UNSET
    board_code: bool | UnsetType = UNSET
    ladder: Steps | UnsetType = UNSET
    quiet_hours: QuietHours | UnsetType = UNSET
    queues: Annotated[list[QueueEdit], Meta(max_length=26)] = []
    add_queues: Annotated[list[QueueDraft], Meta(max_length=26)] = []


# ---- tickets ------------------------------------------------------------------------------------------------------


class ScanCode(Request, frozen=True):
    """`key` is a secret of the phone's own choosing; scanning again with the same key gives the same answer."""

    key: Annotated[str, Meta(min_length=16, max_length=128)]


class Party(Request, frozen=True):
    name: Name
    queue: QueueId
    phone: Phone = ""
    email: Email = ""
    party: PartySize = 1


class Join(Request, frozen=True):
    """Up to five parties join with one scanned code."""

    code: Annotated[str, Meta(max_length=64)]
    key: Annotated[str, Meta(max_length=128, description="The key that scanned the code.")]
    parties: Annotated[list[Party], Meta(min_length=1, max_length=5)]


class WalkIn(Request, frozen=True):
    """A party added by the staff."""

    name: Name
    queue: QueueId
    phone: Phone = ""
    email: Email = ""
    party: PartySize = 1


class CallNext(Request, frozen=True):
    desk: Desk = ""


class ChangeTicket(Request, frozen=True):
    """`undo` takes the last move back; the other actions are those of the table of legal moves."""

    action: Literal["call", "recall", "serve", "done", "no_show", "return", "remove", "undo"]
    desk: Desk = ""


class TradeTicket(Request, frozen=True):
    """The secret of a ticket's link, traded for a cookie; or the label of a ticket that the cookie holds, to be shown from now on."""

    token: Annotated[str, Meta(max_length=512)] = ""
    label: Annotated[str, Meta(max_length=16)] = ""


# ---- answers ------------------------------------------------------------------------------------------------------


class Tokens(Struct, frozen=True):
    access_token: str
    expires_in: int
    """Seconds."""
    token_type: str = "Bearer"


class AccountView(Struct, frozen=True):
    id: str
    email: str
    confirmed: bool
    store_id: str | None
    """The account's store that is not purged yet, if any."""
    has_template: bool
    """Whether the next store can be opened with one click, as the last one was."""
    can_mail: bool
    can_text: bool
    """Whether this server can send e-mail, and text messages."""
    captures: bool = False
    """Whether it keeps them in the outbox instead."""
    template_name: str = ""
    """What the last store was called, empty where there was none."""


class QueueView(Struct, frozen=True):
    id: str
    name: str
    waiting_text: str
    end_text: str
    paused: bool
    pace_ms: int
    logo: str
    """Path of the queue's logo, empty when it has none."""


class StoreView(Struct, frozen=True):
    """The public view of a store."""

    id: str
    name: str
    description: str
    timezone: str
    accent: str
    state: str
    opened_ms: int
    closes_ms: int


class OwnerStoreView(Struct, frozen=True):
    id: str
    name: str
    description: str
    timezone: str
    accent: str
    state: str
    opened_ms: int
    closes_ms: int
    almost_at: int
    board_code: bool
    board_link: str
    ladder: Ladder
    quiet_hours: QuietHours


class PublicTicket(Struct, frozen=True):
    """What everybody may know of a ticket."""

    id: int
    queue: str
    label: str
    state: str
    desk: str
    place: int
    called_ms: int


class OwnerTicket(Struct, frozen=True):
    """What the staff know of a ticket."""

    id: int
    queue: str
    label: str
    state: str
    desk: str
    place: int
    name: str
    phone: str
    email: str
    party: int
    walk_in: bool
    calls: int
    joined_ms: int
    called_ms: int
    served_ms: int
    ended_ms: int
    notices: list[Notice] = []
    """How its notifications went, the latest last."""
    seen_ms: int = 0
    """When its page showed the present call; 0: it has not."""
    unreached_ms: int = 0
    """When nothing had shown it by the end of the ladder; 0: that is not so."""


class CodeView(Struct, frozen=True):
    """The join code on show."""

    number: int
    expires_ms: int
    link: str
    svg: str


class OwnerSnapshot(Struct, frozen=True):
    store: OwnerStoreView
    queues: list[QueueView]
    tickets: list[OwnerTicket]
    """All live tickets, and the last ended ones."""
    code: CodeView | None
    """None once the store closes."""


class PublicSnapshot(Struct, frozen=True):
    """What customers and boards see."""

    store: StoreView
    queues: list[QueueView]
    tickets: list[PublicTicket]
    """All live tickets, and the last called ones."""
    code: CodeView | None = None
    """Only for boards that show the QR code."""


class OpenedStore(Struct, frozen=True):
    store_id: str
    tokens: Tokens | None
    """Set when the account was made at the same time."""


class ScannedCode(Struct, frozen=True):
    """The code is yours: join with it before it expires."""

    store: StoreView
    queues: list[QueueView]
    waiting: dict[str, int]
    """Parties waiting, by queue."""
    expires_ms: int
    ticket: str
    """Label of the live ticket this phone holds already, empty if none."""


class CodePage(Struct, frozen=True):
    """What the link of a code leads to, before anything is done with it."""

    store: StoreView
    queues: list[QueueView]
    waiting: dict[str, int]
    state: str
    """"fresh", "scanned", "used" or "expired"."""


class OwnTicket(Struct, frozen=True):
    """A ticket as its own party sees it."""

    store: StoreView
    queue: QueueView
    id: int
    label: str
    state: str
    desk: str
    name: str
    party: int
    phone: str
    email: str
    ahead: int
    """Parties before this one in the line, not counting those being served."""
    minutes: list[int]
    """The likely wait as [from, to]; empty while unknown."""
    joined_ms: int
    called_ms: int
    ended_ms: int
    live_token: str
    """Short-lived, for the socket only."""
    topics: list[str]
    others: list[str]
    """Labels of the other tickets in this store's line that the same phone holds."""


class JoinedTicket(Struct, frozen=True):
    id: int
    label: str
    queue: str
    token: str
    """The ticket's bearer token."""
    link: str
    """Address of the ticket's own page."""


class Joined(Struct, frozen=True):
    tickets: list[JoinedTicket]


class WalkedIn(Struct, frozen=True):
    ticket: OwnerTicket
    link: str
    svg: str
    """A QR code of the link, for the guest to take along."""
