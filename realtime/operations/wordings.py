"""What an owner has guests told in place of our texts: kept for the account, read when a guest of theirs is owed a message."""

from __future__ import annotations

from realtime.errors import Conflict, NotSignedIn
from realtime.model import Delivery
from realtime.operations.changes import Change, owe
from realtime.storage.statement import Operation, Statement, changed
from realtime.wording import OwnText

MOST_LANGUAGES = 24
"""In so many languages one account may write."""
_TEXT = "moment, channel, language, subject, text"


def every(account_id: str) -> Operation[tuple[OwnText, ...]]:
    """All texts of an account."""
    found = yield Statement(f"select {_TEXT} from wordings where account_id = $1 order by language, moment, channel", (account_id,))
    return tuple(OwnText(*row) for row in found)


def of_store(store_id: str, moment: str) -> Operation[tuple[OwnText, ...]]:
    """Those for one moment, of the account that a store belongs to."""
    found = yield Statement(
        f"select {_TEXT} from wordings where account_id = (select account_id from stores where id = $1) and moment = $2", (store_id, moment)
    )
    return tuple(OwnText(*row) for row in found)


def write(account_id: str, text: OwnText) -> Operation[None]:
    """Keep a text in place of the one before it. What is owed from now on says it.

    Raises:
        Conflict: there would be too many languages.
        NotSignedIn: there is no such account any more.
    """
    yield from _hold(account_id)
    known = yield Statement("select distinct language from wordings where account_id = $1 and language <> $2", (account_id, text.language))
    if len(known) >= MOST_LANGUAGES:
        raise Conflict(f"You have texts in {MOST_LANGUAGES} languages already. Put our texts back in one of them first.", field="language")
    yield Statement(
        "insert into wordings (account_id, moment, channel, language, subject, text) values ($1, $2, $3, $4, $5, $6)"
        " on conflict (account_id, moment, channel, language) do update set subject = excluded.subject, text = excluded.text",
        (account_id, text.moment, text.channel, text.language, text.subject, text.text),
    )
    yield from carry_over(account_id)


def reset(account_id: str, moment: str, channel: str, language: str) -> Operation[bool]:
    """Put our text back; False when it was never away."""
    yield from _hold(account_id)
    gone = yield from changed(
        "delete from wordings where account_id = $1 and moment = $2 and channel = $3 and language = $4",
        account_id, moment, channel, language,
    )  # fmt: skip
    yield from carry_over(account_id)
    return bool(gone)


def language(account_id: str) -> Operation[str]:
    """What guests read who did not say; empty: English."""
    found = yield Statement("select language from accounts where id = $1", (account_id,))
    if not found:
        raise NotSignedIn
    return str(found[0][0])


def set_language(account_id: str, tag: str) -> Operation[None]:
    """Raises: NotSignedIn."""
    if not (yield from changed("update accounts set language = $2 where id = $1", account_id, tag)):
        raise NotSignedIn
    yield from carry_over(account_id)


def _hold(account_id: str) -> Operation[None]:
    """Nobody else opens a store of the account, or writes, before this transaction ends."""
    if not (yield from changed("update accounts set language = language where id = $1", account_id)):
        raise NotSignedIn


def carry_over(account_id: str) -> Operation[None]:
    """The open store's row says what whoever joins must know, so that nobody looks for texts in vain. The account's row must be held."""
    yield from changed(
        "update stores set language = (select language from accounts where id = $1),"
        " worded = case when exists (select 1 from wordings where account_id = $1) then 1 else 0 end"
        " where account_id = $1 and state = 'open'",
        account_id,
    )


def try_out(account_id: str, unique: str, deliveries: tuple[Delivery, ...], now_ms: int) -> Operation[Change]:
    """Owe an owner a message as a guest would get it."""
    return Change(None, (), (yield from owe(f"account-{account_id}", f"test-{unique}", deliveries, now_ms)))
