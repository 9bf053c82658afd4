"""Everything of uvicorn's inside that this server leans on, by name: an upgrade that takes one away fails here first."""

from __future__ import annotations

import inspect

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

NEEDED = {
    HttpToolsProtocol: [
        "__init__", "connection_made", "connection_lost", "data_received", "on_header", "on_headers_complete", "on_message_complete",
        "handle_websocket_upgrade", "shutdown", "_start_asgi_task", "_should_upgrade", "_unset_keepalive_if_required",
        "_unsupported_upgrade_warning", "send_400_response",
    ],
    uvicorn.Server: ["startup", "shutdown", "handle_exit", "run", "serve"],
}  # fmt: skip


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, names in NEEDED.items() for name in names])
def test_the_methods_that_are_called_or_overridden_exist(owner: type, name: str) -> None:
    assert callable(getattr(owner, name, None)), f"{owner.__name__}.{name} is gone; see what replaced it"


async def app(scope: object, receive: object, send: object) -> None:
    """An application for a Config."""


def config() -> uvicorn.Config:
    loaded = uvicorn.Config(app, log_config=None, ws_per_message_deflate=False, interface="asgi3")
    loaded.load()
    return loaded


async def test_a_request_has_the_attributes_that_its_deadlines_read() -> None:
    protocol = HttpToolsProtocol(config(), ServerState(), {})
    for name in (
        "app",
        "connections",
        "cycle",
        "logger",
        "loop",
        "parser",
        "pipeline",
        "root_path",
        "scope",
        "server_state",
        "tasks",
        "transport",
        "ws_protocol_class",
    ):
        assert hasattr(protocol, name), f"HttpToolsProtocol.{name} is gone"
    begin = inspect.getsource(HttpToolsProtocol.on_message_begin)
    for name in ("client", "headers", "http_version", "root_path", "scheme", "server", "state"):
        assert f'"{name}": ' in begin, f"a scope has no {name} when its head was read"
    assert "response_complete" in inspect.getsource(RequestResponseCycle.__init__)


def test_an_answer_has_the_attributes_that_whole_answers_set() -> None:
    source = inspect.getsource(RequestResponseCycle.__init__)
    for name in (
        "default_headers", "disconnected", "flow", "keep_alive", "message_event", "on_response", "response_complete", "response_started",
        "scope", "transport", "waiting_for_100_continue",
    ):  # fmt: skip
        assert f"self.{name} " in source or f"self.{name}:" in source, f"RequestResponseCycle.{name} is gone"
    assert STATUS_LINE[201] == b"HTTP/1.1 201 Created\r\n"


def test_the_server_has_the_attributes_that_its_end_reads() -> None:
    server = uvicorn.Server(config())
    assert (server.should_exit, server.started) == (False, False)
    assert isinstance(server.server_state.connections, set)
    assert isinstance(server.server_state.tasks, set)
    assert "self.servers" in inspect.getsource(uvicorn.Server.startup)
    assert "self.lifespan" in inspect.getsource(uvicorn.Server._serve)


def test_protocols_are_made_with_the_arguments_that_ours_take() -> None:
    source = inspect.getsource(uvicorn.Server.startup) + inspect.getsource(HttpToolsProtocol.handle_websocket_upgrade)
    for argument in ("config=", "server_state=", "app_state=", "_loop="):
        assert argument in source
