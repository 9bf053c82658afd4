"""Owners' accounts: made, signed in, confirmed, reset."""

from __future__ import annotations

from typing import Any

import msgspec

from realtime.errors import EmailTaken, LinkExpired, NotSignedIn
from realtime.model import Account, Delivery
from realtime.operations import stores
from realtime.operations.changes import HELD_MS, Change, owe
from realtime.storage.statement import Operation, Row, Statement

_ACCOUNT = "id, email, confirmed_ms, created_ms"


def _account(row: Row) -> Account:
    id_, email, confirmed_ms, created_ms = row[:4]
    return Account(id_, email, confirmed_ms > 0, created_ms)


class Session(msgspec.Struct, frozen=True):
    """A refresh token, hashed, and the family of tokens it came from."""

    token_hash: str
    family: str
    expires_ms: int


def make(account_id: str, email: str, password_hash: str, session: Session, now_ms: int) -> Operation[Account]:
    """Make an account and sign it in.

    Raises:
        EmailTaken: the address has an account.
    """
    made = yield Statement(
        "insert into accounts (id, email, password_hash, created_ms) values ($1, $2, $3, $4) on conflict (email) do nothing returning id",
        (account_id, email, password_hash, now_ms),
    )
    if not made:
        raise EmailTaken(field="email")
    yield from sign_in(account_id, session, now_ms)
    return Account(account_id, email, False, now_ms)


def sign_up(
    account_id: str, email: str, password_hash: str, session: Session, opening: tuple[Any, ...], link: tuple[Any, ...], now_ms: int
) -> Operation[Change]:
    """Make an account with its first store and the mail that it owes, all or nothing. `value` is the account.

    Args:
        opening: what `stores.open_store` takes.
        link: what `send_link` takes.

    Raises:
        EmailTaken: the address has an account.
    """
    account = yield from make(account_id, email, password_hash, session, now_ms)
    opened = yield from stores.open_store(*opening)
    sent = yield from send_link(*link)
    return Change(account, opened.events, sent.owed)


def one(account_id: str) -> Operation[Account]:
    """An account.

    Raises:
        NotSignedIn: there is no such account any more.
    """
    found = yield Statement(f"select {_ACCOUNT} from accounts where id = $1", (account_id,))
    if not found:
        raise NotSignedIn
    return _account(found[0])


def held(account_id: str) -> Operation[Account]:
    """An account that nobody changes before this transaction ends.

    Raises:
        NotSignedIn: there is no such account any more.
    """
    found = yield Statement(f"update accounts set id = id where id = $1 returning {_ACCOUNT}", (account_id,))
    if not found:
        raise NotSignedIn
    return _account(found[0])


def by_email(email: str) -> Operation[tuple[Account, str] | None]:
    """The account of an address, and its password hash."""
    found = yield Statement(f"select {_ACCOUNT}, password_hash from accounts where email = $1", (email,))
    return (_account(found[0]), found[0][4]) if found else None


def password_hash(account_id: str) -> Operation[str]:
    """Raises: NotSignedIn."""
    found = yield Statement("select password_hash from accounts where id = $1", (account_id,))
    if not found:
        raise NotSignedIn
    return str(found[0][0])


def sign_in(account_id: str, session: Session, now_ms: int) -> Operation[None]:
    yield Statement("delete from sessions where account_id = $1 and expires_ms < $2", (account_id, now_ms))
    yield Statement(
        "insert into sessions (token_hash, account_id, family, created_ms, expires_ms) values ($1, $2, $3, $4, $5)",
        (session.token_hash, account_id, session.family, now_ms, session.expires_ms),
    )


def refresh(token_hash: str, new_hash: str, now_ms: int, expires_ms: int, grace_ms: int) -> Operation[Account | None]:
    """Replace a refresh token by a new one of its family.

    A token that was replaced less than `grace_ms` ago is replaced once more (two tabs, or an answer that was lost, after which the old
    one is all the browser has). One that was replaced earlier is in the wrong hands, or was: its whole family ends, and None is returned.

    Raises:
        NotSignedIn: the token is unknown or too old.
    """
    taken = yield Statement(
        "update sessions set replaced_ms = $2 where token_hash = $1 and replaced_ms = 0 and expires_ms > $2 returning account_id, family",
        (token_hash, now_ms),
    )
    if taken:
        account_id, family = taken[0]
        yield from sign_in(account_id, Session(new_hash, family, expires_ms), now_ms)
        return (yield from one(account_id))
    found = yield Statement("select account_id, family, replaced_ms, expires_ms from sessions where token_hash = $1", (token_hash,))
    if not found or found[0][3] <= now_ms:
        raise NotSignedIn
    account_id, family, replaced_ms, _ = found[0]
    if now_ms - replaced_ms <= grace_ms:
        yield from sign_in(account_id, Session(new_hash, family, expires_ms), now_ms)
        return (yield from one(account_id))
    yield Statement("delete from sessions where family = $1", (family,))
    return None


def sign_out(token_hash: str) -> Operation[str]:
    """End the family of this token; the id of its account, empty when there is no such token."""
    found = yield Statement("select family, account_id from sessions where token_hash = $1", (token_hash,))
    if not found:
        return ""
    yield Statement("delete from sessions where family = $1", (found[0][0],))
    return str(found[0][1])


def set_password(account_id: str, hashed: str, keep_hash: str) -> Operation[None]:
    """Set a new password and end every other session of the account."""
    yield Statement("update accounts set password_hash = $2 where id = $1", (account_id, hashed))
    yield Statement(
        "delete from sessions where account_id = $1 and family not in (select family from sessions where token_hash = $2)",
        (account_id, keep_hash),
    )


def send_link(
    link_id: str, account_id: str, purpose: str, email: str, deliveries: tuple[Delivery, ...], now_ms: int, expires_ms: int
) -> Operation[Change]:
    """Make a link for a mail, and owe the mail. Older links of this purpose stop working."""
    yield Statement("update links set used_ms = $3 where account_id = $1 and purpose = $2 and used_ms = 0", (account_id, purpose, now_ms))
    yield Statement(
        "insert into links (id, account_id, purpose, email, expires_ms) values ($1, $2, $3, $4, $5)",
        (link_id, account_id, purpose, email, expires_ms),
    )
    owed = yield from owe(f"account-{account_id}", link_id, deliveries, now_ms)
    return Change(None, (), owed)


def tell(account_id: str, deliveries: tuple[Delivery, ...], now_ms: int) -> Operation[Change]:
    """Owe an account some mails."""
    return Change(None, (), (yield from owe(f"account-{account_id}", f"tell-{now_ms}", deliveries, now_ms)))


def _use_link(link_id: str, purpose: str, now_ms: int) -> Operation[tuple[str, str]]:
    used = yield Statement(
        "update links set used_ms = $3 where id = $1 and purpose = $2 and used_ms = 0 and expires_ms > $3 returning account_id, email",
        (link_id, purpose, now_ms),
    )
    if not used:
        raise LinkExpired
    return used[0][0], used[0][1]


def confirm(link_id: str, now_ms: int) -> Operation[Change]:
    """The address a link was sent to is the account's, and confirmed; reports that waited for it are released. `value` is the account id.

    Opened again - people do, and so do programs that look through mail - the link of an address that is confirmed changes nothing.

    Raises:
        LinkExpired: the link was used, replaced or is too old.
        EmailTaken: another account has the address by now.
    """
    done = yield Statement(
        "select accounts.id from links join accounts on accounts.id = links.account_id and accounts.email = links.email"
        " where links.id = $1 and links.purpose = 'confirm' and links.used_ms > 0 and links.expires_ms > $2 and accounts.confirmed_ms > 0",
        (link_id, now_ms),
    )
    if done:
        return Change(done[0][0])
    account_id, email = yield from _use_link(link_id, "confirm", now_ms)
    before = yield from one(account_id)
    taken = yield Statement("select 1 from accounts where email = $1 and id <> $2", (email, account_id))
    if taken:
        raise EmailTaken
    yield Statement("update accounts set email = $2, confirmed_ms = $3 where id = $1", (account_id, email, now_ms))
    return Change(account_id, (), (yield from _release(account_id, before.email, email, now_ms)))


def _release(account_id: str, before: str, email: str, now_ms: int) -> Operation[int]:
    """Reports that waited for the owner's address go out to it now."""
    released = yield Statement(
        "update jobs set recipient = $3, due_ms = $4, ready_ms = $4, head = 1, state = 'waiting', ended_ms = 0 where needs_report = 1 and recipient = $2"
        " and state in ('waiting', 'dead') and (due_ms = $5 or state = 'dead')"
        " and store_id in (select id from stores where account_id = $1 and state = 'reported') returning store_id",
        (account_id, before, email, now_ms, HELD_MS),
    )
    return len(released)


def reset(link_id: str, hashed: str, now_ms: int) -> Operation[Change]:
    """Set a new password by a link from a mail, and end all sessions. Who has the mail has the address: it is confirmed.
    `value` is the account id.

    Raises:
        LinkExpired: the link was used, replaced or is too old.
    """
    account_id, email = yield from _use_link(link_id, "reset", now_ms)
    yield from set_password(account_id, hashed, "")
    yield Statement("update accounts set confirmed_ms = $3 where id = $1 and email = $2 and confirmed_ms = 0", (account_id, email, now_ms))
    account = yield from one(account_id)
    owed = (yield from _release(account_id, email, email, now_ms)) if account.email == email else 0
    return Change(account_id, (), owed)


def correct_email(account_id: str, email: str) -> Operation[None]:
    """Replace an address that was never confirmed.

    Raises:
        EmailTaken: the address has an account.
    """
    before = yield from one(account_id)
    taken = yield Statement("select 1 from accounts where email = $1 and id <> $2", (email, account_id))
    if taken:
        raise EmailTaken(field="email")
    corrected = yield Statement("update accounts set email = $2 where id = $1 and confirmed_ms = 0 returning id", (account_id, email))
    if not corrected:  # confirmed in this moment: it changes by a link only
        return
    yield Statement(
        "update jobs set recipient = $3 where needs_report = 1 and recipient = $2 and state in ('waiting', 'dead')"
        " and store_id in (select id from stores where account_id = $1)",
        (account_id, before.email, email),
    )


def forget(before_ms: int, limit: int) -> Operation[int]:
    """Delete links and sessions that ended; how many."""
    links = yield Statement(
        "delete from links where id in (select id from links where expires_ms < $1 limit $2) returning id", (before_ms, limit)
    )
    sessions = yield Statement(
        "delete from sessions where token_hash in (select token_hash from sessions where expires_ms < $1 limit $2) returning family",
        (before_ms, limit),
    )
    return len(links) + len(sessions)
