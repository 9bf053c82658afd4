"""The OpenAPI 3.1 document, made from the table of endpoints and the message types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

from realtime.errors import BadMessage, InvalidInput, NotAllowed, NotSignedIn, NowServingError, TooLarge, TooMany, Unavailable
from realtime.loading import own_version
from realtime.problem import Problem
from realtime.web import problems
from realtime.web.cookies import Cookies
from realtime.web.endpoint import PARAMETERS, SAFE, Auth, Call, Endpoint
from realtime.web.problems import CrossSite, Unexpected, WrongContentType

REF = "#/components/schemas/{name}"
EXAMPLES: Mapping[str, Any] = {
    "OpenStore": {
        "name": "Luigi's",
        "queues": [{"name": "Table for two"}, {"name": "Table for four"}],
        "timezone": "Europe/Rome",
        "email": "luigi@example.com",
        "password": "four red lanterns",
    },
    "Login": {"email": "luigi@example.com", "password": "four red lanterns"},
    "ForgotPassword": {"email": "luigi@example.com"},
    "ResetPassword": {"token": "q8x1.Zm9vYmFyYmF6cXV4MTIzNA", "password": "five red lanterns"},
    "ChangePassword": {"password": "four red lanterns", "new_password": "five red lanterns"},
    "ChangeEmail": {"password": "four red lanterns", "email": "maria@example.com"},
    "CheckReceipt": {
        "receipt": {
            "store_id": "nzbvlsb5g4ur",
            "opened_ms": 1795393022922,
            "closed_ms": 1795393023155,
            "deleted_ms": 1795393024041,
            "tickets": 3,
            "report": {"report.csv": "fd1cbccb857de5d92c93a854d99c08fa45f9d45cff7f80f6e98b4d467fd231e6"},
            "delivered": True,
        },
        "signature": "de28c979083e82ae3049995c7712cbda83805235fe0f0f1e3af345d0cd357d3b",
    },
    "ConfirmEmail": {"token": "q8x1.Zm9vYmFyYmF6cXV4MTIzNA"},
    "EditStore": {"description": "Kitchen is 15 minutes late", "queues": [{"id": "A", "paused": True}]},
    "ScanCode": {"key": "0d6c1f4be2a94f6f8b1f"},
    "Join": {
        "code": "k3v9x2m4p7qa.Zm9vYmFyYmF6cXV4MTIzNA",
        "key": "0d6c1f4be2a94f6f8b1f",
        "parties": [{"name": "Ann", "queue": "A", "party": 2, "phone": "+39 06 698 57 301"}],
    },
    "WalkIn": {"name": "Bo", "queue": "B", "party": 4},
    "CallNext": {"desk": "Desk 2"},
    "ChangeTicket": {"action": "serve"},
    "NewToken": {"name": "Kitchen printer", "scopes": ["consume"]},
    "Publish": {"message": {"order": 17}, "lane": "table 4"},
    "PublishMany": {"messages": [{"message": {"order": 17}}, {"message": {"order": 18}}]},
    "AcknowledgeMany": {"messages": [{"cid": "1", "id": "1882668100000000017"}]},
    "PutSchedule": {"cron": "0 4 * * *", "timezone": "Europe/Rome", "message": {"message": {"report": "yesterday"}}},
    "AddJob": {"payload": {"order": 17}, "handler": "echo"},
    "RedriveQueue": {"queue": "deliveries", "limit": 10},
    "PurgeQueue": {"queue": "deliveries", "older_than": 86_400},
    "PauseQueue": {"queue": "service"},
    "Reschedule": {"due_ms": 1795393114000},
    "Redrive": {"queue": "default", "limit": 10},
    "Change": {"cid": "1", "id": "1882668100000000017", "vt": 60},
    "SubscribePush": {
        "endpoint": "https://push.example.com/send/Zm9vYmFyYmF6cXV4MTIzNA",
        "keys": {
            "p256dh": "BIPUL12DLfytvTajnryr2PRdAgXS3HGKiLqndGcJGabyhHheJYlNGCeXl1dn18gSJ1WAkAPIxr4gK0_dQds4yiI",
            "auth": "FPssNDTKnInHVndSTdbKFw",
        },
    },
    "NewWebhook": {"url": "https://example.com/nowserving", "name": "Kitchen", "events": ["ticket.joined", "ticket.called"]},
    "EditWebhook": {"events": []},
    "RotateSecret": {"signing": "ed25519"},
    "Replay": {},
    "WriteWording": {"moment": "called", "channel": "sms", "language": "de", "text": "{store}: {number}, Ihr Tisch ist fertig. {link}"},
    "PreviewWording": {"moment": "called", "channel": "sms", "language": "de", "text": "{number}, Ihr Tisch ist fertig. {link}"},
    "TryWording": {"moment": "called", "channel": "email", "language": "de"},
    "ChooseLanguage": {"language": "de"},
    "Seen": {"called_ms": 1795393114000},
    "TradeTicket": {"token": "k3v9x2m4p7qa.12.Zm9vYmFyYmF6cXV4MTIzNA"},
}
"""A body that each request type accepts; the documents' examples are sent in the tests."""
VERSION = own_version()
"""Read once, when the program starts."""
_TEXT = "A waitlist in real time: open a store, let guests join its queues, call them and serve them. Requests and answers are JSON; every change is told at once over the socket `/live`. Errors are RFC 9457 problem documents with a stable `code`."


def document(endpoints: Sequence[Endpoint], *, secure: bool) -> dict[str, Any]:
    """The whole document; `secure` says which of their two names the cookies have."""
    types = [
        Problem,
        *(type_ for endpoint in endpoints for type_ in (endpoint.request, endpoint.response) if type_ not in (None, str, bytes)),
    ]
    _, schemas = msgspec.json.schema_components(types, ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    for name, example in EXAMPLES.items():
        if name in schemas:
            schemas[name]["examples"] = [example]
    return {
        "openapi": "3.1.0",
        "info": {"title": "nowserving", "version": VERSION, "description": _TEXT},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(endpoint.tag for endpoint in endpoints)],
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": _schemes(Cookies(secure))},
    }


def endpoint(endpoints: Sequence[Endpoint]) -> Endpoint:
    """The endpoint that hands the document of all others out."""

    async def show(call: Call[None]) -> Response:
        text = msgspec.json.encode(document(endpoints, secure=call.cookies.secure))
        return Response(text, headers={"Cache-Control": "no-cache"}, media_type="application/json")

    return Endpoint("GET", "/openapi.json", "This description", "Health", show, response=dict[str, Any])


def _schemes(cookies: Cookies) -> dict[str, Any]:
    return {
        "owner": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The access token of POST /v1/login."},
        "session": {"type": "apiKey", "in": "cookie", "name": cookies.session, "description": "The refresh cookie of POST /v1/login."},
        "ticket": {"type": "http", "scheme": "bearer", "description": "The token that POST /v1/tickets answers with."},
        "live": {"type": "http", "scheme": "bearer", "description": "What would open a socket: an access, live or board token."},
        "program": {"type": "http", "scheme": "bearer", "description": "A token of POST /v1/tokens, or the owner's access token."},
        "operator": {"type": "http", "scheme": "bearer", "description": "The setting operator_token of this installation."},
        "metrics": {"type": "http", "scheme": "bearer", "description": "The setting metrics_token of this installation."},
        "ticket_cookie": {"type": "apiKey", "in": "cookie", "name": cookies.tickets, "description": "Set by joining or trading."},
    }


_SECURITY: Mapping[Auth, list[dict[str, list[str]]]] = {
    Auth.NOBODY: [],
    Auth.OWNER: [{"owner": []}],
    Auth.OWNER_IF_GIVEN: [{"owner": []}, {}],
    Auth.SESSION: [{"session": []}],
    Auth.SESSION_IF_GIVEN: [{"session": []}, {}],
    Auth.TICKET: [{"ticket": []}, {"ticket_cookie": []}],
    Auth.LIVE: [{"live": []}, {"ticket_cookie": []}],
    Auth.PROGRAM: [{"program": []}],
    Auth.OPERATOR: [{"operator": []}],
    Auth.METRICS: [{"operator": []}, {"metrics": []}],
}


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__module__.rpartition(".")[2].removeprefix("api_") + "_" + endpoint.handler.__name__,
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "security": _SECURITY[endpoint.auth],
        "parameters": _parameters(endpoint),
        "responses": _responses(endpoint),
    }
    if endpoint.request is not None:
        schema = {"$ref": REF.format(name=endpoint.request.__name__)}
        example = EXAMPLES[endpoint.request.__name__]
        content = {"application/json": {"schema": schema, "example": example}}
        operation["requestBody"] = {"required": endpoint.needs_body, "content": content}
    if endpoint.form:
        any_fields = {"schema": {"type": "object"}}
        operation["requestBody"] = {"content": {"application/x-www-form-urlencoded": any_fields, "application/json": any_fields}}
    return operation


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found = []
    for name in endpoint.parameters:
        parameter = PARAMETERS[name]
        schema: dict[str, Any] = {"type": "string", "pattern": parameter.pattern}
        if parameter.number:
            schema = {"type": "integer", "minimum": 1, "maximum": 10**15 - 1}
        found.append(
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": parameter.description,
                "schema": schema,
                "example": parameter.example,
            }
        )
    if endpoint.query is not None:
        schema = msgspec.json.schema_components([endpoint.query], ref_template=REF)[1][endpoint.query.__name__]
        needed = schema.get("required", ())
        found += [
            {"name": name, "in": "query", "required": name in needed, "description": field.get("description", ""), "schema": field}
            for name, field in schema["properties"].items()
        ]
    if endpoint.tagged:
        found.append(
            {
                "name": "If-None-Match",
                "in": "header",
                "required": False,
                "description": "The ETag of an earlier answer.",
                "schema": {"type": "string"},
            }
        )
    if endpoint.idempotent:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "A random text of your own; the same request with the same key gets the same answer and happens once.",
                "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
                "example": "5f0c1c1e-9a52-4d1c-8f43-2f5f3f0a7c11",
            }
        )
    return found


def errors_of(endpoint: Endpoint) -> list[type[NowServingError]]:
    """Everything that can go wrong at an endpoint."""
    found: list[type[NowServingError]] = [PARAMETERS[name].missing for name in endpoint.parameters]
    found += endpoint.errors
    if endpoint.auth in {Auth.OWNER, Auth.OWNER_IF_GIVEN, Auth.SESSION, Auth.TICKET, Auth.LIVE, Auth.PROGRAM, Auth.OPERATOR, Auth.METRICS}:
        found.append(NotSignedIn)
    if endpoint.auth is Auth.PROGRAM or (endpoint.auth is Auth.OWNER and "store_id" in endpoint.parameters):
        found.append(NotAllowed)
    if endpoint.method not in SAFE and endpoint.auth not in {Auth.OWNER, Auth.PROGRAM, Auth.OPERATOR}:
        found.append(CrossSite)
    if endpoint.request is not None:
        found += [BadMessage, TooLarge, WrongContentType, InvalidInput]
    if endpoint.form:
        found.append(TooLarge)
    if endpoint.idempotent or endpoint.query is not None:
        found.append(InvalidInput)
    if endpoint.limited or endpoint.auth in {Auth.OPERATOR, Auth.METRICS, Auth.PROGRAM}:
        found.append(TooMany)
    return [*dict.fromkeys([*found, Unexpected, Unavailable])]


_QUOTA = {
    "RateLimit-Policy": {"description": "The rule: its name, how many requests (q) in how many seconds (w).", "schema": {"type": "string"}},
    "RateLimit": {"description": "What it leaves: requests (r), and seconds until all are there again (t).", "schema": {"type": "string"}},
}


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    good: dict[str, Any] = {"description": HTTPStatus(endpoint.status).phrase}
    if endpoint.response is not None:
        good["content"] = {endpoint.media_type: {"schema": _schema(endpoint.response)}}
    if endpoint.sets_cookie:
        good["headers"] = {"Set-Cookie": {"description": "HttpOnly, SameSite, Path=/.", "schema": {"type": "string"}}}
    if endpoint.located:
        where = {"description": "Where to look further, a path on this server.", "schema": {"type": "string"}}
        good["headers"] = good.get("headers", {}) | {"Location": where}
    if endpoint.limited or endpoint.auth is Auth.PROGRAM:
        good["headers"] = good.get("headers", {}) | _QUOTA
    if endpoint.tagged:
        tag = {"ETag": {"description": "Where the topic stands.", "schema": {"type": "string"}}}
        good["headers"] = good.get("headers", {}) | tag
        return {str(endpoint.status): good, "304": {"description": "Not Modified", "headers": tag}, **_problems(endpoint)}
    return {str(endpoint.status): good, **_problems(endpoint)}


def _problems(endpoint: Endpoint) -> dict[str, Any]:
    by_status: dict[int, list[NowServingError]] = {}
    for kind in errors_of(endpoint):
        error = kind().for_owner() if endpoint.auth is Auth.OWNER else kind()
        by_status.setdefault(error.status, []).append(error)
    return {str(status): _problem(status, group) for status, group in sorted(by_status.items())}


def _problem(status: int, errors: Sequence[NowServingError]) -> dict[str, Any]:
    examples = {error.code: {"value": msgspec.to_builtins(problems.problem(error))} for error in errors}
    found: dict[str, Any] = {
        "description": HTTPStatus(status).phrase + ": " + ", ".join(f"`{code}`" for code in examples),
        "content": {problems.MEDIA_TYPE: {"schema": {"$ref": REF.format(name="Problem")}, "examples": examples}},
    }
    if status in {429, 503}:
        found["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
    if status == 401:
        found["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return found


def _schema(type_: Any) -> dict[str, Any]:
    if type_ is bytes:
        return {"type": "string", "format": "binary"}
    (schema,), _ = msgspec.json.schema_components([type_], ref_template=REF)
    return schema
