"""JSON from outside becomes typed requests, or a plain sentence that names the field."""

from __future__ import annotations

from typing import get_args

import pytest

from realtime.errors import BadMessage, InvalidInput
from realtime.job_messages import ShowJobs
from realtime.messages import ChangeTicket, EditStore, Join, Login, OpenStore
from realtime.protocol import Seen
from realtime.reading import read
from realtime.webhook_messages import EventName, NewWebhook

STORE = b'{"name":"x","queues":[{"name":"a"}]'


PARTY = b'{"code":"a","key":"k","parties":[{"name":"x","queue":"A",'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nope",
        b'{"email":"","password":""} x',
        b"\xff\xfe",
        b'{"email":"\xed\xa0\x80","password":""}',
        b'{"email":"\\ud800","password":""}',
        b'{"email":NaN}',
    ],
)
def test_what_is_not_json_is_a_bad_message(data: bytes) -> None:
    with pytest.raises(BadMessage):
        read(data, Login)


@pytest.mark.parametrize(
    ("type_", "data", "field", "sentence"),
    [
        (Login, b"[]", None, "This must be an object, not a list."),
        (Login, b'{"email":1,"password":""}', "email", "This must be text, not a whole number."),
        (Login, b'{"email":""}', "password", "Enter a password."),
        (Login, b'{"password":""}', "email", "Enter an e-mail address such as ann@example.com."),
        (Seen, b"{}", "called_ms", "This field is missing. Add it."),
        (Login, b'{"email":"","password":"","admin":true}', "admin", "There is no such field. Leave it out."),
        (OpenStore, b'{"name":"","queues":[]}', "name", "Enter a name."),
        (OpenStore, b'{"name":"x","queues":[]}', "queues", "Add at least one queue."),
        (OpenStore, b'{"name":"x","queues":[' + b",".join([b'{"name":"a"}'] * 27) + b"]}", "queues", "A store can have 26 queues at most."),
        (OpenStore, b'{"name":"' + b"x" * 81 + b'"}', "name", "Use at most 80 characters."),
        (OpenStore, STORE + b',"queues":[{"name":3}]}', "queues[0].name", "This must be text, not a whole number."),
        (OpenStore, STORE + b',"accent":"red"}', "accent", "Give a colour as #rrggbb."),
        (OpenStore, STORE + b',"almost_at":51}', "almost_at", "This must be at most 50."),
        (OpenStore, STORE + b',"almost_at":-1}', "almost_at", "This must be at least 0."),
        (OpenStore, STORE + b',"almost_at":1e400}', "almost_at", "That number is too large."),
        (OpenStore, STORE + b',"board_code":"yes"}', "board_code", "This must be true or false, not text."),
        (EditStore, b'{"queues":[{"id":"a"}]}', "queues[0].id", "Give the letter of a queue, A to Z."),
        (ChangeTicket, b'{"action":"eat"}', "action", "There is no such choice. There are: call, done, no_show, recall, remove, return, serve, undo."),
        (NewWebhook, b'{"url":"https://a","events":["eat","ticket.joined"]}', "events[0]", "There is no such choice. There are: " + ", ".join(sorted(get_args(EventName))) + "."),
        (ShowJobs, b'{"status_type":"eat"}', "status_type", "There is no such choice. There are: FAILED, PENDING, SUCCESS."),
        (Join, b'{"code":"a","key":"k","parties":[{"name":"x","queue":"A"},{"name":"x","queue":"A","party":0}]}', "parties[1].party", "Enter a number from 1 to 99."),
        (Join, PARTY + b'"party":100}]}', "parties[0].party", "Enter a number from 1 to 99."),
        (Join, PARTY + b'"party":"many"}]}', "parties[0].party", "Enter a number from 1 to 99."),
        (Join, b'{"code":"a","key":"k","parties":[{"queue":"A"}]}', "parties[0].name", "Enter a name."),
        (Join, b'{"code":"a","key":"k","parties":[]}', "parties", "Name at least one party."),
        (Join, b'{"code":"a","key":"k","parties":[' + b",".join([b'{"name":"x","queue":"A"}'] * 6) + b"]}", "parties", "At most 5 parties can join at once."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_plain_words_with_its_field(
    type_: type[object], data: bytes, field: str | None, sentence: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(data, type_)

    assert (refused.value.field, refused.value.message) == (field, sentence)


def test_the_path_begins_where_the_value_stands() -> None:
    with pytest.raises(InvalidInput) as refused:
        read(b'{"email":1,"password":""}', Login, "authenticate")

    assert refused.value.field == "authenticate.email"
