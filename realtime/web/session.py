"""One live socket's conversation with the use cases: texts in, commands run one after the other, replies out through its sink."""

from __future__ import annotations

from collections import deque
from functools import partial

import msgspec

from realtime import protocol
from realtime.errors import BadMessage, Dropped, InvalidInput, NotAllowed, NotSignedIn, NowServingError
from realtime.frames import text_frame
from realtime.protocol import Command, Conversation, Pong, Refused
from realtime.sink import Sink
from realtime.web.cases import Granted
from realtime.web.context import Context
from realtime.web.listening import MOST_TOPICS, hears
from realtime.web.problems import unexpected

MOST_WAITING = 32
"""Commands of one socket that wait for their turn; a reader of its replies never has so many."""
SIGN_IN_SECONDS = 10.0


class Session:
    """Implements Handler. Commands run in the order they came, each as soon as the one before has its answer.

    There is no task and no timer while nothing is asked.
    """

    __slots__ = ("_base", "_closed", "_context", "_crowd", "_granted", "_sessions", "_sink", "_talk", "_topics", "_waiting", "sign_in_by")

    def __init__(self, context: Context, base: str, sessions: set[Session], sink: Sink) -> None:
        self._context = context
        self._base = base
        self._sessions = sessions
        self._sink = sink
        now = context.clock()
        self.sign_in_by = now + SIGN_IN_SECONDS
        """Until when it must have said whose it is; seconds of the same clock."""
        self._talk = Conversation(now)
        self._granted: Granted | None = None
        self._crowd = ""
        """The store among whose sockets it counts; an owner's counts among none."""
        self._topics: tuple[str, ...] = ()
        self._waiting: deque[Command] | None = None
        """None while no task is at work."""
        self._closed = False
        sessions.add(self)
        context.pings.add(sink)

    # ---- what the socket tells

    def on_text(self, text: str) -> None:
        if self._closed:
            return
        try:
            for each in protocol.together(text):
                said = self._talk.receive(each, self._context.clock())
                if isinstance(said, Pong):
                    self._context.pings.answered(self._sink)
                elif isinstance(said, Refused):
                    self._write(protocol.error_reply(said.id, said.error))
                else:
                    self._take(said)
        except NowServingError as error:
            self._close(error)

    def on_close(self, code: int) -> None:
        self._closed = True
        self._context.counts.closed(code)
        self._sessions.discard(self)
        if self._crowd:
            self._context.crowds.leave(self._crowd)
        self._context.pings.drop(self._sink)
        self._context.live.drop(self._sink)

    def look(self, now: float, now_ms: int) -> None:
        """Ends a socket that did not sign in in time, or whose sign-in has run out."""
        if self._closed or self._waiting is not None:
            return
        if self._granted is None:
            if now >= self.sign_in_by:
                self._close(Dropped("Nobody signed in on this connection in time."))
        elif self._is_over(now_ms):
            self._close(NotSignedIn())

    def end(self, account_id: str) -> None:
        """Closes the socket if it is this account's; whoever still is signed in may open another one."""
        if not self._closed and self._granted is not None and self._granted.account_id == account_id:
            self._close(NotSignedIn())

    # ---- commands

    def _take(self, command: Command) -> None:
        if self._waiting is None:
            self._waiting = deque((command,))
            self._context.turnstile.start(self._work)
        elif len(self._waiting) < MOST_WAITING:
            self._waiting.append(command)
        else:
            raise BadMessage("Wait for replies before sending more commands.")

    async def _work(self) -> None:
        waiting = self._waiting
        try:
            while waiting and not self._closed:
                await self._answer(waiting.popleft())
        finally:
            self._waiting = None

    async def _answer(self, command: Command) -> None:
        try:
            body = await self._run(command)
        except NowServingError as error:
            refusal = error.for_owner() if self._granted is not None and self._granted.kind == "owner" else error
        except Exception as error:  # noqa: BLE001 - a socket's edge: one command fails, the socket goes on
            refusal = unexpected(error, f"/live {type(command.verb).__name__}")
        else:
            if body is not None:
                self._write(protocol.reply(command.id, body))
            return
        self._write(protocol.error_reply(command.id, refusal))
        if protocol.ends(command.verb, refusal):
            self._close(refusal)
        elif isinstance(command.verb, protocol.Authenticate) and self._granted is None:
            self._refuse_all(refusal)

    def _refuse_all(self, refusal: NowServingError) -> None:
        """What was said after a token that could not be checked now has the same answer, and the token may be sent again."""
        self._talk.asked = False
        while self._waiting:
            self._write(protocol.error_reply(self._waiting.popleft().id, refusal))

    async def _run(self, command: Command) -> bytes | None:
        """The reply's body; None when it was sent already."""
        verb = command.verb
        if isinstance(verb, protocol.Authenticate):
            return await self._sign_in(verb.token)
        granted = self._granted
        if granted is None or self._is_over(self._context.now_ms()):
            raise NotSignedIn
        if isinstance(verb, protocol.Subscribe):
            await self._subscribe(granted, verb, command.id)
            return None
        if isinstance(verb, protocol.Unsubscribe):
            self._context.live.unsubscribe(verb.topic, self._sink)
            self._topics = tuple(topic for topic in self._topics if topic != verb.topic)
            return b"{}"
        if isinstance(verb, protocol.Leave):
            return await self._leave(granted)
        if isinstance(verb, protocol.Seen):
            return await self._seen(granted, verb)
        return await self._serve(granted, verb)

    async def _sign_in(self, token: str) -> bytes:
        granted = await self._context.live.authenticate(token)
        before = self._granted
        if before is not None and _person(before) != _person(granted):
            raise NotAllowed("This connection belongs to somebody else. Open another one.")
        if before is None and granted.kind != "owner" and not self._closed:
            self._context.crowds.enter(granted.store_id)
            self._crowd = granted.store_id
        self._granted = granted
        self._talk.signed_in = True
        return msgspec.json.encode(hears(granted))

    async def _subscribe(self, granted: Granted, verb: protocol.Subscribe, number: int) -> None:
        if verb.topic not in self._topics and len(self._topics) >= MOST_TOPICS:
            raise InvalidInput(f"Subscribe to at most {MOST_TOPICS} topics.", field="subscribe.topic")
        since = (verb.since.epoch, verb.since.seq) if verb.since else None
        live = self._context.live
        await live.subscribe(granted, verb.topic, since, self._sink, partial(protocol.reply, number), self._base)
        if verb.topic not in self._topics:
            self._topics = (*self._topics, verb.topic)
        if self._closed:
            # It closed while the snapshot was read, and what was subscribed since is held by nobody else.
            live.drop(self._sink)

    async def _leave(self, granted: Granted) -> bytes:
        if granted.kind != "ticket":
            raise NotAllowed("Only a ticket's own party can leave.")
        await self._context.reception.leave_ticket(granted.store_id, granted.ticket_id)
        return b"{}"

    async def _seen(self, granted: Granted, verb: protocol.Seen) -> bytes:
        if granted.kind != "ticket":
            raise NotAllowed("Only a ticket's own party can say that it has seen the call.")
        await self._context.reception.seen_ticket(granted.store_id, granted.ticket_id, verb.called_ms)
        return b"{}"

    async def _serve(
        self, granted: Granted, verb: protocol.CallNext | protocol.ChangeTicket | protocol.WalkIn | protocol.EditStore
    ) -> bytes:
        if granted.kind != "owner":
            raise NotAllowed
        reception, owner, store_id, base = self._context.reception, granted.account_id, verb.store_id, self._base
        answer: msgspec.Struct
        if isinstance(verb, protocol.CallNext):
            answer = await reception.call_next(owner, store_id, verb.queue, verb.body())
        elif isinstance(verb, protocol.ChangeTicket):
            answer = await reception.change_ticket(owner, store_id, verb.ticket, verb.body())
        elif isinstance(verb, protocol.WalkIn):
            answer = await reception.walk_in(owner, store_id, verb.body(), base=base)
        else:
            answer = await reception.edit_store(owner, store_id, verb.body(), base=base)
        return msgspec.json.encode(answer)

    # ---- the way out

    def _is_over(self, now_ms: int) -> bool:
        return self._granted is not None and 0 < self._granted.expires_ms <= now_ms

    def _write(self, text: bytes) -> None:
        if not self._closed:
            self._sink.write(text_frame(text))

    def _close(self, error: NowServingError) -> None:
        self._closed = True
        self._context.live.drop(self._sink)
        self._sink.close(error.close_code or 1011, error.message)


def _person(granted: Granted) -> tuple[str, str, int]:
    """Who a socket speaks for. An owner's next store is still the same owner."""
    return granted.kind, granted.account_id or granted.store_id, granted.ticket_id
