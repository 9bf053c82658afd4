"""Whoever wants no more messages gets none: asked before each delivery to a party, and told by the gateway, by an answer, or by the person."""

from __future__ import annotations

from collections.abc import Callable

from realtime.keys import Keys
from realtime.operations import opt_outs
from realtime.storage.statement import Storage

WHY = "The guest wants no messages."
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

    async def has(self, channel: str, recipient: str) -> bool:
        """Whether a recipient wants nothing over a channel."""
        return await self._storage.read(opt_outs.has, self._keys.recipient_hash(recipient), channel)

    async def why(self, channel: str, recipient: str) -> str:
        """Why a recipient is sent nothing over a channel, as a sentence; empty where they may be."""
        source = await self._storage.read(opt_outs.source, self._keys.recipient_hash(recipient), channel)
        return SOURCES.get(source, WHY) if source else ""

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

    async def stopped(self, token: str) -> bool:
        """Whether whoever holds a link gets nothing any more. Raises: NotFound."""
        channel, hashed = self._keys.read_stop_token(token)
        return await self._storage.read(opt_outs.has, hashed, channel)

    async def choose(self, token: str, *, wanted: bool) -> None:
        """The same, said by whoever holds the link. Raises: NotFound."""
        channel, hashed = self._keys.read_stop_token(token)
        if wanted:
            await self._storage.write(opt_outs.take_back, hashed, channel)
        else:
            await self._storage.write(opt_outs.put, hashed, channel, "mail", self._now())

    async def wanted(self, *recipients: str) -> bool:
        """Whether somebody may be sent messages at one of their addresses, over whatever channel."""
        for recipient in filter(None, recipients):
            if not await self.has(opt_outs.EVERY, recipient):
                return True
        return False

    async def choose_for(self, *recipients: str, wanted: bool) -> None:
        """Somebody says for all their addresses, and for every channel, whether they want messages."""
        for recipient in filter(None, recipients):
            if wanted:
                await self.take_back(opt_outs.EVERY, recipient)
            else:
                await self.put(opt_outs.EVERY, recipient, "page")
