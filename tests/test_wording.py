"""The texts for guests: what may be written, what is chosen, and how it reads once it is filled in."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime.builtin_wordings import EMAIL, LANGUAGES, SMS
from realtime.errors import InvalidInput
from realtime.hookspecs import StoreFacts, TicketFacts
from realtime.sms_length import length
from realtime.wording import CHANNELS, FIELDS, LONGEST, MOMENTS, OwnText, Wording, built_in, chosen, fill, spoken, warnings, written
from tests.plugins.facts import STORE, TICKET, notice

VALUES = {name: field.sample or "https://q.example/t#1" for name, field in FIELDS.items()}
LINK = "https://queue.example.com/t#k3v9x2m4p7qa.12.Zm9vYmFyYmF6cXV4MTIzNA"
BRACES = st.text(st.sampled_from("{} abc\n.%|(number)linkdesk_\"'[]0"), max_size=60)
PIECES = st.lists(st.sampled_from([*(f"{{{name}}}" for name in FIELDS), " ", ". ", "\n", "Hello", "(", ")", ", "]), max_size=12).map(
    "".join
)


# ---- written


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Write what the message should say, or put our text back."),
        (" \u200b ", "Write what the message should say, or put our text back."),
        ("{nmae}, come", "There is no field {nmae} here. Did you mean {name}?"),
        ("{ticket}", "There is no field {ticket} here."),
        ("{number|upper}", "There is no field {number|upper} here."),
        ("{number.__class__}", "There is no field {number.__class__} here."),
        ("{{ number }}", 'A "{" is never closed.'),
        ("{% raw %}", "There is no field {% raw %} here."),
        ("{}", "There is nothing between two braces."),
        ("{number", 'A "{" is never closed.'),
        ("number}", 'A "}" has no "{" before it.'),
        ("{num\nber}", 'A "{" is never closed.'),
        ("bell \a", "Take out the control characters."),
        ("\u202eevil", "Take out the characters that cannot be shown."),
        ("a" * 481, "Use at most 480 characters."),
        ("{note}", "There is no field {note} here."),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        written("sms", "", text)

    assert refused.value.message.startswith(said)
    assert refused.value.field == "text"


def test_a_refused_field_is_named_with_those_there_are() -> None:
    with pytest.raises(
        InvalidInput, match=r"There are \{number\} \{place\} \{ahead\} \{desk\} \{name\} \{people\} \{store\} \{queue\} \{link\}"
    ):
        written("sms", "", "{seat}")


@pytest.mark.parametrize("subject", ["{link}", "Look: { LINK }", "{note}", "two\nlines", "a" * 151])
def test_a_subject_is_one_line_without_secrets(subject: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        written("email", subject, "Come.")

    assert refused.value.field == "subject"


def test_a_text_message_has_no_subject() -> None:
    with pytest.raises(InvalidInput, match="has no subject"):
        written("sms", "Hello", "Come.")


def test_fields_may_be_written_as_people_write_them() -> None:
    clean = written("email", "", "{ Number } for {NAME}\r\n{note}")

    assert clean == Wording("", "{ Number } for {NAME}\n{note}")
    assert fill(clean.text, VALUES) == "A07 for Ann\nBring your coats to the bar."


@settings(deadline=None)
@given(st.text(max_size=200) | BRACES | PIECES, st.sampled_from(CHANNELS))
@example("{number}{number", "sms")
def test_any_text_is_refused_with_a_sentence_or_filled_in(text: str, channel: str) -> None:
    try:
        clean = written(channel, "", text)
    except InvalidInput as refused:
        assert refused.message.endswith(".") or refused.message.endswith("}.")
        assert refused.field == "text"
        return
    said = fill(clean.text, VALUES)

    assert "{" not in said
    assert "}" not in said
    assert len(clean.text) <= LONGEST[channel]
    assert fill(clean.text, dict.fromkeys(FIELDS, "")) == fill(fill(clean.text, {}), VALUES)


# ---- filled in


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It's your turn, {number}. {desk}. {link}", "It's your turn, A07. LINK"),
        ("Go to {desk}.", "Go to."),
        ("{desk}, please come", "please come"),
        ("Come ({desk}) now", "Come now"),
        ("A {desk} {number} b", "A A07 b"),
        ("Hello.\n{desk}\nBye.", "Hello.\nBye."),
        ("Hello.\n\n{desk}.\n\nBye.", "Hello.\n\nBye."),
        ("{number}{desk}{number}", "A07A07"),
        ("  two  spaces stay ", "  two  spaces stay"),
    ],
)
def test_a_field_without_a_value_leaves_no_gap(text: str, said: str) -> None:
    assert fill(text, {"number": "A07", "link": "LINK", "desk": ""}) == said.strip()


@settings(deadline=None)
@given(PIECES)
def test_what_is_missing_leaves_no_double_space_and_no_space_before_a_stop(text: str) -> None:
    said = fill(text, {"number": "A07"})

    with_fields = [line for line in said.split("\n") if "A07" in line]
    assert not any("  " in line for line in with_fields)
    assert "\n\n\n" not in said


@settings(deadline=None)
@given(st.text(max_size=40))
def test_a_value_is_never_read_as_a_text(name: str) -> None:
    """Neither a field in a guest's name nor an expression in it is anything but letters."""
    assert (
        fill("<{name}>", {"name": name, "number": "A07"}) == f"<{name}>".strip()
        or not name
        or "  " in name
        or "\t\t" in name
        or "\t " in name
    )


@pytest.mark.parametrize("name", ["{number}", "{{7*7}}", "{% for x in y %}", "%s", "$1", "\\1"])
def test_a_name_that_looks_like_a_field_stays_a_name(name: str) -> None:
    assert fill("{name}, come", {"name": name, "number": "A07"}) == f"{name}, come"


# ---- chosen


def own(moment: str, channel: str, language: str, text: str = "Mine", subject: str = "") -> OwnText:
    return OwnText(moment, channel, language, subject, text)


@pytest.mark.parametrize(
    ("wanted", "texts", "language", "text"),
    [
        (("de", "en"), [own("called", "sms", "de")], "de", "Mine"),
        (("de", "en"), [own("called", "sms", "en")], "de", SMS["de"]["called"]),
        (("pl", "tr"), [own("called", "sms", "tr")], "tr", "Mine"),
        (("pl", "tr"), [], "tr", SMS["tr"]["called"]),
        (("pl", "sv"), [own("called", "sms", "en")], "en", "Mine"),
        (("pl", "sv"), [], "en", SMS["en"]["called"]),
        (("pl",), [own("called", "sms", "pl")], "pl", "Mine"),
        (("de",), [own("joined", "sms", "de"), own("called", "email", "de")], "de", SMS["de"]["called"]),
        ((), [], "en", SMS["en"]["called"]),
    ],
)
def test_the_guests_language_comes_first_and_the_owners_own_text_in_it(
    wanted: tuple[str, ...], texts: list[OwnText], language: str, text: str
) -> None:
    assert chosen("called", "sms", wanted, texts) == (language, Wording("", text))


def test_an_own_mail_without_a_subject_keeps_ours() -> None:
    assert chosen("called", "email", ("de",), [own("called", "email", "de")])[1] == Wording(EMAIL["de"]["called"][0], "Mine")
    assert chosen("called", "email", ("pl",), [own("called", "email", "pl")])[1] == Wording(EMAIL["en"]["called"][0], "Mine")


def test_a_guest_is_asked_for_the_first_language_that_there_is_a_text_in() -> None:
    assert spoken(("lb", "de", "fr")) == "de"
    assert spoken(("lb", "de"), [own("called", "sms", "lb")]) == "lb"
    assert spoken(("lb", "pl")) == "lb"
    assert spoken(()) == ""


def test_a_text_of_nothing_but_missing_fields_gives_way_to_ours() -> None:
    mine = msgspec.structs.replace(
        notice("joined", msgspec.structs.replace(TICKET, desk="")), texts=(own("joined", "sms", "en", "{desk}"),)
    )

    assert mine.wording("sms").text.startswith("Luigi's: you are A07")


# ---- ours


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("moment", MOMENTS)
def test_our_short_texts_fit_one_message_even_with_a_long_name_a_long_line_and_a_usual_link(language: str, moment: str) -> None:
    ticket = TicketFacts(
        id=7, label="A117", name="Ann", desk="Desk 12" if moment == "called" else "", ahead=99 if moment != "called" else 0
    )
    told = msgspec.structs.replace(
        notice(moment, ticket),
        language=language,
        link=LINK,
        store=StoreFacts(id="s", name="The Old House on the Long Hill", timezone="UTC"),
    )
    said = told.wording("sms")

    counted = length(said.text)
    assert (counted.encoding, counted.segments) == ("GSM-7", 1), f"{counted}: {said.text}"
    assert said.text.endswith(LINK)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("channel", CHANNELS)
def test_our_texts_keep_the_rules_for_everybody(language: str, moment: str, channel: str) -> None:
    ours = built_in(moment, channel, language)

    assert ours
    assert written(channel, ours.subject, ours.text) == ours
    assert warnings(moment, channel, ours, language, Wording("", "short")) == []


def test_it_counts_as_people_do() -> None:
    said = [notice("joined", msgspec.structs.replace(TICKET, ahead=ahead)).wording("sms").text for ahead in (0, 1, 2)]

    assert ["You are next." in said[0], "1 party ahead" in said[1], "2 parties ahead" in said[2]] == [True, True, True]


def test_a_long_name_is_cut_in_a_text_message_only() -> None:
    long = msgspec.structs.replace(STORE, name="The Very Long Name of an Old Public House")
    told = msgspec.structs.replace(notice("called"), store=long)

    assert told.wording("sms").text.startswith("The Very Long Name of an Ol...: it's your turn")
    assert long.name in told.wording("email").subject


# ---- warned of


def test_what_is_missing_or_dear_is_said_and_not_refused() -> None:
    said = Wording("", "“" + "a" * 80)

    assert warnings("joined", "sms", Wording("", "Hello"), "en", said) == [
        "Without {link} guests cannot look up their place, or leave the line.",
        "Without {number} guests do not know which call is theirs.",
        "“ is outside the SMS alphabet, so one message holds 70 characters, not 160.",
        "It goes out as 2 messages, and is paid 2 times.",
    ]
    assert warnings("called", "sms", Wording("", "{number}"), "en", Wording("", "A07")) == [
        "Without {desk} guests do not know where to go."
    ]
    assert "{ahead} is only the figure" in warnings("almost", "sms", Wording("", "{number} {place}"), "pl", Wording("", "A07"))[0]
