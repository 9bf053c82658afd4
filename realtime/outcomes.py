"""What notifiers and handlers answer, and what a provider tells later; plugins find these names in `realtime.hookspecs`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Sent(Struct, frozen=True):
    """It was handed to the recipient's side."""

    provider_id: str = ""


class Accepted(Struct, frozen=True):
    """A provider took it and will go on with it; whether it arrived is not known yet."""

    provider_id: str = ""


class Retry(Struct, frozen=True):
    """Not this time. `after_s`: wait so long at least. `provider_down`: no other would have come through. Reasons name no recipient."""

    reason: str
    after_s: float | None = None
    provider_down: bool = False


class Permanent(Struct, frozen=True):
    """Never: trying again cannot help."""

    reason: str


class Gone(Struct, frozen=True):
    """The recipient does not exist any more; nothing should be sent there again."""

    reason: str


class Suppressed(Struct, frozen=True):
    """The recipient does not want it. That is remembered: a party is sent nothing more over this notifier until it takes that back."""

    reason: str


class Callback(Struct, frozen=True, kw_only=True):
    """A request to `/v1/callbacks/NOTIFIER/KIND`: anybody may have sent it, until its signature is checked."""

    kind: str
    """"status": what became of a message. "inbound": somebody wrote back."""
    url: str
    """The address that was called, as the outside knows it, with its query."""
    headers: dict[str, str]
    """Names in lower case; one that came twice is left out."""
    body: bytes


class Arrival(Struct, frozen=True):
    """What a provider tells, in a callback, of a delivery that was `Accepted`."""

    delivered: bool
    delivery_id: str = ""
    """The `id` with which it was given to the notifier; empty where the provider does not hand it back."""
    recipient: str = ""
    """To whom, where there is no `delivery_id`: the latest delivery to them of which nothing is known is meant."""
    why: str = ""
    """Why it was not delivered: a sentence that names nobody."""
    message: str = ""
    """The provider's own id of the message, where there is no `delivery_id`: what comes again under it is about the same delivery."""
    outranks: bool = False
    """It counts also where the opposite was told before. Without that the first word about a delivery stands, in whichever order they come."""


class Wish(Struct, frozen=True):
    """A recipient wants no more messages from this notifier, or wants them again."""

    recipient: str
    wanted: bool
    source: Literal["", "bounce", "complaint"] = ""
    """Whence it is known, where the recipient did not say so: their address sends everything back, or they called a message unwanted."""


class Done(Struct, frozen=True):
    """A job is done. `detail`: a sentence for whoever asks how it went."""

    detail: str = ""


JobOutcome = Done | Retry | Permanent
Outcome = Sent | Accepted | Retry | Permanent | Gone | Suppressed
