"""Mail: what it says, how it is protected on its way, what it carries, and what each answer of a server means."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from email.headerregistry import Address
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from notifiers import email
from notifiers.email.letter import Letters, Unsendable
from notifiers.email.smtp import GREYLISTED_RETRY_S, MISCONFIGURED_RETRY_S, EmailNotifier
from realtime.errors import BadSettings
from realtime.hookspecs import Accepted, AccountNotice, Idle, Permanent, Retry, Sent, TicketFacts
from realtime.model import Delivery
from realtime.settings import Settings
from realtime.signed_callbacks import delivery_of
from tests.notifiers.post import PASSWORD, USER, PostServer
from tests.plugins.facts import CLOSED, LINK, OPENED_MS, QUEUE, STORE, TICKET, attachment, notice, outgoing
from tests.support.mail import MailServer

MADE: list[EmailNotifier] = []


@pytest.fixture(scope="module")
def letters() -> Letters:
    return Letters(Address(addr_spec="queue@example.com"))


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    """Whoever was made here leaves the server."""
    MADE.clear()
    yield
    for each in MADE:
        await each.close()


async def notifier(server: PostServer, scheme: str = "smtp", user: str = "", *, allow_plain: bool = True, tls: Any = None) -> EmailNotifier:
    url = f"{scheme}://{user}127.0.0.1:{server.port}"
    made = await asyncio.to_thread(EmailNotifier, url, "Luigi's <queue@example.com>", deadline_s=20, allow_plain=allow_plain, tls=tls)
    MADE.append(made)
    return made


def owed(
    moment: str = "called", *, store: str = STORE.name, name: str = TICKET.name, note: str = QUEUE.waiting_text, **body: str | int
) -> Delivery:
    told = notice(moment, msgspec.structs.replace(TICKET, name=name))
    queue, shop = msgspec.structs.replace(QUEUE, waiting_text=note), msgspec.structs.replace(STORE, name=store)
    composed = email.compose_ticket_notice(msgspec.structs.replace(told, queue=queue, store=shop))
    assert composed
    return Delivery("email", composed.recipient, moment, composed.body | body)


def closed() -> Delivery:
    return email.compose_store_closed(CLOSED)


# ---- what is owed -------------------------------------------------------------------------------------------------


def test_a_party_with_an_address_is_owed_a_mail_that_does_not_come_late() -> None:
    composed = email.compose_ticket_notice(notice("called"))

    assert composed
    assert (composed.notifier, composed.recipient, composed.needs_report) == ("email", "ann@example.com", False)
    assert composed.not_after_ms == OPENED_MS + 30 * 60_000


def test_a_party_without_an_address_is_owed_nothing() -> None:
    assert email.compose_ticket_notice(notice("called", TicketFacts(id=7, label="A07", name="Ann"))) is None
    assert email.compose_ticket_notice(notice("something new")) is None


def test_the_owner_is_owed_the_report_however_late() -> None:
    composed = closed()

    assert (composed.recipient, composed.needs_report, composed.not_after_ms) == ("luigi@example.com", True, 0)


@pytest.mark.parametrize("moment", ["confirm_email", "reset_password", "email_changed"])
def test_an_owner_is_owed_a_link_until_it_ends(moment: str) -> None:
    composed = email.compose_account_notice(AccountNotice(moment=moment, email="luigi@example.com", link=LINK, expires_ms=99))

    assert composed
    assert (composed.recipient, composed.body, composed.not_after_ms) == ("luigi@example.com", {"link": LINK}, 99)


def test_an_owner_is_told_which_webhook_is_off_and_why() -> None:
    about = AccountNotice(moment="webhook_disabled", email="luigi@example.com", about="Kitchen", why="It answered 410.")

    composed = email.compose_account_notice(about)

    assert composed
    assert (composed.recipient, composed.body) == ("luigi@example.com", {"link": "", "about": "Kitchen", "why": "It answered 410."})


def test_without_a_server_it_is_idle() -> None:
    assert email.register_notifiers(Settings.defaults()) == Idle("smtp_url is not set")


def test_where_nothing_leaves_it_needs_no_server() -> None:
    registered = email.register_notifiers(Settings.defaults(capture_messages=True))

    assert isinstance(registered, list)
    assert [each.name for each in registered] == ["email"]


def test_with_a_server_it_takes_its_settings() -> None:
    registered = email.register_notifiers(Settings.defaults(smtp_url="smtps://mail.example.com", mail_from="queue@example.com"))

    assert isinstance(registered, list)
    assert [each.name for each in registered] == ["email"]


@pytest.mark.parametrize(
    ("url", "sender"),
    [("http://mail.example.com", "a@example.com"), ("smtp://", "a@example.com"), ("smtp://mail.example.com", "no address")],
)
def test_settings_that_cannot_work_are_named_without_their_secrets(url: str, sender: str) -> None:
    with pytest.raises(BadSettings, match="must be") as error:
        EmailNotifier(url.replace("//", "//user:hidden@"), sender, deadline_s=5)

    assert "hidden" not in error.value.message


# ---- what it says -------------------------------------------------------------------------------------------------

MOMENTS: dict[str, tuple[Delivery, str, list[str]]] = {
    "joined": (owed("joined"), "A07: your place at Luigi's", ["Hello Ann", "3 parties ahead of you", "Have a drink", LINK]),
    "almost": (owed("almost"), "A07: almost your turn at Luigi's", ["3 parties ahead of you", LINK]),
    "called": (owed("called"), "A07: it's your turn at Luigi's", ["It's your turn. Desk 2.", LINK]),
    "closed": (
        closed(),
        "Luigi's: report of 22 November 2025",
        ["18:00", "23:00", "40 parties", "31", "report.csv", "Every ticket, for a spreadsheet.", "report.html", "12 minutes", "41 minutes"],
    ),
    "confirm": (Delivery("email", "luigi@example.com", "confirm_email", {"link": LINK}), "Confirm your e-mail address", [LINK]),
    "reset": (Delivery("email", "luigi@example.com", "reset_password", {"link": LINK}), "Choose a new password", [LINK]),
    "changed": (
        Delivery("email", "luigi@example.com", "email_changed", {"link": ""}),
        "A new e-mail address for your account",
        ["change your password"],
    ),
    "webhook": (
        Delivery(
            "email",
            "luigi@example.com",
            "webhook_disabled",
            {"link": "", "about": "Kitchen", "why": "Nothing has arrived there for five days."},
        ),
        "Your webhook Kitchen was turned off",
        [
            "Nothing has arrived there for five days. So nothing more is posted there.",
            "turn it on on your account page",
            "kept there for seven days",
        ],
    ),
    "own": (
        Delivery("email", "ann@example.com", "birthday", {"subject": "Many happy returns", "text": "Cake\nis ready."}),
        "Many happy returns",
        ["Cake\nis ready."],
    ),
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_text_and_page_say_the_same(post: PostServer, moment: str) -> None:
    delivery, subject, said = MOMENTS[moment]
    report = [attachment(b"queue,number\r\nTable for two,A07\r\n")] if delivery.needs_report else []

    assert isinstance(await (await notifier(post)).deliver(outgoing(delivery, *report)), Sent)

    (mail,) = post.mails
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text
    assert page
    assert mail["subject"] == subject
    for words in said:
        assert words.lower() in text.get_content().replace("\r\n", "\n").lower()
        assert words.lower() in page.get_content().replace("\r\n", "\n").replace("&#39;", "'").lower()
    assert "\n\n\n" not in text.get_content().replace("\r\n", "\n")


async def test_the_headers_are_those_of_a_machine_that_can_be_traced(post: PostServer) -> None:
    await (await notifier(post)).deliver(outgoing(owed()))

    (mail,) = post.mails
    assert mail["message-id"] == "<luigis-7-email@example.com>"
    assert mail["from"].addresses[0].display_name == "Luigi's"
    assert mail["auto-submitted"] == "auto-generated"
    assert parsedate_to_datetime(mail["date"]).tzinfo
    assert post.envelopes == [("queue@example.com", ["ann@example.com"])]


async def test_names_cannot_become_markup_or_templates(post: PostServer) -> None:
    await (await notifier(post)).deliver(
        outgoing(owed("joined", store="<b>{{ 7*7 }}</b>", name="<script>alert(1)</script>", note="<img src=x>"))
    )

    page = post.mails[0].get_body(("html",))
    assert page
    assert "<script>" not in page.get_content()
    assert "<img" not in page.get_content()
    assert "&lt;b&gt;{{ 7*7 }}&lt;/b&gt;" in page.get_content()
    assert post.mails[0]["subject"] == "A07: your place at <b>{{ 7*7 }}</b>"


async def test_letters_of_every_script_arrive(post: PostServer) -> None:
    await (await notifier(post)).deliver(outgoing(owed("joined", store="Müller's 李記 🍜", name="Zoë")))

    text = post.mails[0].get_body(("plain",))
    assert text
    assert "Hello Zoë" in text.get_content()
    assert post.mails[0]["subject"] == "A07: your place at Müller's 李記 🍜"


@pytest.mark.parametrize("field", ["subject", "queue", "label", "link", "action"])
@pytest.mark.parametrize("attack", ["x\r\nBcc: evil@example.com", "x\nBcc: evil@example.com", "x\rBcc: y", "x\0", "x\x1b[2J", "x\u2028y"])
def test_what_would_start_a_header_of_its_own_is_refused(letters: Letters, field: str, attack: str) -> None:
    with pytest.raises(Unsendable, match=f"{field} has control characters"):
        letters.write(outgoing(owed("called", **{field: attack})))


def test_the_page_leads_to_the_place_and_its_links_can_be_tapped(letters: Letters) -> None:
    text = f"Hello <Ann>,\n\n{LINK}\n\nSee https://luigis.example/menu\nor {LINK}."
    page = letters.write(outgoing(owed(text=text, language="tr", action="Yerimi göster"))).get_body(("html",))

    assert page
    said = page.get_content()
    assert f'<a href="{LINK}" class="act"' in said
    assert ">Yerimi göster</a>" in said
    assert '<a href="https://luigis.example/menu" rel="noopener">https://luigis.example/menu</a><br>' in said
    assert f'or <a href="{LINK}" rel="noopener">{LINK}</a>.' in said
    assert "Hello &lt;Ann&gt;," in said
    assert '<html lang="tr">' in said


async def test_the_preview_is_the_mail_that_would_go_out(post: PostServer) -> None:
    sender = await notifier(post)
    shown = await asyncio.to_thread(sender.preview, outgoing(owed()))
    await sender.deliver(outgoing(owed()))

    page = post.mails[0].get_body(("html",))
    assert page
    assert shown.html == page.get_content().replace("\r\n", "\n")
    assert shown.subject == post.mails[0]["subject"]
    assert (await asyncio.to_thread(sender.preview, outgoing(Delivery("email", "no address", "called", {})))).text.startswith(
        "There is no mail"
    )


async def test_a_mail_that_is_not_complete_is_refused(post: PostServer) -> None:
    for delivery in (
        Delivery("email", "ann@example.com", "called", {}),
        Delivery("email", "ann@example.com", "birthday", {"subject": "x"}),
    ):
        assert isinstance(await (await notifier(post)).deliver(outgoing(delivery)), Permanent)


async def test_a_domain_in_other_letters_is_reached(post: PostServer) -> None:
    delivery = owed()
    outcome = await (await notifier(post)).deliver(outgoing(Delivery("email", "ann@bücher.example", "called", delivery.body)))

    assert isinstance(outcome, Sent)
    assert post.envelopes[0][1] == ["ann@xn--bcher-kva.example"]


# ---- the way ------------------------------------------------------------------------------------------------------


async def test_starttls_is_used_and_the_sign_in_comes_after_it() -> None:
    with PostServer("starttls", sign_in=True) as post:
        user = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@"
        outcome = await (await notifier(post, user=user, allow_plain=False, tls=post.trusting)).deliver(outgoing(owed()))

    assert isinstance(outcome, Sent)
    assert post.encrypted == [True]


async def test_smtps_is_encrypted_from_the_start() -> None:
    with PostServer("smtps") as post:
        outcome = await (await notifier(post, "smtps", allow_plain=False, tls=post.trusting)).deliver(outgoing(owed()))

    assert isinstance(outcome, Sent)
    assert post.encrypted == [True]


async def test_without_encryption_nothing_is_sent(post: PostServer) -> None:
    outcome = await (await notifier(post, allow_plain=False)).deliver(outgoing(owed()))

    assert outcome == Retry(
        "The mail server does not offer STARTTLS; set smtp_allow_plain only if nobody can listen.",
        MISCONFIGURED_RETRY_S,
        provider_down=True,
    )
    assert post.mails == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_certificate_that_nobody_vouches_for_is_not_accepted(scheme: str) -> None:
    with PostServer("starttls" if scheme == "smtp" else "smtps") as post:
        strict = await asyncio.to_thread(ssl.create_default_context)
        outcome = await (await notifier(post, scheme, allow_plain=False, tls=strict)).deliver(outgoing(owed()))

    assert isinstance(outcome, Retry)
    assert "certificate" in outcome.reason
    assert post.mails == []


async def test_a_wrong_password_is_a_matter_for_whoever_runs_the_server() -> None:
    with PostServer("starttls", sign_in=True) as post:
        outcome = await (await notifier(post, user="queue:wrong@", allow_plain=False, tls=post.trusting)).deliver(outgoing(owed()))

    assert isinstance(outcome, Retry)
    assert outcome.after_s == MISCONFIGURED_RETRY_S
    assert "smtp_url" in outcome.reason


@pytest.mark.parametrize(
    ("command", "reply", "kind", "after_s"),
    [
        ("RCPT", "450 4.2.0 greylisted", Retry, GREYLISTED_RETRY_S),
        ("RCPT", "451 4.7.1 try again later", Retry, GREYLISTED_RETRY_S),
        ("MAIL", "452 4.3.1 no space", Retry, GREYLISTED_RETRY_S),
        ("DATA", "421 4.3.2 going down", Retry, 120),
        ("DATA", "drop", Retry, 120),
        ("MAIL", "drop", Retry, 120),
        ("MAIL", "530 5.7.0 sign in first", Retry, MISCONFIGURED_RETRY_S),
        ("MAIL", "550 5.7.1 not from you", Permanent, None),
        ("RCPT", "550 5.1.1 no such user ann@example.com", Permanent, None),
        ("DATA", "552 5.3.4 too big", Permanent, None),
        ("DATA", "554 5.7.1 spam", Permanent, None),
        ("QUIT", "drop", Sent, None),
        ("QUIT", "500 what", Sent, None),
    ],
)
async def test_what_each_answer_means(post: PostServer, command: str, reply: str, kind: type, after_s: float | None) -> None:
    post.replies[command] = reply

    outcome = await (await notifier(post)).deliver(outgoing(owed()))

    assert isinstance(outcome, kind)
    assert getattr(outcome, "after_s", None) == after_s
    assert "@" not in getattr(outcome, "reason", "")


@pytest.mark.parametrize("host", ["q.example", "a-very-long-name-of-a-host-that-somebody-chose.internal.example.com"])
async def test_a_party_can_unsubscribe_with_one_click(smtp_sink: MailServer, host: str) -> None:
    link = f"https://{host}/stop/email.{'h' * 22}.{'m' * 22}"
    sender = await asyncio.to_thread(EmailNotifier, smtp_sink.url, "queue@example.com", deadline_s=20, allow_plain=True)

    await sender.deliver(msgspec.structs.replace(outgoing(owed()), stop_link=link))
    await sender.deliver(outgoing(owed()))

    stoppable, plain = smtp_sink.mails
    assert f"\r\nList-Unsubscribe: <{link}>\r\n".encode() in stoppable.raw, "in one piece, or no mail program finds it"
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in stoppable.raw
    assert b"List-Unsubscribe" not in plain.raw


async def test_a_server_that_has_no_address_is_not_reached() -> None:
    lost = await asyncio.to_thread(EmailNotifier, "smtp://nowhere.invalid", "queue@example.com", deadline_s=20)

    assert await lost.deliver(outgoing(owed())) == Retry("The mail server could not be reached.", provider_down=True)


async def test_where_bounces_are_told_a_mail_to_a_guest_is_only_accepted_and_carries_a_mark(post: PostServer) -> None:
    make = partial(EmailNotifier, deadline_s=20, allow_plain=True, callback_secret="s" * 16)
    hears = await asyncio.to_thread(make, f"smtp://127.0.0.1:{post.port}", "queue@example.com")
    MADE.append(hears)

    outcomes = [await hears.deliver(outgoing(owed(), attempt=attempt)) for attempt in (1, 2)]
    owners = await hears.deliver(outgoing(Delivery("email", "luigi@example.com", "message", {"subject": "Hello", "text": "Hello."})))

    assert [type(each) for each in outcomes] == [Accepted, Accepted]
    assert isinstance(owners, Sent)
    first, again, _ = [str(mail["Message-ID"]) for mail in post.mails]
    assert first == again
    assert delivery_of("s" * 16, first, TICKET.email) == outgoing(owed()).id.replace("/", "-")
    assert delivery_of("s" * 16, first, "bo@example.com") == ""


def test_without_a_secret_nobody_can_call_back() -> None:
    assert EmailNotifier("smtp://127.0.0.1:1", "queue@example.com", deadline_s=5).callback is None
