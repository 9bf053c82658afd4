"""What a refusal says over HTTP."""

from __future__ import annotations

from msgspec import Struct


class Problem(Struct, frozen=True, omit_defaults=True):
    """An RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    retry: bool = False
    fields: list[dict[str, str]] = []
    """Every value that is wrong, each with `field` and `detail`, when there are several."""
