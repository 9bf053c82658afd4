"""The AsyncAPI 3.0 document of the live socket, made from the message types, the close codes and the tree of errors."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from starlette.responses import Response

from realtime import errors, protocol
from realtime.errors import CannotStart, NowServingError
from realtime.live_messages import CONFLATED, PUSHES, STATES, SUBPROTOCOL, Disconnect, Nothing, Presence, Refusal, Replay
from realtime.messages import OwnerSnapshot, OwnerTicket, WalkedIn
from realtime.web.endpoint import Call, Endpoint
from realtime.web.listening import Hears

REF = "#/components/schemas/{name}"
CHANNEL = {"$ref": "#/channels/live"}

REPLIES: Mapping[str, tuple[type[Struct], ...]] = {
    "authenticate": (Hears,),
    "subscribe": (*STATES, Replay),
    "unsubscribe": (Nothing,),
    "call_next": (OwnerTicket,),
    "change_ticket": (OwnerTicket,),
    "walk_in": (WalkedIn,),
    "edit_store": (OwnerSnapshot,),
    "leave": (Nothing,),
    "seen": (Nothing,),
}
"""What the `ok` of a command's reply may be, by verb."""

SUMMARIES: Mapping[str, str] = {
    "authenticate": "Sign in; the first message, and again before the sign-in ends",
    "subscribe": "Hear a topic, from its whole state or from where one was",
    "unsubscribe": "Hear a topic no longer",
    "call_next": "Call the next party of a queue; owners only",
    "change_ticket": "Move a ticket; owners only",
    "walk_in": "Add a party; owners only",
    "edit_store": "Change the store or its queues; owners only",
    "leave": "Give the place up; a ticket's own party only",
    "seen": "The page shows that it is the party's turn; a ticket's own party only",
}

OTHER_CLOSE_CODES: Mapping[int, tuple[str, bool]] = {
    1000: ("The client went.", False),
    1001: ("The client went.", False),
    1002: ("What came is no WebSocket frame of a client's (RFC 6455).", True),
    1003: ("A binary message came.", False),
    1007: ("A text came that is not UTF-8.", False),
    1011: (NowServingError.sentence, True),
}
"""Those that no error has: what they mean, and whether to come back."""

_TEXT = (
    "What `/live` tells and is told, in JSON text frames. Sign in with the first message, within 10 seconds, then subscribe. "
    "A push is one committed change: the thing it names is from now on exactly as given. For each topic drop what is not newer than the last `seq`, "
    "apply the next, and when one is missing subscribe to that topic again with `since`. In words: docs/protocol.md."
)
_SERVERS = {
    name: {
        "host": "{host}",
        "protocol": scheme,
        "description": words,
        "variables": {"host": {"default": default, "description": "Where this installation is reached."}},
    }
    for name, scheme, default, words in (
        ("public", "wss", "localhost", "An installation behind TLS."),
        ("local", "ws", "localhost:8000", "One that is being tried out."),
    )
}


def errors_on_the_wire() -> list[type[NowServingError]]:
    """Every error that a client can be told, by code."""
    found = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, NowServingError)]
    return sorted((kind for kind in found if not issubclass(kind, CannotStart)), key=lambda kind: kind.code)


def close_codes() -> dict[str, dict[str, Any]]:
    """Every close code: the error it stands for, what it means, and whether the client is to come back."""
    found = {str(code): {"error": None, "means": means, "come_back": back} for code, (means, back) in OTHER_CLOSE_CODES.items()}
    for kind in errors_on_the_wire():
        # What inherits its close code from a more general error stands under that one.
        if kind.close_code is not None and "close_code" in vars(kind):
            found[str(kind.close_code)] = {"error": kind.code, "means": kind.sentence, "come_back": kind.retry}
    return dict(sorted(found.items()))


def document() -> dict[str, Any]:
    """The whole document. What AsyncAPI has no place for, close codes and errors, stands in `x-close-codes` and `x-errors`."""
    answers = dict.fromkeys(kind for kinds in REPLIES.values() for kind in kinds)
    types = [*protocol.VERBS.values(), *answers, *PUSHES, *CONFLATED, Presence, Disconnect, Refusal]
    _, schemas = msgspec.json.schema_components(types, ref_template=REF)
    _complete(schemas)
    messages = dict(_messages())
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "nowserving", "version": "1", "description": _TEXT},
        "defaultContentType": "application/json",
        "servers": _SERVERS,
        "channels": {
            "live": {
                "address": "/live",
                "title": "The live socket",
                "description": f"WebSocket, subprotocol {SUBPROTOCOL}. At most 100 messages a minute, 16 topics, 32 commands that wait for their replies; up to 16 in one text, each on a line of its own. The server puts several in one text, too, on a busy topic any number.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET", "headers": _handshake(), "bindingVersion": "0.1.0"}},
            }
        },
        "operations": dict(_operations()),
        "components": {"messages": messages, "schemas": dict(sorted(schemas.items()))},
        "x-close-codes": close_codes(),
        "x-errors": {
            kind.code: {"status": kind.status, "close_code": kind.close_code, "retry": kind.retry, "message": kind.sentence}
            for kind in errors_on_the_wire()
        },
    }


def endpoint() -> Endpoint:
    """The endpoint that hands it out."""

    async def asyncapi(call: Call[None]) -> Response:
        return Response(msgspec.json.encode(document()), headers={"Cache-Control": "no-cache"}, media_type="application/json")

    return Endpoint(
        "GET", "/asyncapi.json", "What the live socket tells and is told, as AsyncAPI", "Health", asyncapi, response=dict[str, Any]
    )


def _complete(schemas: dict[str, Any]) -> None:
    """What the types cannot say: which pushes a replay holds, and which codes a refusal."""
    pushes = [{"$ref": REF.format(name=kind.__name__)} for kind in PUSHES]
    schemas[Replay.__name__]["properties"]["events"]["items"] = {"anyOf": pushes}
    # Any other code has a sentence of its own as well; later versions may add some.
    schemas[Refusal.__name__]["properties"]["code"]["examples"] = [kind.code for kind in errors_on_the_wire()]


def _handshake() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["Sec-WebSocket-Protocol"],
        "properties": {
            "Sec-WebSocket-Protocol": {"type": "string", "const": SUBPROTOCOL},
            "Origin": {"type": "string", "description": "From browsers; must be this server's own, exactly."},
        },
    }


def _messages() -> Iterator[tuple[str, dict[str, Any]]]:
    for verb, kind in protocol.VERBS.items():
        yield verb, _numbered(verb, verb, {"$ref": REF.format(name=kind.__name__)}, SUMMARIES[verb])
        yield f"{verb}_reply", _numbered(f"{verb}_reply", "ok", _any(REPLIES[verb]), f"The reply to {verb}")
    yield (
        "refused",
        _numbered("refused", "error", {"$ref": REF.format(name=Refusal.__name__)}, "A command was refused; nothing was changed"),
    )
    pushes: tuple[type[Struct], ...] = (*PUSHES, *CONFLATED, Presence, Disconnect)
    for push in pushes:
        yield push.__name__, _message(push.__name__, {"$ref": REF.format(name=push.__name__)}, inspect.getdoc(push) or "")
    yield "ping", _message("ping", _empty(), "Every 25 seconds, give or take a tenth; answer within 10 seconds")
    yield "pong", _message("pong", _empty(), "The answer to a ping")


def _message(name: str, payload: dict[str, Any], summary: str) -> dict[str, Any]:
    return {"name": name, "summary": summary.partition("\n")[0], "contentType": "application/json", "payload": payload}


def _numbered(name: str, key: str, body: dict[str, Any], summary: str) -> dict[str, Any]:
    number = {"type": "integer", "minimum": 0, "maximum": 2**53, "description": "The client's own number; the reply carries it."}
    payload = {"type": "object", "properties": {"id": number, key: body}, "required": ["id", key], "additionalProperties": False}
    return {**_message(name, payload, summary), "correlationId": {"location": "$message.payload#/id"}}


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """As the server sees them: it receives commands, and sends the rest."""
    for verb in protocol.VERBS:
        yield (
            verb,
            {
                "action": "receive",
                "channel": CHANNEL,
                "summary": SUMMARIES[verb],
                "messages": [_of_channel(verb)],
                "reply": {"channel": CHANNEL, "messages": [_of_channel(f"{verb}_reply"), _of_channel("refused")]},
            },
        )
    kinds: tuple[type[Struct], ...] = (*PUSHES, *CONFLATED, Presence)
    told = [_of_channel(kind.__name__) for kind in kinds]
    yield "push", {"action": "send", "channel": CHANNEL, "summary": "Something changed on a topic", "messages": told}
    yield "say_goodbye", {
        "action": "send", "channel": CHANNEL, "summary": "Says when to come back, before a planned end", "messages": [_of_channel("Disconnect")],
    }  # fmt: skip
    yield (
        "ping",
        {
            "action": "send",
            "channel": CHANNEL,
            "summary": "Asks whether the client is still there",
            "messages": [_of_channel("ping")],
            "reply": {"channel": CHANNEL, "messages": [_of_channel("pong")]},
        },
    )


def _of_channel(name: str) -> dict[str, Any]:
    return {"$ref": f"#/channels/live/messages/{name}"}


def _any(kinds: Sequence[type[Struct]]) -> dict[str, Any]:
    references = [{"$ref": REF.format(name=kind.__name__)} for kind in kinds]
    return references[0] if len(references) == 1 else {"anyOf": references}


def _empty() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "maxProperties": 0}
