"""Errors as answers: RFC 9457 problem documents for programs, a page in plain words for people."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from jinja2 import Environment
from starlette.responses import HTMLResponse, Response

from realtime.errors import NotSignedIn, NowServingError, TooMany
from realtime.problem import MEDIA_TYPE as MEDIA_TYPE
from realtime.problem import problem as problem
from realtime.web.phrasebook import ENGLISH, Phrasebook

RETRY_SECONDS = 2
"""What a busy server asks for when it knows no better."""

log = logging.getLogger(__name__)


class MethodNotAllowed(NowServingError):
    code = "method_not_allowed"
    status = 405
    sentence = "That cannot be done at this address. The Allow header says what can."

    def __init__(self, allowed: str) -> None:
        self.allowed = allowed
        super().__init__()


class UpgradeRequired(NowServingError):
    code = "upgrade_required"
    status = 426
    sentence = (
        "This address speaks WebSocket, with the subprotocol nowserving.v1. Where that cannot be had, listen at /live/sse, or ask /v1/live."
    )


class WrongContentType(NowServingError):
    code = "wrong_content_type"
    status = 415
    sentence = "Send JSON, with the header Content-Type: application/json."


class CrossSite(NowServingError):
    code = "cross_site"
    status = 403
    sentence = "This request came from another website. Open the page at its own address and try again."


class Unexpected(NowServingError):
    """Nobody foresaw it; the log says more."""

    code = "internal_error"
    status = 500
    retry = True


def headers(error: NowServingError) -> dict[str, str]:
    found = {"Cache-Control": "no-store"}
    if error.status in {429, 503}:
        found["Retry-After"] = str(error.retry_after or RETRY_SECONDS)
    if isinstance(error, TooMany):
        found |= error.headers
    if isinstance(error, NotSignedIn):
        found["WWW-Authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        found["Allow"] = error.allowed
    if isinstance(error, UpgradeRequired):
        found |= {"Upgrade": "websocket", "Connection": "Upgrade"}
    return found


def document(error: NowServingError) -> Response:
    return Response(msgspec.json.encode(problem(error)), error.status, headers(error), MEDIA_TYPE)


def page(error: NowServingError, templates: Environment, words: Phrasebook, name: str = "problem.html", **more: Any) -> Response:
    """The same for a person, in their language."""
    said = problem(error)
    message = words.fault(error)
    values = {
        "problem": said,
        "code": said.code,
        "title": said.title if words is ENGLISH else message,
        "message": message,
        "status": said.status,
        "page_data": {},
        "words": words,
        **more,
    }
    return HTMLResponse(templates.get_template(name).render(values), error.status, headers(error) | in_language(words))


def in_language(words: Phrasebook) -> dict[str, str]:
    """The headers that keep a page in one language from whoever asks for another."""
    return {"Content-Language": words.language, "Vary": "Accept-Language"}


def unexpected(error: Exception, where: str) -> Unexpected:
    """Logs once what nobody foresaw, by the route's pattern: addresses hold codes, and they stay out of the log."""
    log.error("%s failed", where, exc_info=error)
    return Unexpected()
