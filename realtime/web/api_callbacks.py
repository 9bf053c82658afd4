"""Where the providers of notifiers call back: what became of a message, and who answered one."""

from __future__ import annotations

from starlette.responses import Response

from realtime.errors import NotAllowed
from realtime.hookspecs import Callback
from realtime.web import addresses
from realtime.web.endpoint import Call, Endpoint


async def callback(call: Call[bytes]) -> Response:
    query = call.scope.get("query_string", b"").decode("latin-1")
    url = call.seen_base + call.scope["path"] + (f"?{query}" if query else "")
    headers = {
        name: value
        for raw, _ in call.scope["headers"]
        if (value := addresses.header(call.scope, raw)) is not None and (name := raw.decode("latin-1"))
    }
    told = Callback(kind=call.path["kind"], url=url, headers=headers, body=call.body)
    await call.context.callbacks.receive(call.path["notifier"], told)
    return call.answer()


ENDPOINTS = (
    Endpoint(
        "POST", "/v1/callbacks/{notifier}/{kind}", "A notifier's provider tells what became of a message, or who answered one", "Callbacks",
        callback, form=True, status=204, errors=(NotAllowed,),
    ),
)  # fmt: skip
