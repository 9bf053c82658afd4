"""The description of the live socket: whole, in the form that AsyncAPI 3.0 asks for, and true to the types, the close codes and the errors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from websockets.frames import EXTERNAL_CLOSE_CODES

from realtime.protocol import VERBS
from realtime.server import reader
from realtime.web import asyncapi
from tests.web.conftest import House

DOCS = Path(__file__).parents[2] / "docs"
ALLOWED = {
    "": {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"},
    "info": {"title", "version", "description", "termsOfService", "contact", "license", "tags", "externalDocs"},
    "server": {"host", "protocol", "protocolVersion", "pathname", "description", "title", "summary", "variables", "security", "tags", "bindings"},
    "channel": {"address", "messages", "title", "summary", "description", "servers", "parameters", "tags", "externalDocs", "bindings"},
    "operation": {"action", "channel", "title", "summary", "description", "security", "tags", "bindings", "traits", "messages", "reply"},
    "reply": {"address", "channel", "messages"},
    "message": {"headers", "payload", "correlationId", "contentType", "name", "title", "summary", "description", "tags", "bindings", "examples", "traits"},
    "components": {"schemas", "messages"},
}  # fmt: skip
"""The fields of each object of the specification (https://www.asyncapi.com/docs/reference/specification/v3.0.0), of the last only those used."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi.document()


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def at(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def test_each_object_has_the_fields_of_the_specification(document: dict[str, Any]) -> None:
    (channel,) = document["channels"].values()

    assert document["asyncapi"] == "3.0.0"
    assert {name for name in document if not name.startswith("x-")} <= ALLOWED[""]
    assert {"title", "version"} <= document["info"].keys() <= ALLOWED["info"]
    assert all({"host", "protocol"} <= server.keys() <= ALLOWED["server"] for server in document["servers"].values())
    assert channel.keys() <= ALLOWED["channel"]
    assert channel["bindings"]["ws"].keys() == {"method", "headers", "bindingVersion"}
    assert document["components"].keys() <= ALLOWED["components"]
    for operation in document["operations"].values():
        assert {"action", "channel"} <= operation.keys() <= ALLOWED["operation"]
        assert operation["action"] in {"send", "receive"}
        assert operation.get("reply", {}).keys() <= ALLOWED["reply"]
    for message in document["components"]["messages"].values():
        assert {"payload"} <= message.keys() <= ALLOWED["message"]


def test_operations_lead_through_the_channel_to_messages_with_payloads(document: dict[str, Any]) -> None:
    """The specification: an operation's messages must be references into its channel, not into the components."""
    reached = set()
    for operation in document["operations"].values():
        for part in (operation, operation.get("reply", {})):
            for message in part.get("messages", ()):
                assert message["$ref"].startswith("#/channels/live/messages/")
                reached.add(at(document, message["$ref"])["$ref"])

    assert reached == {f"#/components/messages/{name}" for name in document["components"]["messages"]}
    assert document["channels"]["live"]["messages"].keys() == document["components"]["messages"].keys()


def test_every_reference_leads_somewhere_and_no_schema_is_left_over(document: dict[str, Any]) -> None:
    found = set(references(document))

    assert all(at(document, reference) for reference in found)
    assert {name.rpartition("/")[2] for name in found if "/schemas/" in name} == document["components"]["schemas"].keys()


def test_every_schema_is_one(document: dict[str, Any]) -> None:
    for name in document["components"]["messages"]:
        whole = {"$ref": f"#/components/messages/{name}/payload", "components": document["components"]}
        assert not jsonschema_rs.validator_for(whole).is_valid("a text, which no message is"), name


def test_every_verb_is_an_operation_with_its_reply(document: dict[str, Any]) -> None:
    assert asyncapi.REPLIES.keys() == asyncapi.SUMMARIES.keys() == VERBS.keys()
    for verb in VERBS:
        operation = document["operations"][verb]
        assert operation["action"] == "receive"
        assert [message["$ref"].rpartition("/")[2] for message in operation["reply"]["messages"]] == [f"{verb}_reply", "refused"]


def test_every_error_and_every_close_code_of_the_protocol_is_in_it(document: dict[str, Any]) -> None:
    words = (DOCS / "protocol.md").read_text()
    table = words.partition("| close code |")[2].partition("\n\n")[0]
    codes = {code.strip() for row in table.splitlines()[2:] for code in row.split("|")[1].split(",")}

    assert document["x-close-codes"].keys() == codes
    assert all(f"| `{code}` | {error['status']} |" in words for code, error in document["x-errors"].items())
    for code, said in document["x-close-codes"].items():
        (row,) = [row for row in table.splitlines()[2:] if code in row.split("|")[1]]
        assert (f"`{said['error']}`" if said["error"] else "") in row
        assert said["come_back"] is ("comes back" in row)


def test_what_the_code_can_close_a_socket_with_is_what_is_documented(document: dict[str, Any]) -> None:
    sent = {code for file in (DOCS.parent / "realtime").rglob("*.py") for code in closing(ast.parse(file.read_bytes()))}
    sent |= {kind.close_code for kind in asyncapi.errors_on_the_wire() if kind.close_code is not None}
    sent |= {code for name, code in vars(reader).items() if name.isupper() and code in EXTERNAL_CLOSE_CODES}
    # A client's own goodbye is sent back to it.
    sent |= {1000, 1001}

    assert {1002, 1003, 1007, 1009, 1011, 1012, 1013, 4008} <= sent
    assert document["x-close-codes"].keys() == {str(code) for code in sent}


def closing(tree: ast.AST) -> Iterator[int]:
    """Close codes that are written out where something is closed or refused."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and call.args and ast.unparse(call.func).rpartition(".")[2] in {"close", "close_frame", "Broken"}:
            for part in ast.walk(call.args[0]):
                if isinstance(part, ast.Constant) and isinstance(part.value, int) and part.value >= 1000:
                    yield part.value


async def test_it_is_handed_out_and_linked(house: House, document: dict[str, Any]) -> None:
    http = await house.client()
    answer = await http.get("/asyncapi.json")

    assert answer.status_code == 200
    assert msgspec.json.decode(answer.content) == document
    assert 'href="/asyncapi.json"' in (await http.get("/docs")).text
    assert all("/asyncapi.json" in (DOCS / name).read_text() for name in ("protocol.md", "api.md"))
