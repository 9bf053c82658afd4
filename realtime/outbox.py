"""The use cases of the outbox: reading what was kept instead of sent."""

from __future__ import annotations

import msgspec

from realtime.operations import outbox
from realtime.operations.outbox import Kept
from realtime.settings import Settings
from realtime.storage.statement import Storage
from realtime.wording_messages import KeptMessage, OutboxView

SHOWN = 100
"""The newest so many."""
_HIDDEN = "This mail holds a link that sets a new password. Only the operator can read it, at /outbox#operator with the operator's token."


class Outbox:
    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._settings = settings
        self._storage = storage

    async def of_owner(self, account_id: str) -> OutboxView:
        """What an owner and the guests of their stores would have got.

        A counter stays signed in on a tablet that others use, so the link to a new password is not shown there.
        """
        found = await self._storage.read(outbox.of_account, account_id, SHOWN)
        return self._view([_message(each, hidden=each.moment == "reset_password") for each in found])

    async def of_operator(self) -> OutboxView:
        """What owners and the operator would have got themselves; no guest is in it."""
        return self._view([_message(each) for each in await self._storage.read(outbox.of_no_store, SHOWN)])

    def _view(self, messages: list[KeptMessage]) -> OutboxView:
        return OutboxView(self._settings.capture_messages, messages)


def _message(kept: Kept, *, hidden: bool = False) -> KeptMessage:
    shown = KeptMessage(kept.id, kept.at_ms, kept.notifier, kept.recipient, kept.moment, kept.subject, kept.text, kept.html)
    return msgspec.structs.replace(shown, text=_HIDDEN, html="") if hidden else shown
