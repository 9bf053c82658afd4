"""Whoever wants no more messages gets none: asked before each delivery to a party, and told by the gateway, by an answer, or by the person."""

from __future__ import annotations

from collections.abc import Callable

from realtime.keys import Keys
from realtime.operations import opt_outs
from realtime.operations.escalation import CALLED
from realtime.operations.opt_outs import Choice
from realtime.storage.statement import Storage

WHY = "The guest wants no messages."
ONLY_CALLS = "The guest wants to be told only that it is their turn."
SOURCES = {"bounce": "Messages to this address came back.", "complaint": "The guest called a message unwanted."}
"""Why, where they did not say so to us."""


class OptOuts:
    """Of the whole installation: the sender, a phone number or a mail address, is one for all its stores.

    Args:
        public_url: the address people use; empty: no links can be given.
    """

    def __init__(self, storage: Storage, keys: Keys, public_url: str, clock_ms: Callable[[], int]) -> None:
        self._storage = storage
        self._keys = keys
        self._public_url = public_url
        self._now = clock_ms

    def hash(self, recipient: str) -> str:
        """What is kept of a recipient."""
        return self._keys.recipient_hash(recipient)

    async def why_not(self, channel: str, recipient: str, moment: str) -> str:
        """Why a recipient does not want to be told of a moment, as a sentence; empty where they do."""
        choice, source = await self._storage.read(opt_outs.chosen_by, self._keys.recipient_hash(recipient), channel)
        if choice is Choice.CALLS:
            return "" if moment == CALLED else ONLY_CALLS
        return "" if choice is Choice.ALL else SOURCES.get(source, WHY)

    async def suppress(self, channel: str, recipient: str, source: str) -> str:
        """Nothing more for somebody who did not say so themselves. An owner is left out, whose report must arrive: their account is returned."""
        return await self._storage.write(opt_outs.suppress, recipient, self._keys.recipient_hash(recipient), channel, source, self._now())

    async def put(self, channel: str, recipient: str, source: str) -> None:
        await self._storage.write(opt_outs.put, self._keys.recipient_hash(recipient), channel, source, self._now())

    async def take_back(self, channel: str, recipient: str) -> None:
        await self._storage.write(opt_outs.take_back, self._keys.recipient_hash(recipient), channel)

    # ---- the person

    def link(self, channel: str, recipient: str) -> str:
        """Where they say so themselves; empty where this server's address is not known, or is not secret on its way."""
        return f"{self._public_url}/stop/{self._keys.stop_token(channel, recipient)}" if self._public_url.startswith("https://") else ""

    async def chosen(self, token: str) -> Choice:
        """What whoever holds a link wants. Raises: NotFound."""
        channel, hashed = self._keys.read_stop_token(token)
        return await self._storage.read(opt_outs.chosen, hashed, channel)

    async def choose(self, token: str, choice: Choice) -> None:
        """The same, said by whoever holds the link. Raises: NotFound."""
        channel, hashed = self._keys.read_stop_token(token)
        await self._storage.write(opt_outs.choose, hashed, channel, choice, "mail", self._now())

    async def chosen_for(self, *recipients: str) -> Choice:
        """The most that somebody wants at one of their addresses, over whatever channel."""
        known = {await self._storage.read(opt_outs.chosen, self.hash(each), opt_outs.EVERY) for each in recipients if each}
        return next((choice for choice in Choice if choice in known), Choice.NONE)

    async def choose_for(self, *recipients: str, choice: Choice) -> None:
        """Somebody says for all their addresses, and for every channel, what they want."""
        for recipient in filter(None, recipients):
            await self._storage.write(opt_outs.choose, self.hash(recipient), opt_outs.EVERY, choice, "page", self._now())
