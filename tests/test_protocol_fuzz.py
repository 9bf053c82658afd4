"""Whatever a client sends: a command, a reply, a close code or nothing, and never an exception of another kind."""

from __future__ import annotations

import json

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from realtime import protocol
from realtime.errors import BadMessage, NotSignedIn, NowServingError
from realtime.protocol import VERBS, Command, Conversation, Pong, Refused

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["A", "store/x/public", "call", "x", 1, 0, -1])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12
)
FIELDS = sorted({field for verb in VERBS.values() for field in verb.__struct_fields__})
BODIES = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=6), VALUES, max_size=6)
MESSAGES = st.dictionaries(st.sampled_from(["id", *VERBS]) | st.text(max_size=6), SCALARS | BODIES, max_size=4)
LIKELY = st.builds(lambda number, verb, body: {"id": number, verb: body}, st.integers(0, 2**53), st.sampled_from(sorted(VERBS)), BODIES)


def heard(text: str, *, signed_in: bool) -> Pong | Command | Refused | NowServingError:
    """What comes of one text; what it is answered with can be written."""
    talk = Conversation(0)
    talk.signed_in = signed_in
    said: Pong | Command | Refused | NowServingError
    try:
        said = talk.receive(text, 0)
    except (BadMessage, NotSignedIn) as error:
        said = error
        assert error.close_code is not None
        assert 4400 <= error.close_code < 5000
    if isinstance(said, Refused):
        assert msgspec.json.decode(protocol.error_reply(said.id, said.error))["id"] == said.id
        assert said.error.message
    return said


@given(st.text(), st.booleans())
@example("", True)
@example("[" * 4000, True)
@example('{"id":1,"leave":' + "[" * 3000, True)
@example('{"id":1e400,"leave":{}}', True)
@example('{"id":1,"leave":{},"leave":{}}', True)
@example('"\\ud800"', True)
@example("\x00", False)
@example("NaN", True)
def test_any_text(text: str, signed_in: bool) -> None:
    heard(text, signed_in=signed_in)


LINES = st.text(max_size=12) | st.text(max_size=6).map("{{{}}}".format) | st.sampled_from(["", "{}", "{", "}", "\r", "{}\r"])


@given(st.lists(LINES, max_size=20).map("\n".join) | st.text())
@example("\n")
@example("\n\n{}\n{}\n\n")
@example("{}\n\n{}")
@example("{}\n" * 17)
@example('{\n"id": 1\n}')
def test_the_messages_of_any_text_are_that_text(text: str) -> None:
    try:
        messages = protocol.together(text)
    except BadMessage as error:
        assert error.close_code == 4400
        assert text.strip("\n").count("\n") >= protocol.MOST_TOGETHER
        return

    assert 1 <= len(messages) <= protocol.MOST_TOGETHER
    assert "\n".join(messages).strip("\n") == text.strip("\n")
    assert all("\n" not in message for message in messages) or messages == [text]


@given(st.binary())
def test_any_bytes_that_are_text(data: bytes) -> None:
    heard(data.decode("utf-8", "replace"), signed_in=True)


@given(MESSAGES | LIKELY, st.booleans())
def test_any_message_in_json(message: object, signed_in: bool) -> None:
    said = heard(json.dumps(message), signed_in=signed_in)

    if not signed_in:
        assert isinstance(said, Pong | NowServingError | Refused) or isinstance(said.verb, protocol.Authenticate)


@given(st.lists(MESSAGES | LIKELY, max_size=30), st.lists(st.floats(0, 30), min_size=30, max_size=30))
def test_any_conversation_stays_within_its_allowance(messages: list[object], pauses: list[float]) -> None:
    talk, now, heard_of = Conversation(0), 0.0, 0
    talk.signed_in = True
    for message, pause in zip(messages * 10, pauses * 10, strict=False):
        now += pause / 60
        try:
            talk.receive(json.dumps(message), now)
        except BadMessage as error:
            if "too many" in error.message:
                break
        except NotSignedIn:
            pass
        heard_of += 1

    assert heard_of <= protocol.COMMANDS_PER_MINUTE * (1 + now / 60)
