"""What the pages that guests see say, in each language: one file of phrases per language, English the one they are held against.

A phrase is a sentence with named gaps in braces, or one sentence for each plural form of CLDR that the language has. Its key begins with its
group: a page's scripts are given the groups that they say something of, and no others; what only templates say stands in groups of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import msgspec
from markupsafe import escape

from realtime.errors import NowServingError
from realtime.languages import preferred

FALLBACK = "en"
LESS_THAN = {"fr": 2}
"""Languages in which other counts than 1 are said in the singular: those below this."""

Phrase = str | dict[str, str]


@dataclass(frozen=True, eq=False)
class Phrasebook:
    """The phrases of one language; what it lacks is said in English."""

    language: str
    phrases: Mapping[str, Phrase]

    def say(self, key: str, /, count: int = 0, **gaps: object) -> str:
        """A phrase with its gaps filled in, ready for a page: what comes from elsewhere is escaped.

        Args:
            count: chooses the plural form, and fills the gap of its name.
        Raises:
            KeyError: there is no such phrase, or a gap has nothing to fill it.
        """
        phrase = self.phrases[key]
        text = phrase if isinstance(phrase, str) else phrase[plural(self.language, count)]
        return escape(text).format(count=count, **gaps) if "{" in text else text

    def ahead(self, count: int) -> str:
        """Where a party stands in its line."""
        return self.say("line.ahead", count) if count else self.say("line.next")

    def minutes(self, wait: Sequence[int]) -> str:
        """A wait as [from, to] in minutes; nothing for an empty one."""
        if not wait:
            return ""
        return self.say("line.about", least=wait[0], most=wait[1]) if wait[0] else self.say("line.up_to", most=wait[1])

    def fault(self, error: NowServingError) -> str:
        """What went wrong: by its sentence where that is one of ours, else by its field or its code, else as it was said."""
        if self.language == FALLBACK:
            return error.message
        field = (error.field or "").rpartition(".")[2]
        known = _SENTENCES.get(error.message) or (f"join.wrong_{field}" if error.code == "invalid_input" else f"fault.{error.code}")
        phrase = self.phrases.get(known)
        return phrase if isinstance(phrase, str) else error.message

    def script(self, *groups: str) -> Mapping[str, Phrase]:
        """The phrases of these groups, as a page's scripts read them."""
        return _script(self, groups)


def plural(language: str, count: int) -> str:
    """The plural form that a count takes in a language which has two (CLDR, Language Plural Rules)."""
    return "one" if count == 1 or 0 <= count < LESS_THAN.get(language, 0) else "other"


def chosen(accept_language: str) -> Phrasebook:
    """The first of the languages in an Accept-Language header that there is a book of; else English."""
    return next((PHRASEBOOKS[tag] for tag in preferred(accept_language) if tag in PHRASEBOOKS), ENGLISH)


@lru_cache(maxsize=256)
def _script(book: Phrasebook, groups: tuple[str, ...]) -> Mapping[str, Phrase]:
    # In English the server's own sentence is shown, so the faults are not sent along.
    wanted = groups if book.language == FALLBACK else (*groups, "fault")
    return {key: phrase for key, phrase in book.phrases.items() if key.partition(".")[0] in wanted}


def read_book(language: str) -> Mapping[str, Phrase]:
    """The phrases that a language's file holds."""
    return _DECODER.decode(_FOLDER.joinpath(f"{language}.json").read_bytes())


def books(found: Mapping[str, Mapping[str, Phrase]]) -> Mapping[str, Phrasebook]:
    """A book for each language, by its tag."""
    return {language: Phrasebook(language, {**found[FALLBACK], **phrases}) for language, phrases in found.items()}


_FOLDER = files("realtime.web").joinpath("phrasebooks")
_DECODER = msgspec.json.Decoder(dict[str, Phrase])
_LANGUAGES = sorted(file.name.removesuffix(".json") for file in _FOLDER.iterdir() if file.name.endswith(".json"))

PHRASEBOOKS: Mapping[str, Phrasebook] = books({language: read_book(language) for language in _LANGUAGES})
"""Read once, when the program starts, so that no page waits for a disk."""
ENGLISH = PHRASEBOOKS[FALLBACK]
_SENTENCES: Mapping[str, str] = {
    phrase: key for key, phrase in ENGLISH.phrases.items() if isinstance(phrase, str) and key.startswith(("fault.", "join.wrong_"))
}
