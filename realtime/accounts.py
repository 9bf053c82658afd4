"""The use cases of an owner's account: sign up, sign in, stay signed in, forget the password, prove the address."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import msgspec

from realtime import checks
from realtime.clerk import Clerk
from realtime.drafts import new_store
from realtime.errors import EmailTaken, InvalidInput, NotSignedIn, WrongPassword
from realtime.hookspecs import AccountNotice
from realtime.keys import Keys, digest
from realtime.messages import AccountView, ChangeEmail, ChangePassword, OpenStore, Tokens
from realtime.model import Account, Delivery
from realtime.operations import accounts, stores
from realtime.passwords import Passwords
from realtime.reception import Reception, new_id
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.storage.statement import Storage

_GRACE_MS = 30_000
"""How long a replaced refresh token still signs in: two tabs of one browser, or an answer that was lost."""
_DAY_MS = 24 * 3_600_000


class SignedIn(msgspec.Struct, frozen=True):
    account: Account
    tokens: Tokens
    refresh_token: str
    refresh_days: int


class Accounts:
    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        clerk: Clerk,
        keys: Keys,
        registry: Registry,
        passwords: Passwords,
        reception: Reception,
        clock_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._clerk = clerk
        self._keys = keys
        self._registry = registry
        self._passwords = passwords
        self._reception = reception
        self._now = clock_ms

    # ---- signed in

    def who(self, access_token: str) -> str:
        """The account that an access token belongs to. Raises: NotSignedIn."""
        return self._keys.read_access_token(access_token, self._now())[0]

    async def sign_up_and_open(self, request: OpenStore, *, base: str) -> tuple[str, SignedIn]:
        """Make an account and open its first store, both or neither; returns the store's id.

        Raises:
            InvalidInput: a value cannot be used.
            EmailTaken: the address has an account.
        """
        email = checks.email(request.email, "email")
        password = checks.password(request.password, "password", about=(email, request.name))
        new = new_store(request)
        if await self._storage.read(accounts.by_email, email):
            raise EmailTaken(field="email")
        now, token = self._now(), secrets.token_urlsafe(32)
        hashed = await self._passwords.hash(password)
        account_id = new_id()
        store_id, opening = self._reception.opening(account_id, new, base=base)
        link = self._link(account_id, "confirm", email, base)
        session = self._session(token, now)
        account = await self._clerk.change(accounts.sign_up, account_id, email, hashed, session, opening, link, now)
        return store_id, self._signed_in(account, token, now)

    async def sign_in(self, email: str, password: str) -> SignedIn:
        """Raises: WrongPassword - the same, as slowly, whether or not the address has an account."""
        found = await self._storage.read(accounts.by_email, _normal(email))
        account, hashed = found if found else (None, None)
        if not await self._passwords.fits(password, hashed) or account is None:
            raise WrongPassword
        now, token = self._now(), secrets.token_urlsafe(32)
        await self._storage.write(accounts.sign_in, account.id, self._session(token, now), now)
        return self._signed_in(account, token, now)

    async def refresh(self, refresh_token: str) -> SignedIn:
        """A new access token, and a new refresh token in place of the old one. Raises: NotSignedIn."""
        now, token = self._now(), secrets.token_urlsafe(32)
        session = self._session(token, now)
        if not refresh_token:
            raise NotSignedIn
        args = digest(refresh_token), session.token_hash, now, session.expires_ms, _GRACE_MS
        account = await self._storage.write(accounts.refresh, *args)
        if account is None:
            raise NotSignedIn
        return self._signed_in(account, token, now)

    async def sign_out(self, refresh_token: str) -> str:
        """End this browser's session; the id of the account it belonged to, empty when there was none."""
        return await self._storage.write(accounts.sign_out, digest(refresh_token)) if refresh_token else ""

    async def view(self, account_id: str) -> AccountView:
        account = await self._storage.read(accounts.one, account_id)
        store = await self._storage.read(stores.of_account, account_id)
        template = await self._storage.read(stores.template, account_id)
        here, captures = store.id if store else None, self._settings.capture_messages
        can_text = bool(self._settings.sms_url) or captures
        confirmed, can_mail, last = account.confirmed, self.can_mail(), template.name if template else ""
        return AccountView(account.id, account.email, confirmed, here, template is not None, can_mail, can_text, captures, last)

    def _session(self, token: str, now_ms: int) -> accounts.Session:
        return accounts.Session(digest(token), secrets.token_hex(16), now_ms + int(self._settings.refresh_token_days * _DAY_MS))

    def _signed_in(self, account: Account, refresh_token: str, now_ms: int) -> SignedIn:
        minutes = self._settings.access_token_minutes
        tokens = Tokens(self._keys.access_token(account.id, now_ms, minutes), minutes * 60)
        return SignedIn(account, tokens, refresh_token, self._settings.refresh_token_days)

    def can_mail(self) -> bool:
        """Whether this server can send e-mail."""
        return bool(
            self._registry.compose_account_notice(AccountNotice(moment="confirm_email", email="a@example.org", link="", expires_ms=0))
        )

    # ---- by mail

    async def forgot(self, email: str, *, base: str) -> None:
        """Send a link to set a new password, if the address has an account. Nobody is told which."""
        found = await self._storage.read(accounts.by_email, _normal(email))
        if found:
            await self._send_link(found[0].id, "reset", found[0].email, base)

    async def reset(self, token: str, password: str) -> str:
        """Set a new password by a link from a mail; every session ends. Returns the account's id. Raises: LinkExpired, InvalidInput."""
        link_id = self._keys.read_link_token("reset", token)
        hashed = await self._passwords.hash(checks.password(password, "password"))
        return str(await self._clerk.change(accounts.reset, link_id, hashed, self._now()))

    async def confirm(self, token: str) -> None:
        """The address a link was sent to is the owner's; a report that waited for it goes out. Raises: LinkExpired, EmailTaken."""
        await self._clerk.change(accounts.confirm, self._keys.read_link_token("confirm", token), self._now())

    async def resend(self, account_id: str, *, base: str) -> None:
        """Send the link to confirm the address again, unless it is confirmed."""
        account = await self._storage.read(accounts.one, account_id)
        if not account.confirmed:
            await self._send_link(account_id, "confirm", account.email, base)

    async def change_password(self, account_id: str, request: ChangePassword, refresh_token: str = "") -> None:
        """Set a new password; every session but the one of `refresh_token` ends. Raises: WrongPassword, InvalidInput."""
        await self._prove(account_id, request.password)
        hashed = await self._passwords.hash(checks.password(request.new_password, "new_password"))
        await self._storage.write(accounts.set_password, account_id, hashed, digest(refresh_token))

    async def change_email(self, account_id: str, request: ChangeEmail, *, base: str) -> None:
        """Change the address: at once if the present one was never confirmed, else when the new one is.

        Raises:
            WrongPassword, EmailTaken, InvalidInput
        """
        await self._prove(account_id, request.password)
        email = checks.email(request.email, "email")
        account = await self._storage.read(accounts.one, account_id)
        if not account.confirmed:
            await self._storage.write(accounts.correct_email, account_id, email)
        elif email != account.email:
            notice = AccountNotice(moment="email_changed", email=account.email, link="", expires_ms=0)
            await self._clerk.change(accounts.tell, account_id, tuple(self._registry.compose_account_notice(notice)), self._now())
        await self._send_link(account_id, "confirm", email, base)

    async def _prove(self, account_id: str, password: str) -> None:
        hashed = await self._storage.read(accounts.password_hash, account_id)
        if not await self._passwords.fits(password, hashed):
            raise WrongPassword("That is not your present password.", field="password")

    async def _send_link(self, account_id: str, purpose: str, email: str, base: str) -> None:
        await self._clerk.change(accounts.send_link, *self._link(account_id, purpose, email, base))

    def _link(self, account_id: str, purpose: str, email: str, base: str) -> tuple[str, str, str, str, tuple[Delivery, ...], int, int]:
        """What `accounts.send_link` takes for a new link."""
        now, link_id = self._now(), secrets.token_urlsafe(12)
        confirms = purpose == "confirm"
        minutes = self._settings.confirm_link_days * 24 * 60 if confirms else self._settings.link_minutes
        expires_ms = now + int(minutes * 60_000)
        link = f"{base}/{purpose}#{self._keys.link_token(purpose, link_id)}"
        moment = "confirm_email" if confirms else "reset_password"
        notice = AccountNotice(moment=moment, email=email, link=link, expires_ms=expires_ms)
        deliveries = tuple(self._registry.compose_account_notice(notice))
        return link_id, account_id, purpose, email, deliveries, now, expires_ms


def _normal(email: str) -> str:
    """An address in the form in which accounts have it; empty when it is none, which no account has."""
    try:
        return checks.email(email, "email")
    except InvalidInput:
        return ""
