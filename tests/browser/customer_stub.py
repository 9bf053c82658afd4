"""A store made of dictionaries that speaks the wire shapes and misbehaves on request, so that the customer's pages can be tried alone."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import segno
import uvicorn
from jinja2 import DictLoader, Environment, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from realtime.estimate import minutes
from realtime.model import label
from realtime.server.protection import POLICY
from realtime.web.phrasebook import chosen

WEB = Path(__file__).parents[2] / "realtime" / "web"
JsonObject = dict[str, Any]


def now_ms() -> int:
    return int(time.time() * 1000)


class Stub:
    """One store, the tickets in it, and every socket that listens."""

    def __init__(self, name: str = "Luigi's", accent: str = "#0B6E4F", description: str = "") -> None:
        self.store: JsonObject = {
            "id": "s1",
            "name": name,
            "description": description,
            "timezone": "Europe/Berlin",
            "accent": accent,
            "state": "open",
            "opened_ms": now_ms(),
            "closes_ms": now_ms() + 5 * 3_600_000,
        }
        texts = {path.name: path.read_text() for path in (WEB / "templates").glob("*.html")}
        self.templates = Environment(loader=DictLoader(texts), autoescape=True, undefined=StrictUndefined)
        self.queues: dict[str, JsonObject] = {}
        self.tickets: dict[int, JsonObject] = {}
        self.parties: dict[int, JsonObject] = {}
        self.code: JsonObject | None = None
        self.epoch = "e1"
        self.seq = 0
        self.history: list[JsonObject] = []
        self.sockets: dict[WebSocket, set[str]] = {}
        self.topics = ["store/s1/public"]
        self.own = 0
        """The ticket that the phone holds; 0: none."""
        self.scanned_by = ""
        self.asked: list[JsonObject] = []
        self.asked_together: list[int] = []
        """How many messages each text had."""
        """Every message that came over the socket."""
        self.requests: list[tuple[str, str, JsonObject]] = []
        self.refuse: JsonObject | None = None
        """When set, the next request that changes something is refused with this problem."""
        self.answers: dict[str, JsonObject] = {}
        self.tokens = 0
        self.sign_ins_refused = 0
        """So many sign-ins are answered with close code 4401."""
        self.shut = False
        """When true, boards hear that no store is open."""
        self.deaf = False
        """When true, nothing that comes over a socket is answered."""

    # ---- what is in the store

    def add_queue(self, name: str, pace_ms: int = 0, **more: Any) -> str:
        letter = "ABCDEFGH"[len(self.queues)]
        self.queues[letter] = {
            "id": letter,
            "name": name,
            "waiting_text": "",
            "end_text": "",
            "paused": False,
            "pace_ms": pace_ms,
            "logo": "",
        } | more
        return letter

    def add_ticket(self, queue: str, state: str = "waiting", **more: Any) -> JsonObject:
        self.seq += 1
        number = 1 + sum(ticket["queue"] == queue for ticket in self.tickets.values())
        ticket: JsonObject = {
            "id": self.seq,
            "queue": queue,
            "label": label(queue, number),
            "state": state,
            "desk": "",
            "place": self.seq,
            "called_ms": 0,
        } | more
        self.tickets[ticket["id"]] = ticket
        return ticket

    def show_code(self) -> None:
        link = f"http://luigis.example/j/{self.seq:x}VGhpcyBpcyBhIGNvZGU"
        self.code = {
            "number": self.seq,
            "expires_ms": now_ms() + 600_000,
            "link": link,
            "svg": segno.make(link, error="m").svg_inline(border=2),
        }

    def waiting(self, queue: str) -> list[JsonObject]:
        return sorted((t for t in self.tickets.values() if t["queue"] == queue and t["state"] == "waiting"), key=lambda t: t["place"])

    def own_ticket(self) -> JsonObject:
        ticket = self.tickets[self.own]
        queue = self.queues[ticket["queue"]]
        line = self.waiting(ticket["queue"])
        ahead = line.index(ticket) if ticket in line else 0
        return {
            "store": self.store,
            "queue": queue,
            "id": self.own,
            "label": ticket["label"],
            "state": ticket["state"],
            "desk": ticket["desk"],
            "name": "Ann",
            "party": 2,
            "phone": "",
            "email": "",
            "ahead": ahead,
            "minutes": list(minutes(queue["pace_ms"], ahead)),
            "joined_ms": now_ms(),
            "called_ms": ticket["called_ms"],
            "ended_ms": 0,
            "live_token": f"live-{self.tokens}",
            "others": self.parties.get(self.own, {}).get("others", []),
            "topics": ["store/s1/public", f"ticket/s1/{self.own}"],
        }

    def snapshot(self, topic: str) -> JsonObject:
        if topic.startswith("ticket/"):
            return self.own_ticket()
        code = self.code if topic.endswith("/board") else None
        return {"store": self.store, "queues": list(self.queues.values()), "tickets": list(self.tickets.values()), "code": code}

    # ---- what happens

    async def push(self, change: str, *, silently: bool = False, **body: Any) -> None:
        """Commit a change and tell it; `silently` loses it on the way."""
        self.seq += 1
        self.history.append({"seq": self.seq, "at_ms": now_ms(), "change": change, **body})
        if not silently:
            for socket, topics in list(self.sockets.items()):
                for topic in topics:
                    await self.tell(socket, topic)

    async def tell(self, socket: WebSocket, topic: str) -> None:
        last = self.history[-1]
        if not topic.startswith("ticket/"):
            await self.send(socket, {"topic": topic, **last})
        elif last.get("ticket", {}).get("id") == self.own:
            await self.send(socket, {"topic": topic, "seq": self.seq, "at_ms": now_ms(), "own": self.own_ticket()})

    async def send(self, socket: WebSocket, message: JsonObject) -> None:
        await socket.send_text(json.dumps(message))

    async def say(self, message: JsonObject) -> None:
        """The same words to every socket."""
        for socket in list(self.sockets):
            await self.send(socket, message)

    async def move(self, ticket: JsonObject, state: str, change: str = "", desk: str = "", *, silently: bool = False) -> None:
        ticket |= {"state": state, "desk": desk or ticket["desk"]}
        if state == "called":
            ticket["called_ms"] = now_ms()
        await self.push(change or state, silently=silently, ticket=dict(ticket))

    async def hang_up(self, code: int, reason: str = "") -> None:
        for socket in list(self.sockets):
            self.sockets.pop(socket)
            await socket.close(code, reason)

    # ---- the socket

    async def live(self, socket: WebSocket) -> None:
        assert "nowserving.v1" in socket.scope["subprotocols"]
        await socket.accept("nowserving.v1")
        try:
            while True:
                messages = [json.loads(line) for line in (await socket.receive_text()).split("\n")]
                self.asked_together.append(len(messages))
                for message in messages:
                    self.asked.append(message)
                    if message and not self.deaf:
                        await self.answer(socket, message)
        except WebSocketDisconnect:
            self.sockets.pop(socket, None)

    async def answer(self, socket: WebSocket, message: JsonObject) -> None:
        number = message["id"]
        if "authenticate" in message:
            if self.sign_ins_refused:
                self.sign_ins_refused -= 1
                await self.send(
                    socket, {"id": number, "error": {"code": "not_signed_in", "message": "Please sign in again.", "retry": False}}
                )
                await socket.close(4401, "Please sign in again.")
                raise WebSocketDisconnect(4401)
            if self.shut:
                sentence = "This store has closed. Thank you for coming."
                await self.send(socket, {"id": number, "error": {"code": "store_closed", "message": sentence, "retry": False}})
                await socket.close(4410, sentence)
                raise WebSocketDisconnect(4410)
            ok: JsonObject = {"as": "ticket", "store_id": self.store["id"], "topics": self.topics, "expires_ms": now_ms() + 600_000}
        elif "seen" in message:
            ok = {}
        else:
            topic = message["subscribe"]["topic"]
            self.sockets.setdefault(socket, set()).add(topic)
            ok = {"topic": topic, "epoch": self.epoch, "seq": self.seq, **self.since(topic, message["subscribe"].get("since"))}
        await self.send(socket, {"id": number, "ok": ok})

    def since(self, topic: str, since: JsonObject | None) -> JsonObject:
        if since and since["epoch"] == self.epoch and not topic.startswith("ticket/"):
            missed = [{"topic": topic, **event} for event in self.history if event["seq"] > since["seq"]]
            return {"recovered": True, "events": missed}
        return {"recovered": False, "snapshot": self.snapshot(topic)}

    # ---- HTTP

    async def v1(self, request: Request) -> Response:
        raw = await request.body()
        body: JsonObject = json.loads(raw) if raw else {}
        self.requests.append((request.method, request.path_params["path"], body))
        if self.refuse and request.method != "GET":
            refused, self.refuse = self.refuse, None
            return JSONResponse({"type": "about:blank", "title": ""} | refused, refused["status"], media_type="application/problem+json")
        match request.method, request.path_params["path"].split("/"):
            case "POST", ["codes", _, "scan"]:
                return self.scan(body["key"])
            case "POST", ["tickets"]:
                return JSONResponse(self.join(body, request.headers["idempotency-key"]), 201)
            case "GET", ["ticket"] if self.own:
                self.tokens += 1
                return JSONResponse(self.own_ticket())
            case "DELETE", ["ticket"]:
                await self.move(self.tickets[self.own], "left")
                return Response(status_code=204)
            case "POST", ["ticket", "seen"]:
                return Response(status_code=204)
            case "POST", ["ticket", "trade"]:
                self.trade(**body)
                return Response(status_code=204)
        return self.problem(
            404, "ticket_not_found", "That ticket is not there any more. Where the store is open, the code on its screen gives a new one."
        )

    def problem(self, status: int, code: str, detail: str) -> Response:
        return JSONResponse({"status": status, "code": code, "detail": detail}, status, media_type="application/problem+json")

    def scan(self, key: str) -> Response:
        if self.scanned_by not in ("", key):
            return self.problem(409, "code_used", "That code was just used. Scan the new one on the screen.")
        self.scanned_by = key
        waiting = {queue: len(self.waiting(queue)) for queue in self.queues}
        own = self.tickets[self.own]["label"] if self.own else ""
        return JSONResponse(
            {"store": self.store, "queues": list(self.queues.values()), "waiting": waiting, "expires_ms": now_ms() + 600_000, "ticket": own}
        )

    def trade(self, token: str = "", label: str = "") -> None:
        by_label = {ticket["label"]: number for number, ticket in self.tickets.items()}
        self.own = by_label[label] if label else int(token.removeprefix("secret-"))

    def join(self, body: JsonObject, key: str) -> JsonObject:
        if key not in self.answers:
            made = [self.add_ticket(party["queue"]) for party in body["parties"]]
            for ticket in made:
                self.parties[ticket["id"]] = {"others": [other["label"] for other in made if other is not ticket]}
            self.own = made[0]["id"]
            tickets = [
                {"id": t["id"], "label": t["label"], "queue": t["queue"], "token": "t", "link": f"http://x.example/t#secret-{t['id']}"}
                for t in made
            ]
            self.answers[key] = {"tickets": tickets}
        return self.answers[key]

    # ---- pages

    async def page(self, request: Request) -> Response:
        self.templates.globals["words"] = chosen(request.headers.get("accept-language", ""))
        match request.url.path.strip("/").split("/"):
            case ["j", code]:
                waiting = {queue: len(self.waiting(queue)) for queue in self.queues}
                data = {"code": code, "store": self.store, "queues": list(self.queues.values()), "waiting": waiting, "scanned": False}
                if request.method == "POST":
                    return await self.form(request, data)
                return self.render("join.html", page_data=data)
            case ["ticket"] if self.own:
                return self.render("ticket.html", page_data=self.own_ticket())
            case ["t"]:
                return self.render("ticket_link.html")
            case ["board"]:
                return self.render("board.html")
            case [""]:
                return self.render("landing.html", page_data={"signed_in": False})
        message = "There is nothing here."
        return self.render("problem.html", title="Nothing here", message=message, status=404, code="not_found")

    async def form(self, request: Request, data: JsonObject) -> Response:
        """The join page without JavaScript."""
        values = dict(parse_qsl((await request.body()).decode()))
        if values.pop("step") == "scan":
            return self.render("join.html", page_data=data | {"scanned": True})
        if values.get("phone", "").isalpha():
            errors = {"phone": "That is not a phone number. Write it with the country code, such as +49 30 123456."}
            return self.render("join.html", page_data=data | {"scanned": True}, values=values, errors=errors)
        self.own = self.add_ticket(values["queue"])["id"]
        return RedirectResponse("/ticket", 303)

    def render(self, template: str, **context: Any) -> Response:
        return HTMLResponse(self.templates.get_template(template).render(context), headers={"Content-Security-Policy": POLICY})

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Mount("/static", StaticFiles(directory=WEB / "static")),
                Route("/v1/{path:path}", self.v1, methods=["GET", "POST", "DELETE"]),
                WebSocketRoute("/live", self.live),
                Route("/{path:path}", self.page, methods=["GET", "POST"]),
            ]
        )


@asynccontextmanager
async def serving(stub: Stub) -> AsyncIterator[str]:
    """Serves the stub on a free port in the running loop; yields its address."""
    config = uvicorn.Config(stub.app(), port=0, log_level="error", ws="websockets-sansio", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    running = asyncio.create_task(server.main_loop())
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        await stub.hang_up(1001)
        await server.shutdown()
