"""Trace context (W3C Recommendation): what a request says of the trace it belongs to, handed on unchanged with what it causes later."""

from __future__ import annotations

import re

_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?")
_STATE = re.compile(r"[ -~]*")
MOST = 512
"""Characters of each header: what the recommendation wants to be handed on."""


def context(parent: str | None, state: str | None) -> str:
    """The two headers as one text; empty where they are none, which the recommendation wants to be ignored and never refused."""
    if not parent or len(parent) > MOST or not _PARENT.fullmatch(parent):
        return ""
    state = (state or "").strip()
    return f"{parent} {state}" if state and len(state) <= MOST and _STATE.fullmatch(state) else parent


def split(trace: str) -> tuple[str, str]:
    """`traceparent` and `tracestate` of a context."""
    parent, _, state = trace.partition(" ")
    return parent, state
