"""Who wants no more messages, by a keyed hash of their address: of the installation, so it outlives every store."""

from __future__ import annotations

from enum import StrEnum

from realtime.storage.statement import Operation, Statement

EVERY = ""
"""As a channel: all of them."""
LINE = ":line"
"""Behind a channel: what is not a call, over it."""


class Choice(StrEnum):
    """What somebody wants to be told."""

    ALL = "all"
    CALLS = "calls"
    """Only that it is their turn."""
    NONE = "none"


def put(recipient_hash: str, channel: str, source: str, now_ms: int) -> Operation[None]:
    """Nothing more over this channel; the first time counts.

    Args:
        source: "gateway", "reply", "mail", "page", "bounce" or "complaint".
    """
    yield Statement(
        "insert into opt_outs (recipient_hash, channel, source, since_ms) values ($1, $2, $3, $4)"
        " on conflict (recipient_hash, channel) do nothing",
        (recipient_hash, channel, source, now_ms),
    )


def suppress(recipient: str, recipient_hash: str, channel: str, source: str, now_ms: int) -> Operation[str]:
    """The same for somebody who did not say so themselves, but not for an owner, whose report must arrive. Returns the owner's account, or nothing."""
    owners = yield Statement("select id from accounts where email = $1", (recipient.strip().lower(),))
    if owners:
        return str(owners[0][0])
    yield from put(recipient_hash, channel, source, now_ms)
    return ""


def take_back(recipient_hash: str, channel: str = EVERY) -> Operation[None]:
    """Messages again over this channel, or over every one; over one, who wanted calls only goes on to get these."""
    yield Statement(
        "delete from opt_outs where recipient_hash = $1 and ($2 = '' or channel = $2 or channel = '')", (recipient_hash, channel)
    )


def chosen(recipient_hash: str, channel: str) -> Operation[Choice]:
    choice, _ = yield from chosen_by(recipient_hash, channel)
    return choice


def chosen_by(recipient_hash: str, channel: str) -> Operation[tuple[Choice, str]]:
    """What somebody wants over a channel, and whence that is known; a word for every channel goes before others."""
    rows = yield Statement(
        "select channel, source from opt_outs where recipient_hash = $1 and channel in ('', $2, $3, $4) order by channel",
        (recipient_hash, channel, LINE, channel + LINE),
    )
    if not rows:
        return Choice.ALL, ""
    stops = [source for of, source in rows if not of.endswith(LINE)]
    return (Choice.NONE, stops[0]) if stops else (Choice.CALLS, rows[0][1])


def choose(recipient_hash: str, channel: str, choice: Choice, source: str, now_ms: int) -> Operation[None]:
    """What is wanted over a channel from now on, in place of whatever was said before; said twice, the first time counts."""
    if choice is Choice.NONE:
        yield from put(recipient_hash, channel, source, now_ms)
        return
    kept = channel + LINE if choice is Choice.CALLS else None
    yield Statement(
        "delete from opt_outs where recipient_hash = $1 and ($2 = '' or channel in ('', $2, $3, $4)) and channel <> coalesce($5, '-')",
        (recipient_hash, channel, LINE, channel + LINE, kept),
    )
    if kept:
        yield from put(recipient_hash, kept, source, now_ms)
