"""The use cases of a store's day: open, edit, scan, join, call, serve, leave. Each checks, then has the clerk commit and tell."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgspec

from realtime import checks, ladder
from realtime.clerk import Clerk
from realtime.drafts import new_store, store_change
from realtime.errors import CodeExpired, CodeUsed, NotFound, StoreClosed, StoreNotFound, TicketNotFound
from realtime.events import owner_ticket, queue_view
from realtime.house import House
from realtime.keys import Keys, digest
from realtime.messages import (
    CallNext,
    ChangeTicket,
    CodePage,
    EditStore,
    Join,
    Joined,
    JoinedTicket,
    OpenStore,
    OwnerSnapshot,
    OwnerTicket,
    OwnTicket,
    ScanCode,
    ScannedCode,
    WalkedIn,
    WalkIn,
)
from realtime.model import LIVE, Action, CodeState, Store, StoreState, Ticket
from realtime.operations import answers, codes, escalation, joining, snapshots, stores, tickets
from realtime.qr import svg
from realtime.settings import Settings
from realtime.storage.statement import Storage
from realtime.views import own_view, owner_snapshot, store_view

_FORM_MS = 15 * 60_000
"""How long a phone that scanned a code has to fill in the form."""


class Reception:
    def __init__(self, settings: Settings, storage: Storage, clerk: Clerk, keys: Keys, house: House, clock_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._storage = storage
        self._clerk = clerk
        self._keys = keys
        self._house = house
        self._now = clock_ms

    # ---- the store

    async def open_store(self, account_id: str, request: OpenStore, *, base: str) -> str:
        """Open a store for an account; returns its id.

        Raises:
            InvalidInput: a value cannot be used.
            StoreOpen: the account has an open store.
        """
        return await self._open(account_id, new_store(request), base)

    async def open_again(self, account_id: str, *, base: str) -> str:
        """Open the next store with the last one's queues and settings.

        Raises:
            NotFound: the account never had a store.
            StoreOpen
        """
        template = await self._storage.read(stores.template, account_id)
        if not template:
            raise NotFound("You have not opened a store yet. Open your first one.")
        return await self._open(account_id, template, base)

    async def _open(self, account_id: str, new: stores.NewStore, base: str) -> str:
        store_id, args = self.opening(account_id, new, base=base)
        await self._clerk.change(stores.open_store, *args)
        return store_id

    def opening(self, account_id: str, new: stores.NewStore, *, base: str) -> tuple[str, tuple[Any, ...]]:
        """A new store's id, and what `stores.open_store` takes to open it now."""
        self._house.reached(base)
        if new.ladder is None:
            new = msgspec.structs.replace(new, ladder=ladder.text(ladder.of_setting(self._settings.call_ladder)))
        now, store_id = self._now(), new_id()
        closes_ms = now + int(self._settings.store_hours * 3_600_000)
        return store_id, (store_id, account_id, secrets.token_hex(4), new, self._keys.code_hash, now, closes_ms, self._code_until(now))

    def _code_until(self, now_ms: int) -> int:
        return now_ms + self._settings.code_minutes * 60_000

    async def owner_snapshot(self, account_id: str, store_id: str, *, base: str) -> OwnerSnapshot:
        await self._storage.read(stores.owned, store_id, account_id)
        self._house.reached(base)
        whole = await self._storage.read(snapshots.owner, store_id)
        if whole.code and codes.ends_soon(whole.code, self._now()):  # screens have theirs renewed; who asks now and then has not
            await self.renew_code(store_id, whole.code.number)
            whole = await self._storage.read(snapshots.owner, store_id)
        return owner_snapshot(whole, self._keys, base)

    async def edit_store(self, account_id: str, store_id: str, request: EditStore, *, base: str) -> OwnerSnapshot:
        """Change the store and its queues, all or nothing.

        Raises:
            InvalidInput, NotAllowed, QueueNotFound, StoreClosed, StoreNotFound
        """
        await self._clerk.change(stores.edit, store_id, account_id, store_change(request), self._now())
        return await self.owner_snapshot(account_id, store_id, base=base)

    async def logo(self, store_id: str, queue: str, version: str) -> tuple[str, bytes]:
        """A queue's logo: media type and picture.

        Raises:
            NotFound: the queue has no such logo.
        """
        found = await self._storage.read(stores.logo, store_id, queue)
        if not found or found[1] != version:
            raise NotFound
        head, _, data = found[0].partition(",")
        try:
            return head.removeprefix("data:").removesuffix(";base64"), base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise NotFound from error

    # ---- the code

    async def code_page(self, code: str) -> CodePage:
        """What a phone that opens a code's link is shown. Changes nothing.

        Raises:
            CodeExpired: it is no code of ours.
            StoreClosed, StoreNotFound
        """
        store_id = self._keys.store_of_code(code)
        with _unknown_is_expired():
            store = await self._storage.read(stores.one, store_id)
        _must_be_open(store)
        row = await self._storage.read(codes.look, store_id, digest(code))
        if not row:
            raise CodeExpired
        expired = row.expires_ms <= self._now() and row.state is not CodeState.USED
        queues = await self._storage.read(snapshots.queues, store_id)
        return CodePage(
            store_view(store),
            [queue_view(store_id, queue) for queue in queues],
            await self._storage.read(snapshots.waiting, store_id),
            "expired" if expired else row.state.value,
        )

    async def scan(self, code: str, request: ScanCode, ticket_tokens: tuple[str, ...], *, base: str) -> ScannedCode:
        """Give a fresh code to the phone that scanned it first, and show the next one. The same phone may ask again.

        Args:
            ticket_tokens: the tickets the phone holds already.

        Raises:
            CodeUsed: another phone was first.
            CodeExpired, StoreClosed, StoreNotFound
        """
        page_store = self._keys.store_of_code(code)
        mine = await self._live_ticket(page_store, ticket_tokens)
        expires_ms = 0
        if not mine:
            with _unknown_is_expired():
                expires_ms = await self._scan(page_store, code, self._keys.pass_hash(code, request.key))
        store = await self._storage.read(stores.one, page_store)
        queues = await self._storage.read(snapshots.queues, page_store)
        waiting = await self._storage.read(snapshots.waiting, page_store)
        views = [queue_view(page_store, queue) for queue in queues]
        return ScannedCode(store_view(store), views, waiting, expires_ms, mine.label if mine else "")

    async def _scan(self, store_id: str, code: str, pass_hash: str) -> int:
        now = self._now()
        args = store_id, digest(code), pass_hash, self._keys.code_hash, now, now + _FORM_MS, self._code_until(now)
        try:
            return int(await self._clerk.change(codes.scan, *args))
        except CodeUsed:
            row = await self._storage.read(codes.look, store_id, digest(code))
            if row and row.pass_hash == pass_hash and row.state is CodeState.SCANNED and row.expires_ms > now:
                return row.expires_ms
            raise

    async def _live_ticket(self, store_id: str, tokens: tuple[str, ...]) -> Ticket | None:
        for token in tokens:
            try:
                of_store, ticket_id = self._keys.read_ticket_token(token)
                if of_store == store_id:
                    ticket = await self._storage.read(tickets.one, store_id, ticket_id)
                    if ticket.state in LIVE:
                        return ticket
            except TicketNotFound:
                continue
        return None

    async def renew_code(self, store_id: str, number: int) -> None:
        """Show the next code in place of one that was on show for too long. Somebody else may have done so already."""
        now = self._now()
        try:
            await self._clerk.change(codes.renew, store_id, number, self._keys.code_hash, now, self._code_until(now))
        except (CodeUsed, StoreClosed):
            return

    # ---- joining

    async def join(self, request: Join, idempotency_key: str = "", *, base: str, languages: tuple[str, ...] = ()) -> Joined:
        """Give up to five parties a number each, and use the code up. Sent twice by the same phone, it answers the same.

        Raises:
            InvalidInput, Refused, CodeUsed, CodeExpired, QueuePaused, QueueNotFound, StoreClosed, StoreNotFound
        """
        store_id = self._keys.store_of_code(request.code)
        phones = [party.phone for party in request.parties if party.phone]
        region = await self._region(store_id, phones) if phones else ""
        guests = tuple(
            joining.Guest(
                party.queue,
                checks.name(party.name, f"parties[{index}].name"),
                checks.phone(party.phone, region, f"parties[{index}].phone") if party.phone else "",
                checks.email(party.email, f"parties[{index}].email") if party.email else "",
                party.party,
                languages,
            )
            for index, party in enumerate(request.parties)
        )
        proof = joining.Proof(digest(request.code), self._keys.pass_hash(request.code, request.key))
        now = self._now()
        try:
            made = await self._clerk.change(joining.join, store_id, guests, proof, self._house.rules(), now)
        except StoreNotFound as error:
            raise CodeExpired from error
        except CodeUsed:
            made = await self._storage.read(joining.joined_with, store_id, proof)
            if not made:
                raise
        return Joined([self._joined(store_id, ticket, base) for ticket in made])

    async def _region(self, store_id: str, phones: Sequence[str]) -> str:
        """Where numbers without a country code are read as from: the setting, else the country of the store's time zone."""
        if self._settings.phone_region or not phones or all(phone.lstrip().startswith("+") for phone in phones):
            return self._settings.phone_region
        with _unknown_is_expired():
            return checks.region_of((await self._storage.read(stores.one, store_id)).timezone)

    def _joined(self, store_id: str, ticket: Ticket, base: str) -> JoinedTicket:
        token = self._keys.ticket_token(store_id, ticket.id)
        return JoinedTicket(ticket.id, ticket.label, ticket.queue, token, f"{base}/t#{token}")

    # ---- the party's own ticket

    async def own_ticket(self, token: str, *, base: str) -> OwnTicket:
        """A ticket as its party sees it.

        Raises:
            TicketNotFound: the token is none, or its store's data was deleted.
        """
        store_id, ticket_id = self._keys.read_ticket_token(token)
        own = await self._storage.read(snapshots.own, store_id, ticket_id)
        live_token = self._keys.live_token(store_id, ticket_id, self._now(), self._settings.access_token_minutes)
        topics = [f"store/{store_id}/public", f"ticket/{store_id}/{ticket_id}"]
        return own_view(own, live_token, topics)

    async def leave(self, token: str) -> None:
        """Raises: TicketNotFound, WrongState, StoreClosed."""
        await self.leave_ticket(*self._keys.read_ticket_token(token))

    async def leave_ticket(self, store_id: str, ticket_id: int) -> None:
        """The same for a party that is known already. Raises: TicketNotFound, WrongState, StoreClosed."""
        await self._clerk.change(tickets.change, store_id, ticket_id, Action.LEAVE, "", self._house.rules(), self._now())

    async def seen(self, token: str, called_ms: int) -> None:
        """The ticket's page shows the call of this time. An earlier call, or one that was seen before, changes nothing.

        Raises: TicketNotFound, StoreClosed.
        """
        await self.seen_ticket(*self._keys.read_ticket_token(token), called_ms)

    async def seen_ticket(self, store_id: str, ticket_id: int, called_ms: int) -> None:
        """The same for a party that is known already. Raises: StoreClosed."""
        with suppress(escalation.NotThisCall):
            await self._clerk.change(escalation.seen, store_id, ticket_id, called_ms, self._now())

    # ---- the staff

    async def call_next(self, account_id: str, store_id: str, queue: str, request: CallNext, idempotency_key: str = "") -> OwnerTicket:
        """Call whoever stands first. Two at once call two.

        Raises:
            NobodyWaiting, QueueNotFound, NotAllowed, StoreClosed, StoreNotFound
        """
        await self._storage.read(stores.owned, store_id, account_id)
        args = store_id, queue, _desk(request.desk), self._house.rules(), self._now()
        return owner_ticket(await self._once(store_id, idempotency_key, request, f"call-next {queue}", tickets.call_next, *args))

    async def change_ticket(self, account_id: str, store_id: str, ticket_id: int, request: ChangeTicket) -> OwnerTicket:
        """Move a ticket as the table of legal moves allows.

        Raises:
            WrongState, TicketNotFound, NotAllowed, StoreClosed, StoreNotFound
        """
        await self._storage.read(stores.owned, store_id, account_id)
        if request.action == "undo":
            return owner_ticket(await self._clerk.change(tickets.undo, store_id, ticket_id, self._now()))
        args = store_id, ticket_id, Action(request.action), _desk(request.desk), self._house.rules(), self._now()
        return owner_ticket(await self._clerk.change(tickets.change, *args))

    async def walk_in(self, account_id: str, store_id: str, request: WalkIn, idempotency_key: str = "", *, base: str) -> WalkedIn:
        """Add a party for the staff; answers with the QR code of its own page, to take along.

        Raises:
            InvalidInput, Refused, QueuePaused, QueueNotFound, NotAllowed, StoreClosed, StoreNotFound
        """
        await self._storage.read(stores.owned, store_id, account_id)
        phone = checks.phone(request.phone, await self._region(store_id, [request.phone]), "phone") if request.phone else ""
        email = checks.email(request.email, "email") if request.email else ""
        guests = (joining.Guest(request.queue, checks.name(request.name, "name"), phone, email, request.party),)
        now = self._now()
        made = await self._once(
            store_id, idempotency_key, request, "walk-in", joining.join, store_id, guests, None, self._house.rules(), now
        )
        ticket = made[0] if isinstance(made, tuple) else made
        link = self._joined(store_id, ticket, base).link
        return WalkedIn(owner_ticket(ticket), link, svg(link))

    async def ticket_link(self, account_id: str, store_id: str, ticket_id: int, *, base: str) -> tuple[str, str]:
        """The link of a ticket's own page, and its QR code as SVG."""
        await self._storage.read(stores.owned, store_id, account_id)
        link = self._joined(store_id, await self._storage.read(tickets.one, store_id, ticket_id), base).link
        return link, svg(link)

    async def _once(self, store_id: str, key: str, request: msgspec.Struct, what: str, make: Callable[..., Any], *args: Any) -> Any:
        if not key:
            return await self._clerk.change(make, *args)
        request_hash = digest(what + msgspec.json.encode(request).decode())
        return await self._clerk.change(answers.once, store_id, digest(key), request_hash, self._now(), make, *args)


def new_id() -> str:
    """Twelve characters of base 32, 60 random bits: names a thing, protects nothing."""
    return base64.b32encode(secrets.token_bytes(8)).decode().lower()[:12]


def _desk(text: str) -> str:
    return checks.line(text, "desk")


@contextmanager
def _unknown_is_expired() -> Iterator[None]:
    """A code of a store that never was is no code: whoever has it should scan the one on the screen."""
    try:
        yield
    except StoreNotFound as error:
        raise CodeExpired from error


def _must_be_open(store: Store) -> None:
    if store.state is not StoreState.OPEN:
        raise StoreClosed
