"""What a refusal says over HTTP."""

from __future__ import annotations

from http import HTTPStatus

from msgspec import Struct

from realtime.errors import NowServingError

MEDIA_TYPE = "application/problem+json"


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


def problem(error: NowServingError) -> Problem:
    """What an error says."""
    title = HTTPStatus(error.status).phrase
    return Problem(f"/docs#{error.code}", title, error.status, error.message, error.code, error.field, error.retry)
