"""The use cases of the texts for guests: write, put back, preview, try out on oneself."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence

from realtime import checks, wording
from realtime.builtin_wordings import EMAIL, FALLBACK, SMS
from realtime.clerk import Clerk
from realtime.errors import Refused, WrongState
from realtime.hookspecs import OutgoingDelivery, QueueFacts, StoreFacts, TicketFacts, TicketNotice
from realtime.model import Delivery
from realtime.operations import accounts, stores, wordings
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.sms_length import length, plain
from realtime.storage.statement import Storage
from realtime.wording import FIELDS, LONGEST, MOMENTS, OwnText
from realtime.wording_messages import (
    FieldView,
    LengthView,
    PreviewWording,
    ResetWording,
    TryWording,
    WordingPreview,
    WordingsView,
    WordingView,
    WriteWording,
)

_AHEAD = {"joined": 3, "almost": 2, "called": 0}
_SECRET = "k3v9x2m4p7qa.12.Zm9vYmFyYmF6cXV4MTIzNA"
"""As long as the secret of a link is, and opens nothing."""
_NOBODY = {"sms": "+4915112345678", "email": "ann@example.com"}


class Scribe:
    """Keeps what owners write, and shows it as guests would get it."""

    def __init__(self, settings: Settings, storage: Storage, clerk: Clerk, registry: Registry, clock_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._storage = storage
        self._clerk = clerk
        self._registry = registry
        self._now = clock_ms

    async def view(self, account_id: str) -> WordingsView:
        """All texts of an account, and ours."""
        account = await self._storage.read(accounts.one, account_id)
        own = await self._storage.read(wordings.every, account_id)
        last = await self._storage.read(stores.template, account_id)
        carried = self._registry.notifiers()
        return WordingsView(
            (await self._storage.read(wordings.language, account_id)) or FALLBACK,
            [FieldView(name, field.means, list(field.channels), field.in_subject) for name, field in FIELDS.items()],
            _ours(),
            [WordingView(text.moment, text.channel, text.language, text.subject, text.text) for text in own],
            dict(LONGEST),
            last.name if last else FIELDS["store"].sample,
            account.email,
            account.confirmed,
            "email" in carried,
            "sms" in carried,
            self._settings.capture_messages,
        )

    async def write(self, account_id: str, request: WriteWording) -> WordingView:
        """Keep a text. Raises: InvalidInput, Conflict."""
        text = _own(request)
        await self._storage.write(wordings.write, account_id, text)
        return WordingView(text.moment, text.channel, text.language, text.subject, text.text)

    async def reset(self, account_id: str, request: ResetWording) -> None:
        """Put our text back; nothing happens when it was never away. Raises: InvalidInput."""
        language = wording.check_language(request.language)
        await self._storage.write(wordings.reset, account_id, request.moment, request.channel, language)

    async def set_language(self, account_id: str, tag: str) -> None:
        """What guests are told whose language nobody wrote a text in. Raises: InvalidInput."""
        await self._storage.write(wordings.set_language, account_id, wording.check_language(tag))

    async def preview(self, account_id: str, request: PreviewWording, *, base: str) -> WordingPreview:
        """A text as a guest would get it, with what is usual in its fields. Raises: InvalidInput."""
        notice = await self._notice(account_id, request, _NOBODY[request.channel], base)
        said = notice.wording(request.channel)
        language, template = wording.chosen(request.moment, request.channel, (notice.language, notice.store_language), notice.texts)
        shown = None
        for owed in self._composed(notice, request.channel)[:1]:
            shown = await asyncio.to_thread(self._registry.preview, OutgoingDelivery(id="preview", attempt=1, delivery=owed))
        text, counted, refusal = said.text, None, ""
        if request.channel == "sms":
            # What its notifier makes of it is what is sent and paid for; without one, what it would make of it.
            refusal = shown.text if shown and shown.refused else ""
            text = shown.text if shown and not refusal else plain(" ".join(text.split()))
            counted = length(text)
        warned = wording.warnings(request.moment, request.channel, template, language, wording.Wording(said.subject, text))
        return WordingPreview(
            language,
            said.subject if request.channel == "email" else "",
            text,
            shown.html if shown else "",
            LengthView(counted.encoding, counted.units, counted.segments, counted.room) if counted else None,
            [refusal, *warned] if refusal else warned,
        )

    async def send_test(self, account_id: str, request: TryWording, *, base: str) -> None:
        """Owe the owner this text: by mail to their confirmed address, as a text message to a phone of theirs.

        Raises:
            InvalidInput: the text or the number cannot be used.
            WrongState: the owner's address is not confirmed yet.
            Refused: nothing here can send it.
        """
        account = await self._storage.read(accounts.one, account_id)
        if not account.confirmed and not self._settings.capture_messages:
            raise WrongState("Confirm your e-mail address first: open the link in the mail that we sent.")
        to = account.email
        if request.channel == "sms":
            to = checks.phone(request.phone, await self._region(account_id), "phone", required=True)
        notice = await self._notice(account_id, request, to, base)
        owed = tuple(self._composed(notice, request.channel))
        if not owed:
            kind, setting = ("e-mail", "smtp_url") if request.channel == "email" else ("text messages", "sms_url")
            raise Refused(f"This server cannot send {kind}. Whoever runs it sets {setting}, or capture_messages to try it out.")
        await self._clerk.change(wordings.try_out, account_id, secrets.token_hex(8), owed, self._now())

    def _composed(self, notice: TicketNotice, channel: str) -> Sequence[Delivery]:
        return [owed for owed in self._registry.compose_ticket_notice(notice) if owed.notifier == channel]

    async def _region(self, account_id: str) -> str:
        if self._settings.phone_region:
            return self._settings.phone_region
        template = await self._storage.read(stores.template, account_id)
        return checks.region_of(template.timezone) if template else ""

    async def _notice(self, account_id: str, request: PreviewWording | TryWording, to: str, base: str) -> TicketNotice:
        """The moment as it would be for a guest of the account's last store."""
        language = wording.check_language(request.language)
        own: tuple[OwnText, ...] = ()
        if request.text.strip():
            own = (_own(request),)
        elif request.subject.strip():
            _, ours = wording.chosen(request.moment, request.channel, (language,), ())
            own = (_own(request, ours.text),)
        last = await self._storage.read(stores.template, account_id)
        queue = last.queues[0] if last and last.queues else stores.NewQueue(FIELDS["queue"].sample)
        return TicketNotice(
            moment=request.moment,
            store=StoreFacts(id="", name=last.name if last else FIELDS["store"].sample, timezone=last.timezone if last else "UTC"),
            queue=QueueFacts(id="A", name=queue.name, waiting_text=queue.waiting_text, end_text=queue.end_text),
            ticket=TicketFacts(
                id=0,
                label=FIELDS["number"].sample,
                name=FIELDS["name"].sample,
                phone=to if request.channel == "sms" else "",
                email=to if request.channel == "email" else "",
                party=2,
                desk=FIELDS["desk"].sample if request.moment == "called" else "",
                ahead=_AHEAD[request.moment],
            ),
            link=f"{base}/t#{_SECRET}",
            now_ms=self._now(),
            language=language,
            store_language=(await self._storage.read(wordings.language, account_id)) or FALLBACK,
            texts=own,
        )


def _own(request: WriteWording | PreviewWording | TryWording, text: str = "") -> OwnText:
    """Raises: InvalidInput."""
    clean = wording.written(request.channel, request.subject, text or request.text)
    return OwnText(request.moment, request.channel, wording.check_language(request.language), clean.subject, clean.text)


def _ours() -> list[WordingView]:
    found = []
    for language in SMS:
        for moment in MOMENTS:
            found.append(WordingView(moment, "sms", language, "", SMS[language][moment]))
            found.append(WordingView(moment, "email", language, *EMAIL[language][moment]))
    return found
