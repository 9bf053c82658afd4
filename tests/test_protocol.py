"""One client's conversation, without a socket."""

from __future__ import annotations

import json

import pytest

from realtime import messages, protocol
from realtime.errors import (
    BadMessage,
    InvalidInput,
    NotAllowed,
    NotSignedIn,
    NowServingError,
    Restarting,
    StoreClosed,
    StoreNotFound,
    WrongState,
)
from realtime.protocol import Command, Conversation, Pong, Refused


def signed_in() -> Conversation:
    talk = Conversation(0)
    talk.signed_in = True
    return talk


def test_the_first_message_signs_in() -> None:
    said = Conversation(0).receive('{"id":1,"authenticate":{"token":"abc"}}', 0)

    assert said == Command(1, protocol.Authenticate("abc"))


@pytest.mark.parametrize("verb", [verb for verb in protocol.VERBS if verb != "authenticate"])
def test_nothing_else_is_heard_before_it(verb: str) -> None:
    with pytest.raises(NotSignedIn):
        Conversation(0).receive(json.dumps({"id": 1, verb: {}}), 0)


def test_what_follows_a_token_waits_for_what_becomes_of_it() -> None:
    talk = Conversation(0)
    talk.receive('{"id":1,"authenticate":{"token":"abc"}}', 0)

    assert talk.receive('{"id":2,"leave":{}}', 0) == Command(2, protocol.Leave())
    talk.asked = False  # it was refused
    with pytest.raises(NotSignedIn):
        talk.receive('{"id":3,"leave":{}}', 0)


def test_a_token_that_cannot_be_read_opens_nothing() -> None:
    talk = Conversation(0)
    assert isinstance(talk.receive('{"id":1,"authenticate":{"token":7}}', 0), Refused)

    with pytest.raises(NotSignedIn):
        talk.receive('{"id":2,"leave":{}}', 0)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("{}", ["{}"]),
        ('{"a":1}\n{"b":2}', ['{"a":1}', '{"b":2}']),
        ('{"a":1}\n{"b":2}\n', ['{"a":1}', '{"b":2}']),
        ('{"a":\n{"b":2}}', ['{"a":\n{"b":2}}']),
        ('{\n  "a": 1\n}', ['{\n  "a": 1\n}']),
        ("\n".join(["{}"] * protocol.MOST_TOGETHER), ["{}"] * protocol.MOST_TOGETHER),
        ("", [""]),
        ("\n", ["\n"]),
        ("\n\n", ["\n\n"]),
    ],
)
def test_several_messages_may_stand_in_one_text(text: str, messages: list[str]) -> None:
    assert protocol.together(text) == messages


def test_too_many_messages_in_one_text_end_the_conversation() -> None:
    with pytest.raises(BadMessage):
        protocol.together("\n".join(["{}"] * (protocol.MOST_TOGETHER + 1)))


def test_a_pong_is_heard_before_it() -> None:
    assert Conversation(0).receive("{}", 0) == Pong()


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ('{"id":2,"subscribe":{"topic":"store/x/public"}}', protocol.Subscribe("store/x/public")),
        ('{"id":2,"subscribe":{"topic":"store/x/public","since":{"epoch":"e","seq":41}}}', protocol.Subscribe("store/x/public", protocol.Since("e", 41))),
        ('{"id":2,"unsubscribe":{"topic":"t"}}', protocol.Unsubscribe("t")),
        ('{"id":2,"call_next":{"store_id":"x","queue":"A"}}', protocol.CallNext("x", "A")),
        ('{"id":2,"change_ticket":{"store_id":"x","ticket":12,"action":"serve","desk":"2"}}', protocol.ChangeTicket("serve", "2", store_id="x", ticket=12)),
        ('{"id":2,"walk_in":{"store_id":"x","name":"Bo","queue":"A"}}', protocol.WalkIn("Bo", "A", store_id="x")),
        ('{"id":2,"edit_store":{"store_id":"x","name":"New"}}', protocol.EditStore("New", store_id="x")),
        ('{"id":2,"leave":{}}', protocol.Leave()),
    ],
)  # fmt: skip
def test_every_verb_becomes_a_command(text: str, verb: protocol.Verb) -> None:
    assert signed_in().receive(text, 0) == Command(2, verb)


def test_a_command_holds_the_request_that_http_would_take() -> None:
    said = signed_in().receive('{"id":2,"edit_store":{"store_id":"x","queues":[{"id":"A","paused":true}]}}', 0)

    assert isinstance(said, Command)
    assert isinstance(said.verb, protocol.EditStore)
    assert said.verb.body() == messages.EditStore(queues=[messages.QueueEdit("A", paused=True)])


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "null", "1", "[]", '"x"', '{"id":1}', '{"leave":{}}', '{"id":1,"leave":{},"subscribe":{"topic":"t"}}', '{"id":1,"dance":{}}', '{"id":"1","leave":{}}',
        '{"id":1.5,"leave":{}}', '{"id":-1,"leave":{}}', '{"id":null,"leave":{}}', '{"id":99999999999999999999,"leave":{}}', '{"id":1,"leave":{}} {}', '{"id":1,"leave":' + "[" * 2000,
        '{"id":1,"leave":' + "[" * 1900 + "]" * 1900 + "}", '{"id":1,"subscribe":{"topic":"\\ud800"}}', "{" * 4000, '{"ID":1,"leave":{}}', "\0", "{}{}",
    ],
)  # fmt: skip
def test_what_cannot_be_read_ends_the_conversation(text: str) -> None:
    talk = signed_in()
    try:
        said = talk.receive(text, 0)
    except BadMessage as error:
        assert error.close_code == 4400
    else:
        # Deep or odd bodies of a known verb are refused without ending it.
        assert isinstance(said, Refused)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"id":7,"call_next":{"store_id":"x","queue":"a"}}', "call_next.queue"),
        ('{"id":7,"call_next":{"queue":"A"}}', "call_next.store_id"),
        ('{"id":7,"walk_in":{"store_id":"x","name":"Bo","queue":"A","party":100}}', "walk_in.party"),
        ('{"id":7,"walk_in":{"store_id":"x","name":"Bo","queue":"A","vip":true}}', "walk_in.vip"),
        ('{"id":7,"leave":{"store":"x"}}', "leave.store"),
        ('{"id":7,"subscribe":{"topic":"t","since":{"epoch":"e","seq":-1}}}', "subscribe.since.seq"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_and_the_conversation_goes_on(text: str, field: str) -> None:
    talk = signed_in()

    said = talk.receive(text, 0)

    assert isinstance(said, Refused)
    assert (said.id, said.error.code, said.error.field) == (7, "invalid_input", field)
    assert talk.receive("{}", 0) == Pong()


def test_a_hundred_messages_may_come_at_once_and_then_a_hundred_a_minute() -> None:
    talk = signed_in()

    for _ in range(100):
        talk.receive("{}", 0)
    with pytest.raises(BadMessage, match="too many"):
        talk.receive("{}", 0)
    for at in range(1, 100):
        talk.receive("{}", at * 0.6001)
    with pytest.raises(BadMessage, match="too many"):
        talk.receive("{}", 99 * 0.6001)


def test_a_clock_that_steps_back_gives_nothing_away() -> None:
    talk = signed_in()

    for _ in range(100):
        talk.receive("{}", 50)
    with pytest.raises(BadMessage):
        talk.receive("{}", 10)


def test_replies_carry_the_number_of_their_command() -> None:
    assert protocol.reply(3, b'{"a":1}') == b'{"id":3,"ok":{"a":1}}'
    assert json.loads(protocol.error_reply(3, WrongState(field="ticket"))) == {
        "id": 3,
        "error": {"code": "wrong_state", "message": WrongState.sentence, "retry": False, "field": "ticket"},
    }
    assert json.loads(protocol.disconnect(1012, 1234)) == {"disconnect": {"code": 1012, "after_ms": 1234}}


@pytest.mark.parametrize(
    ("verb", "error", "ends"),
    [
        (protocol.Authenticate("x"), NotSignedIn(), True),
        (protocol.Authenticate("x"), StoreClosed(), True),
        (protocol.Subscribe("t"), StoreNotFound(), True),
        (protocol.Subscribe("t"), NotAllowed(), True),
        (protocol.Subscribe("t"), Restarting(), False),
        (protocol.CallNext("x", "A"), StoreNotFound(), False),
        (protocol.CallNext("x", "A"), StoreClosed(), False),
        (protocol.CallNext("x", "A"), NotSignedIn(), True),
        (protocol.CallNext("x", "A"), NotAllowed(), False),
        (protocol.Leave(), WrongState(), False),
        (protocol.WalkIn("x", "A", store_id="x"), InvalidInput(), False),
    ],
)
def test_only_errors_that_leave_nothing_to_say_end_a_socket(verb: protocol.Verb, error: NowServingError, ends: bool) -> None:
    assert protocol.ends(verb, error) is ends
