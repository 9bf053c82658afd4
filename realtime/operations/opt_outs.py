"""Who wants no more messages, by a keyed hash of their address: of the installation, so it outlives every store."""

from __future__ import annotations

from realtime.storage.statement import Operation, Statement

EVERY = ""
"""As a channel: all of them."""


def put(recipient_hash: str, channel: str, source: str, now_ms: int) -> Operation[None]:
    """Nothing more over this channel; the first time counts.

    Args:
        source: "gateway", "reply", "mail" or "page".
    """
    yield Statement(
        "insert into opt_outs (recipient_hash, channel, source, since_ms) values ($1, $2, $3, $4)"
        " on conflict (recipient_hash, channel) do nothing",
        (recipient_hash, channel, source, now_ms),
    )


def take_back(recipient_hash: str, channel: str = EVERY) -> Operation[None]:
    """Messages again over this channel, or over every one."""
    yield Statement(
        "delete from opt_outs where recipient_hash = $1 and ($2 = '' or channel = $2 or channel = '')", (recipient_hash, channel)
    )


def has(recipient_hash: str, channel: str) -> Operation[bool]:
    rows = yield Statement("select 1 from opt_outs where recipient_hash = $1 and channel in ('', $2) limit 1", (recipient_hash, channel))
    return bool(rows)
