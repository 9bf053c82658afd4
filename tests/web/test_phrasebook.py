"""The phrases of the pages that guests see, in every language that there is a book of."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from realtime import errors
from realtime.builtin_wordings import LANGUAGES
from realtime.errors import InvalidInput, NowServingError, Refused, StoreClosed, TicketNotFound, TooMany
from realtime.web import phrasebook
from realtime.web.phrasebook import ENGLISH, PHRASEBOOKS, Phrase, Phrasebook, chosen, plural

WEB = Path(phrasebook.__file__).parent
TEMPLATES = "".join(path.read_text() for path in sorted((WEB / "templates").glob("*.html")))
SCRIPTS = {path.name: path.read_text() for path in sorted((WEB / "static").glob("*.js"))}
PAGES = {
    "join.html": ("join.js", "join_form.js", "join_paused.js"),
    "ticket.html": ("ticket.js", "ticket_words.js", "line_words.js", "push.js"),
    "ticket_link.html": ("ticket_link.js",),
    "board.html": ("board.js", "board_view.js", "line_words.js"),
}
"""The scripts of each page that say something."""
KEY = re.compile(r'"((?:page|line|join|ticket|push|link|board)\.\w+)"')
GAP = re.compile(r"{(\w*)}")
OTHERS = [book for book in PHRASEBOOKS.values() if book is not ENGLISH]
GUESTS_OWN = {"not_signed_in", "bad_message", "wrong_content_type", "offline"}
"""Faults that a guest meets in other words than everybody else, or that only the page can see."""


def sentences(phrase: Phrase) -> list[str]:
    return [phrase] if isinstance(phrase, str) else list(phrase.values())


def gaps(phrase: Phrase) -> set[str]:
    return {gap for sentence in sentences(phrase) for gap in GAP.findall(sentence)}


def test_the_pages_speak_the_languages_of_the_messages() -> None:
    assert PHRASEBOOKS.keys() == LANGUAGES.keys()


@pytest.mark.parametrize("book", OTHERS, ids=lambda book: book.language)
def test_every_book_has_the_english_phrases_with_their_gaps(book: Phrasebook) -> None:
    own = phrasebook.read_book(book.language)

    assert list(own) == list(ENGLISH.phrases), "in the same order, so that two files can be read side by side"
    assert {key: gaps(phrase) for key, phrase in own.items()} == {key: gaps(phrase) for key, phrase in ENGLISH.phrases.items()}


@pytest.mark.parametrize("book", PHRASEBOOKS.values(), ids=lambda book: book.language)
def test_every_phrase_is_plain_text_and_says_something(book: Phrasebook) -> None:
    for key, phrase in book.phrases.items():
        assert isinstance(phrase, str) or set(phrase) == {"one", "other"}, key
        for sentence in sentences(phrase):
            assert sentence.strip() == sentence != "", key
            assert not set(sentence) & set("<>&\"'"), f"{key}: “ and ’ are the quotes of a page"
            assert not re.search(r"[{}]", GAP.sub("", sentence)), key


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("count", [0, 1, 2, 11])
def test_a_page_and_a_message_say_a_place_in_the_same_words(language: str, count: int) -> None:
    assert PHRASEBOOKS[language].ahead(count) == LANGUAGES[language].place(count)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"), ("de", "de"), ("de-AT,de;q=0.9,en;q=0.8", "de"), ("en;q=0.5,fr;q=0.9", "fr"), ("pl,tr;q=0.8,en;q=0.5", "tr"), ("pl", "en"), ("ja,zh", "en"),
        ("de;q=0,it", "it"), ("*", "en"), ("IT-ch", "it"), ("../../etc", "en"), ("deutsch", "en"), ("fr" * 5000, "en"),
    ],
)  # fmt: skip
def test_the_first_of_a_browsers_languages_that_there_is_a_book_of_is_spoken(header: str, language: str) -> None:
    assert chosen(header).language == language


@pytest.mark.parametrize(("language", "singular"), [("en", {1}), ("de", {1}), ("es", {1}), ("it", {1}), ("tr", {1}), ("fr", {0, 1})])
def test_a_language_says_its_own_counts_in_the_singular(language: str, singular: set[int]) -> None:
    assert {count for count in range(30) if plural(language, count) == "one"} == singular


def test_what_stands_in_a_gap_is_no_markup() -> None:
    assert ENGLISH.say("ticket_page.from", store="<b>A & B</b>") == "From &lt;b&gt;A &amp; B&lt;/b&gt;"
    assert ENGLISH.say("ticket_page.from", store="{count}") == "From {count}"


def test_a_wait_is_said_as_a_range_or_as_the_most() -> None:
    assert [ENGLISH.minutes(wait) for wait in ([], [0, 10], [15, 25])] == ["", "up to 10 min", "about 15–25 min"]


def test_a_book_that_lacks_a_phrase_says_it_in_english() -> None:
    book = phrasebook.books({"en": {"page.live": "Live", "page.again": "Try again"}, "xx": {"page.live": "Xx"}})["xx"]

    assert (book.say("page.live"), book.say("page.again")) == ("Xx", "Try again")


# ---- what went wrong ----------------------------------------------------------------------------------------------


def test_a_fault_has_the_sentence_of_its_error() -> None:
    known = {kind.code: kind.sentence for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, NowServingError)}
    faults = {key.partition(".")[2]: phrase for key, phrase in ENGLISH.phrases.items() if key.startswith("fault.")}

    assert {code: phrase for code, phrase in faults.items() if code in known and code not in GUESTS_OWN} == {
        code: known[code] for code in faults if code in known and code not in GUESTS_OWN
    }


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StoreClosed(), "Wir haben geschlossen. Danke für Ihren Besuch."),
        (TicketNotFound(StoreClosed.sentence), "Wir haben geschlossen. Danke für Ihren Besuch."),
        (TooMany("That was too often. Try again in 20 seconds."), "Das war zu oft. Warten Sie einen Moment, dann versuchen Sie es noch einmal."),
        (InvalidInput("Enter a whole phone number.", field="parties[0].phone"), "Geben Sie eine vollständige Telefonnummer ein."),
        (InvalidInput("This must be at least 1.", field="party"), "Geben Sie eine Zahl von 1 bis 99 ein."),
        (InvalidInput("The store needs a name.", field="store"), "The store needs a name."),
        (Refused("Only with a coat."), "Only with a coat."),
    ],
)  # fmt: skip
def test_a_fault_is_told_in_the_language_of_the_page(error: NowServingError, said: str) -> None:
    assert PHRASEBOOKS["de"].fault(error) == said
    assert ENGLISH.fault(error) == error.message, "in English the server's own sentence says more"


# ---- where they are said ------------------------------------------------------------------------------------------


def test_every_phrase_is_said_somewhere() -> None:
    written = TEMPLATES + "".join(SCRIPTS.values())
    by_method = {"line.next", "line.ahead", "line.up_to", "line.about"}

    assert [key for key in ENGLISH.phrases if f'"{key}"' not in written and not key.startswith("fault.") and key not in by_method] == []


def test_every_phrase_that_a_template_says_is_there() -> None:
    said = {key for spoken in re.findall(r"words\.say\((.*?)\)", TEMPLATES) for key in re.findall(r'"([a-z_]+\.[a-z_]+)"', spoken)}

    assert len(said) > 60
    assert said - ENGLISH.phrases.keys() == set()


@pytest.mark.parametrize("template", PAGES)
def test_a_page_brings_what_its_scripts_say(template: str) -> None:
    asked = re.search(r"words\.script\((.*?)\)", (WEB / "templates" / template).read_text())
    assert asked
    brought = ENGLISH.script(*re.findall(r'"(\w+)"', asked[1]))
    said = {key for script in PAGES[template] for key in KEY.findall(SCRIPTS[script])}

    assert said - brought.keys() == set()


def test_the_faults_come_along_where_the_server_speaks_another_language() -> None:
    assert "fault.store_closed" in PHRASEBOOKS["fr"].script("page")
    assert "fault.store_closed" not in ENGLISH.script("page")
