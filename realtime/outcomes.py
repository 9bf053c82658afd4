"""How a delivery or a job went, as a notifier or a handler says it."""

from __future__ import annotations

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
    """The recipient does not want it, or something between says so."""

    reason: str


class Done(Struct, frozen=True):
    """A job is done. `detail`: a sentence for whoever asks how it went."""

    detail: str = ""


JobOutcome = Done | Retry | Permanent
Outcome = Sent | Accepted | Retry | Permanent | Gone | Suppressed
