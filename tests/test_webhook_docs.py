"""docs/webhooks.md says what is posted, and its receiver runs."""

from __future__ import annotations

import json
import re
import threading
import types
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import get_args

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from notifiers.webhook import WebhookNotifier
from realtime import webhook_keys
from realtime.hookspecs import OutgoingDelivery, Retry, Sent
from realtime.model import Delivery, Endpoint
from realtime.operations import posting, posts
from realtime.postman import SCHEDULE_S
from realtime.webhook_messages import EventName

TEXT = (Path(__file__).parents[1] / "docs/webhooks.md").read_text()
(EVENT,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
RECEIVER, ONE_LINE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
SECRET, OTHER = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="


PAIR = webhook_keys.make(webhook_keys.ED25519, bytes(range(32)))


@pytest.fixture(params=[(SECRET, SECRET), (webhook_keys.public(PAIR), PAIR)], ids=["secret", "public key"])
def keys(request: pytest.FixtureRequest) -> tuple[str, str]:
    """What the receiver knows, and what signs."""
    chosen: tuple[str, str] = request.param
    return chosen


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch, keys: tuple[str, str]) -> Iterator[types.SimpleNamespace]:
    monkeypatch.setenv("WEBHOOK_SECRET", keys[0])
    module = types.ModuleType("receiver")
    exec(compile(RECEIVER, "docs/webhooks.md", "exec"), module.__dict__)
    module.Receiver.log_message = lambda *args: None
    with ThreadingHTTPServer(("127.0.0.1", 0), module.Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield types.SimpleNamespace(signs=keys[1], url=f"http://127.0.0.1:{server.server_address[1]}", dealt_with=module.dealt_with)
        server.shutdown()
        thread.join(10)


async def test_the_receiver_takes_what_is_genuine_and_refuses_the_rest(receiver: types.SimpleNamespace) -> None:
    notifier = WebhookNotifier(("127.0.0.0/8",), 10)
    delivery = Delivery("webhook", "w", "ticket.called", {"payload": EVENT})

    def parcel(*secrets: str) -> OutgoingDelivery:
        return OutgoingDelivery(id="w-1", attempt=1, delivery=delivery, endpoint=Endpoint(receiver.url, secrets))

    for other in (OTHER, SECRET if receiver.signs == PAIR else PAIR, webhook_keys.make(webhook_keys.ED25519, bytes(32))):
        assert await notifier.deliver(parcel(other)) == Retry("It answered 401.")
    assert receiver.dealt_with == {}
    assert await notifier.deliver(parcel(OTHER, receiver.signs)) == Sent()
    assert await notifier.deliver(parcel(receiver.signs, OTHER)) == Sent()
    await notifier.close()

    assert receiver.dealt_with == {"w-1": json.loads(EVENT)}


async def test_what_is_too_old_is_refused(receiver: types.SimpleNamespace) -> None:
    notifier = WebhookNotifier(("127.0.0.0/8",), 10, clock=lambda: 1_700_000_000.0)
    delivery = Delivery("webhook", "w", "ticket.called", {"payload": EVENT})
    said = await notifier.deliver(
        OutgoingDelivery(id="w-1", attempt=1, delivery=delivery, endpoint=Endpoint(receiver.url, (receiver.signs,)))
    )
    await notifier.close()
    assert said == Retry("It answered 401.")


def test_the_one_line_runs() -> None:
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "w-1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": Verifier(SECRET).sign("w-1", now, EVENT),
    }  # fmt: skip
    names = {"secret": SECRET, "body": EVENT, "headers": headers}
    exec(ONE_LINE, names)
    assert names["event"] == json.loads(EVENT)


def test_every_event_is_described_and_may_be_asked_for() -> None:
    assert get_args(EventName) == posts.EVENTS
    assert set(posts._OF_CHANGE.values()) == set(posts.EVENTS)
    assert [type_ for type_ in (*posts.EVENTS, posts.PING) if f"`{type_}`" not in TEXT] == []


def test_the_times_are_those_of_the_program() -> None:
    assert list(SCHEDULE_S) == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert "5 seconds, 5 minutes, half an hour, 2, 5, 10, 14, 20 and 24 hours" in TEXT
    day = 24 * 3_600_000
    in_days = [each / day for each in (posting.KEEP_MS, posting.FAILING_MS)]
    assert in_days == [7, 5]
