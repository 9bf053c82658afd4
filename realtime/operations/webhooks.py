"""Webhooks: the addresses that an account's events are posted to, and which of them an open store tells."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from realtime.errors import Conflict, InvalidInput, NotFound
from realtime.storage.statement import Operation, Row, Statement, changed
from realtime.webhook_keys import signing_of

MOST = 20
"""Webhooks that one account may have."""
OLD_SECRET_MS = 24 * 3_600_000
"""How long the secret before the last change still signs."""
NO_ED25519 = (
    "This server cannot sign with ed25519: it lacks the package cryptography. Choose hmac, or have its operator run"
    " pip install 'nowserving[ed25519]' and restart it."
)


class Webhook(Struct, frozen=True):
    id: str
    account_id: str
    name: str
    url: str
    events: tuple[str, ...]
    """Those it wants; none: all."""
    secret: str
    """"whsec_" or "whsk_" and base64, see `webhook_keys`. It signs, so it is kept as it is."""
    old_secret: str
    """The one before, which may be of the other kind."""
    old_until_ms: int
    created_ms: int
    failing_ms: int
    """Since when nothing has arrived; 0: the last post did, or there was none."""
    off_ms: int
    """Since when it is turned off; 0: it is on."""
    off_why: str
    """Empty where the owner turned it off."""

    @property
    def signing(self) -> str:
        """What kind of signature its secret makes: "hmac" or "ed25519"."""
        return signing_of(self.secret)


class Listeners(Struct, frozen=True, array_like=True):
    """Who is told of a store's events, as the store's row keeps it, so that a change of the store need not look."""

    account_id: str
    of: tuple[tuple[str, tuple[str, ...]], ...]
    """Each webhook's id and the events it wants; none: all."""


_ALL = "id, account_id, name, url, events, secret, old_secret, old_until_ms, created_ms, failing_ms, off_ms, off_why"


def posts_of(account_id: str) -> str:
    """Whose the posts of an account are among the jobs. They outlive the store, so they name nobody."""
    return f"webhooks-{account_id}"


def span(id_: str, since_ms: int = 0, until_ms: int = 9_999_999_999_998) -> tuple[str, str]:
    """Between which ids the posts to a webhook lie that were made in a time, both ends included; the second is past the last one."""
    return f"{id_}-{max(since_ms, 0):013d}", f"{id_}-{min(until_ms, 9_999_999_999_998) + 1:013d}"


def make(webhook: Webhook) -> Operation[Webhook]:
    """Raises: Conflict, when the account has too many."""
    yield from _hold(webhook.account_id)
    found = yield Statement("select count(*) from webhooks where account_id = $1", (webhook.account_id,))
    if found[0][0] >= MOST:
        raise Conflict(f"You have {MOST} webhooks already. Delete one that is not used any more.")
    yield Statement(
        "insert into webhooks (id, account_id, name, url, events, secret, created_ms) values ($1, $2, $3, $4, $5, $6, $7)",
        (webhook.id, webhook.account_id, webhook.name, webhook.url, " ".join(webhook.events), webhook.secret, webhook.created_ms),
    )
    yield from _listen(webhook.account_id)
    return webhook


def every(account_id: str) -> Operation[list[Webhook]]:
    """An account's webhooks, the oldest first."""
    rows = yield Statement(f"select {_ALL} from webhooks where account_id = $1 order by created_ms, id", (account_id,))
    return [_webhook(row) for row in rows]


def one(account_id: str, id_: str) -> Operation[Webhook]:
    """Raises: NotFound."""
    rows = yield Statement(f"select {_ALL} from webhooks where account_id = $1 and id = $2", (account_id, id_))
    if not rows:
        raise NotFound("There is no such webhook. It may have been deleted.")
    return _webhook(rows[0])


def edit(
    account_id: str, id_: str, name: str | None, url: str | None, events: tuple[str, ...] | None, on: bool | None, now_ms: int
) -> Operation[Webhook]:
    """Change a webhook; None leaves as it is. With a new address, or turned on again, it starts with a clean record. Raises: NotFound."""
    yield from _hold(account_id)
    before = yield from one(account_id, id_)
    url = url or before.url
    fresh = url != before.url or (on is True and before.off_ms > 0)
    off_ms, why = before.off_ms, before.off_why
    if on is not None and on == (off_ms > 0):
        off_ms, why = (0, "") if on else (now_ms, "")
    yield Statement(
        "update webhooks set name = $3, url = $4, events = $5, off_ms = $6, off_why = $7, failing_ms = case when $8 = 1 then 0 else failing_ms end"
        " where account_id = $1 and id = $2",
        (
            account_id, id_, before.name if name is None else name, url, " ".join(before.events if events is None else events),
            off_ms, why, int(fresh),
        ),
    )  # fmt: skip
    yield from _listen(account_id)
    return (yield from one(account_id, id_))


def rotate(account_id: str, id_: str, fresh: Mapping[str, str], signing: str, now_ms: int) -> Operation[Webhook]:
    """A new secret; the one before signs as well for a day.

    Args:
        fresh: a new secret for each kind of signature that can be made here.
        signing: the kind from now on; empty: as before.

    Raises:
        NotFound, InvalidInput: there is no such webhook; nothing fresh of that kind.
    """
    yield from _hold(account_id)
    before = yield from one(account_id, id_)
    secret = fresh.get(signing or before.signing)
    if secret is None:
        raise InvalidInput(NO_ED25519, field="signing")
    yield from changed(
        "update webhooks set old_secret = secret, old_until_ms = $4, secret = $3 where account_id = $1 and id = $2",
        account_id, id_, secret, now_ms + OLD_SECRET_MS,
    )  # fmt: skip
    return (yield from one(account_id, id_))


def turn_off(account_id: str, id_: str, url: str, why: str, now_ms: int) -> Operation[Webhook | None]:
    """Turn one off because of what its address said or did; None when it is off already, gone, or at another address by now."""
    yield from _hold(account_id)
    rows = yield Statement(
        f"update webhooks set off_ms = $5, off_why = $4 where account_id = $1 and id = $2 and url = $3 and off_ms = 0 returning {_ALL}",
        (account_id, id_, url, why, now_ms),
    )
    yield from _listen(account_id)
    return _webhook(rows[0]) if rows else None


def remove(account_id: str, id_: str) -> Operation[None]:
    """Delete a webhook with its posts; one that is under way ends with its attempt. Raises: NotFound."""
    yield from _hold(account_id)
    if not (yield from changed("delete from webhooks where account_id = $1 and id = $2", account_id, id_)):
        raise NotFound("There is no such webhook. It may have been deleted.")
    yield from _listen(account_id)
    first, last = span(id_)
    of = posts_of(account_id)
    yield Statement("delete from attempts where store_id = $1 and job_id >= $2 and job_id < $3", (of, first, last))
    yield Statement("delete from jobs where store_id = $1 and id >= $2 and id < $3 and state <> 'leased'", (of, first, last))


def listeners(account_id: str) -> Operation[str]:
    """Who is told now, as a store's row keeps it; empty when nobody is."""
    rows = yield Statement("select id, events from webhooks where account_id = $1 and off_ms = 0 order by id", (account_id,))
    if not rows:
        return ""
    return msgspec.json.encode(Listeners(account_id, tuple((row[0], tuple(row[1].split())) for row in rows))).decode()


def _hold(account_id: str) -> Operation[None]:
    """Nobody else changes the account's webhooks, or opens a store of it, before this transaction ends."""
    yield Statement("update accounts set id = id where id = $1", (account_id,))


def _listen(account_id: str) -> Operation[None]:
    """Let the open store know who is told. The account is held, so that no two say it at once."""
    text = yield from listeners(account_id)
    yield Statement("update stores set webhooks = $2 where account_id = $1 and state = 'open'", (account_id, text))


def _webhook(row: Row) -> Webhook:
    id_, account_id, name, url, events, *rest = row
    return Webhook(id_, account_id, name, url, tuple(events.split()), *rest)
