"""Errors as they come back over the wire: a code, a close code or a refused handshake in, one error of the tree in errors.py out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from realtime.errors import BadMessage, Dropped, NowServingError, Overloaded, Unavailable

UNSUPPORTED, NOT_UTF8 = 1003, 1007
FINAL = range(4400, 5000)


class Unanswered(Dropped):
    """A command was sent, and the connection ended before its reply: it may have been done or not, so it is not sent again by itself."""

    retry: ClassVar[bool] = False
    sentence = "The connection was lost before the reply came, so nobody knows whether it was done. Look first, then send it again."


def _all(kind: type[NowServingError]) -> Iterator[type[NowServingError]]:
    yield kind
    for each in kind.__subclasses__():
        # Others may have subclasses of their own with the same code.
        if each.__module__ == NowServingError.__module__:
            yield from _all(each)


_BY_CODE: Mapping[str, type[NowServingError]] = {kind.code: kind for kind in _all(NowServingError)}
_BY_CLOSE_CODE: Mapping[int, type[NowServingError]] = {
    UNSUPPORTED: BadMessage,
    NOT_UTF8: BadMessage,
    # Of those that share a close code the most general is meant.
    **{kind.close_code: kind for kind in reversed([*_all(NowServingError)]) if kind.close_code is not None},
}


def refusal(said: Mapping[str, Any]) -> NowServingError:
    """The error that a reply's `error`, or a problem document, describes. Codes of another version become the most general error that says as much."""
    kind = _BY_CODE.get(said.get("code", ""))
    if kind is None:
        kind = Unavailable if said.get("retry") else NowServingError
    return kind(said.get("message") or said.get("detail"), field=said.get("field"))


def ended(code: int, reason: str = "") -> NowServingError:
    """What the end of a connection means. Coming back helps if the error's `retry` says so.

    Args:
        code: the close code; 0 where the connection was lost without one.
        reason: the server's own sentence, where it sent one.
    """
    kind = _BY_CLOSE_CODE.get(code, NowServingError if code in FINAL else Dropped)
    return kind(reason or None)


def refused(status: int, headers: Mapping[str, str], body: bytes) -> NowServingError:
    """What a refused handshake means. Only the server's own word (RFC 9457) is final; anything else may be the network's, and pass.

    Args:
        headers: looked up by names in lower case.
    """
    after = headers.get("retry-after", "")
    seconds = int(after) if after.isdecimal() else None
    if headers.get("content-type", "").startswith("application/problem+json"):
        try:
            error = refusal(msgspec.json.decode(body, type=dict[str, Any]))
        except msgspec.MsgspecError:
            error = Dropped()
    else:
        error = Overloaded() if status == 503 else Dropped(f"The server answered the handshake with {status}.")
    error.retry_after = seconds
    return error
