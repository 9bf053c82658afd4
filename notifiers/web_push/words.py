"""What a notification says, in the languages in which there are texts for guests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from realtime.builtin_wordings import FALLBACK, LANGUAGES


class Words(Struct, frozen=True):
    """Titles, and what to do where no desk is named."""

    called: str
    almost: str
    come: str


WORDS: Mapping[str, Words] = {
    "en": Words("It’s your turn", "Almost your turn", "Please come to the counter."),
    "de": Words("Sie sind dran", "Gleich sind Sie dran", "Bitte kommen Sie zum Tresen."),
    "fr": Words("C’est à vous", "Bientôt à vous", "Merci de vous présenter au comptoir."),
    "es": Words("Es su turno", "Ya casi le toca", "Acérquese al mostrador, por favor."),
    "it": Words("Tocca a voi", "Tra poco tocca a voi", "Vi aspettiamo al banco."),
    "tr": Words("Sıra sizde", "Sıra neredeyse sizde", "Lütfen bankoya gelin."),
}


def spoken(wanted: Sequence[str]) -> str:
    """The first of these languages that there are words in; else English."""
    return next((language for language in wanted if language in WORDS), FALLBACK)


def title(moment: str, language: str) -> str:
    """What stands beside the number; empty for a moment that is not known here."""
    words = WORDS.get(language, WORDS[FALLBACK])
    return {"called": words.called, "almost": words.almost}.get(moment, "")


def said(moment: str, desk: str, ahead: int, language: str) -> str:
    """The line below the title."""
    if moment == "called":
        return f"{desk}." if desk else WORDS.get(language, WORDS[FALLBACK]).come
    return LANGUAGES.get(language, LANGUAGES[FALLBACK]).place(ahead) if moment == "almost" else ""
