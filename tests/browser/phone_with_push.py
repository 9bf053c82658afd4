"""A phone in Chromium whose push service is a local sink: the browser's own can be reached from no test."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from playwright.async_api import CDPSession, Page, Worker

from tests.support.pages import Pages
from tests.support.subscriber import Subscriber
from tests.support.waiting import until_async

TIMES, AGAIN_S = 6, 5.0
_STUB = """
(() => {
  const given = GIVEN, answer = ANSWER, kept = 'stub of a push service';
  const state = () => JSON.parse(localStorage.getItem(kept) ?? '{"asked": 0, "permission": "default", "key": ""}');
  const keep = (changes) => localStorage.setItem(kept, JSON.stringify({ ...state(), ...changes }));
  Object.defineProperty(Notification, 'permission', { get: () => state().permission });
  Notification.requestPermission = async () => {
    keep({ asked: state().asked + 1, permission: answer });
    return answer;
  };
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (each) => each.charCodeAt(0)).buffer;
  const subscription = () => ({
    endpoint: given.endpoint,
    options: { applicationServerKey: bytes(state().key) },
    toJSON: () => given,
    unsubscribe: async () => (keep({ key: '' }), true),
  });
  PushManager.prototype.getSubscription = async () => (state().key ? subscription() : null);
  PushManager.prototype.subscribe = async (options) => {
    if (!options.userVisibleOnly) throw new Error('a push that nobody sees');
    keep({ key: options.applicationServerKey });
    return subscription();
  };
  window.pushStub = { state, keep };
})();
"""


class PushPhone:
    """Its page, and what a push service would do with it."""

    def __init__(self, page: Page, url: str, subscriber: Subscriber) -> None:
        self.page = page
        self.url = url
        self.subscriber = subscriber
        self._cdp: CDPSession | None = None
        self._registration = ""

    @classmethod
    async def open(cls, pages: Pages, url: str, push_url: str, *, answer: str = "granted", width: int = 360, **options: Any) -> PushPhone:
        """`answer` is what its owner says when asked for the permission."""
        subscriber = Subscriber(push_url)
        page = await pages.open(width, 740, **options)
        await page.context.grant_permissions(["notifications"], origin=url)
        stub = _STUB.replace("GIVEN", json.dumps(subscriber.json())).replace("ANSWER", json.dumps(answer))
        await page.add_init_script(stub)
        return cls(page, url, subscriber)

    async def stub(self) -> dict[str, Any]:
        """How often its owner was asked, what they said, and with which key it is subscribed."""
        found: dict[str, Any] = await self.page.evaluate("pushStub.state()")
        return found

    async def receive(self, text: str) -> None:
        """A push message arrives, as the browser hands it to the service worker once it has decrypted it, and changes what is shown.

        One that finds no worker at work is dropped without a word, so it comes again, as one from a push service may.
        """
        if self._cdp is None:
            self._cdp = await self.page.context.new_cdp_session(self.page)
            self._cdp.on("ServiceWorker.workerRegistrationUpdated", self._found)
            await self._cdp.send("ServiceWorker.enable")
        await until_async(lambda: self._registration, what="the service worker's registration")
        await until_async(self._active, what="the service worker at work")
        before = await self.shown()

        async def changed() -> bool:
            return await self.shown() != before

        for _ in range(TIMES):
            await self._cdp.send(
                "ServiceWorker.deliverPushMessage", {"origin": self.url, "registrationId": self._registration, "data": text}
            )
            with contextlib.suppress(AssertionError):
                await until_async(changed, AGAIN_S, "a notification")
                return
        raise AssertionError(f"{text!r} was brought {TIMES} times, and nothing was shown")

    async def _active(self) -> bool:
        state = await self.page.evaluate("navigator.serviceWorker.ready.then((ready) => ready.active.state)")
        return state == "activated"

    def _found(self, event: dict[str, Any]) -> None:
        for registration in event["registrations"]:
            if registration["scopeURL"] == f"{self.url}/":
                self._registration = registration["registrationId"]

    async def shown(self) -> list[dict[str, Any]]:
        """The notifications on its screen."""
        found: list[dict[str, Any]] = await self.page.evaluate(
            "navigator.serviceWorker.ready.then((ready) => ready.getNotifications()).then((all) => all.map("
            "({title, body, tag, data, silent, requireInteraction, lang}) => ({title, body, tag, data, silent, requireInteraction, lang})))"
        )
        return found

    @property
    def worker(self) -> Worker:
        (found,) = self.page.context.service_workers
        return found
