"""The headers that protect a visitor's browser, put beside what an answer says of itself. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""For answers that are no pages: shown by themselves they can do nothing."""
YEAR_SECONDS = 31_536_000

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PAGE = {
    "Content-Security-Policy": POLICY,
    # Not no-referrer: with that, browsers send "Origin: null" with a form (Fetch section 3.2), as a stranger's page would.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_DATA = {"Content-Security-Policy": DATA_POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


def protected(headers: Iterable[tuple[bytes, bytes]], secure: bool) -> list[tuple[bytes, bytes]]:
    """An answer's headers with ours, which say nothing that they say already. Raw and in one pass: this runs for every answer."""
    given = list(headers)
    names = dict(given)  # in small letters, as ASGI has it
    kind = _PAGE_RAW if names.get(b"content-type", b"").startswith(b"text/html") else _DATA_RAW
    given += kind if names.keys().isdisjoint(_NAMES) else [pair for pair in kind if pair[0] not in names]
    if secure:
        given.append(_STAY_ON_TLS)
    return given


def protected_lines(headers: Sequence[tuple[bytes, bytes]], secure: bool) -> bytes:
    """The same as the lines that are written, but for Content-Length.

    Raises:
        ValueError: a header has a line end in it.
    """
    names = dict(headers)
    if not names.keys().isdisjoint(_NAMES) or names.get(b"content-type") != b"application/json":
        headers, always = protected(headers, secure), b""
    else:
        always = _DATA_LINES[secure]
    own = b"".join([part for name, value in headers if name != b"content-length" for part in (name, b": ", value, b"\r\n")])
    if not own.count(b"\n") == own.count(b"\r") == own.count(b"\r\n") <= len(headers) - (b"content-length" in names):
        raise ValueError("A header of an answer has a line end in it.")
    return own + always


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


_PAGE_RAW = _raw({**_ALWAYS, **_PAGE})
_DATA_RAW = _raw({**_ALWAYS, **_DATA})
_NAMES = {name for name, _ in (*_PAGE_RAW, *_DATA_RAW)}
_STAY_ON_TLS = (b"strict-transport-security", f"max-age={YEAR_SECONDS}; includeSubDomains".encode())


_DATA_LINES = [b"".join(b"%b: %b\r\n" % pair for pair in lines) for lines in (_DATA_RAW, [*_DATA_RAW, _STAY_ON_TLS])]
"""What stands on an answer in JSON, without and with TLS."""
