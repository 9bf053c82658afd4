"""What a message says: plain text with named fields in braces, checked when it is written, filled in when it goes out.

A field is a name that stands for a value, nothing more: there are no expressions, filters or conditions, and a value that looks like a
field is not one. A field without a value leaves no gap: the space, the comma or the line that it would have needed goes with it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from realtime import checks, languages
from realtime.builtin_wordings import EMAIL, FALLBACK, LANGUAGES, SMS
from realtime.errors import InvalidInput
from realtime.sms_length import beyond, length

MOMENTS = ("joined", "almost", "called")
CHANNELS = ("sms", "email")
LONGEST = {"sms": 480, "email": 2000}
"""Characters of a text as it is written."""
LONGEST_SUBJECT = 150
LONGEST_STORE = 30
"""So many characters of a store's name fit into a short message."""


class Field(Struct, frozen=True):
    """A value that a text may name."""

    means: str
    sample: str
    channels: tuple[str, ...] = CHANNELS
    in_subject: bool = True


FIELDS: Mapping[str, Field] = {
    "number": Field("The party's number", "A07"),
    "place": Field("Where they stand, as a sentence", "3 parties ahead of you."),
    "ahead": Field("How many are before them", "3"),
    "desk": Field("Where to go; empty until they are called", "Desk 2"),
    "name": Field("Their name", "Ann"),
    "people": Field("How many they are", "2"),
    "store": Field("The store", "Luigi's"),
    "queue": Field("The queue", "Table for two"),
    "note": Field("What the queue says to those who wait", "Bring your coats to the bar.", ("email",), False),
    "link": Field("Their own page", "", CHANNELS, False),
}


class Wording(Struct, frozen=True):
    """A subject, where there is one, and a text."""

    subject: str
    text: str


class OwnText(Struct, frozen=True):
    """A text that the owner wrote in place of the built-in one."""

    moment: str
    channel: str
    language: str
    subject: str
    """Empty: the built-in one."""
    text: str


# ---- written ------------------------------------------------------------------------------------------------------


_PIECE = re.compile(r"\{([^{}\n]*)\}|[{}]")
_HOW = "Fields are written like {number}, and there are no other braces."


def written(channel: str, subject: str, text: str) -> Wording:
    """A text and a subject as somebody wrote them, made clean.

    Raises:
        InvalidInput: a field that is none, a brace too many, control characters, nothing at all, or too much.
    """
    clean = checks.text(text, "text", LONGEST[channel])
    if not clean:
        raise InvalidInput("Write what the message should say, or put our text back.", field="text")
    _check(clean, "text", [name for name, field in FIELDS.items() if channel in field.channels])
    if channel == "sms":
        if subject.strip():
            raise InvalidInput("A text message has no subject. Leave it out.", field="subject")
        return Wording("", clean)
    head = checks.line(subject, "subject", LONGEST_SUBJECT)
    if "{link}" in head.replace(" ", "").lower():
        raise InvalidInput("The link is a secret of the guest's, so it does not belong into a subject. Take {link} out.", field="subject")
    _check(head, "subject", [name for name, field in FIELDS.items() if field.in_subject])
    return Wording(head, clean)


def _check(text: str, field: str, allowed: Sequence[str]) -> None:
    for match in _PIECE.finditer(text):
        if match[1] is None:
            wrong = 'A "{" is never closed.' if match[0] == "{" else 'A "}" has no "{" before it.'
            raise InvalidInput(f"{wrong} {_HOW}", field=field)
        name = _name(match[1])
        if name not in allowed:
            named = " ".join(f"{{{each}}}" for each in allowed)
            if not name:
                raise InvalidInput(f"There is nothing between two braces. There are {named}.", field=field)
            shown = match[1].strip()
            shown = shown if len(shown) <= 30 else shown[:27] + "..."
            near = difflib.get_close_matches(name, allowed, n=1)
            meant = f" Did you mean {{{near[0]}}}?" if near else ""
            raise InvalidInput(f"There is no field {{{shown}}} here.{meant} There are {named}.", field=field)


def _name(said: str) -> str:
    return said.strip().lower()


def warnings(moment: str, channel: str, template: Wording, language: str, said: Wording) -> list[str]:
    """What the owner of a text should know about it, though it may be used.

    Args:
        said: the same, filled in with what is usual.
    """
    names = {_name(match[1]) for match in _PIECE.finditer(template.text) if match[1] is not None}
    found = []
    if "link" not in names and moment == "joined":
        found.append("Without {link} guests cannot look up their place, or leave the line.")
    if "number" not in names and "number" not in template.subject.lower():
        found.append("Without {number} guests do not know which call is theirs.")
    if moment == "called" and "desk" not in names:
        found.append("Without {desk} guests do not know where to go.")
    if "place" in names and language not in LANGUAGES:
        found.append("{place} is said in English here: we do not have it in this language. {ahead} is only the figure.")
    if channel == "sms":
        counted = length(said.text)
        if strange := beyond(said.text):
            named = " ".join(strange[:8])
            found.append(
                f"{named} {'is' if len(strange) == 1 else 'are'} outside the SMS alphabet, so one message holds 70 characters, not 160."
            )
        if counted.segments > 1:
            found.append(f"It goes out as {counted.segments} messages, and is paid {counted.segments} times.")
    return found


# ---- chosen -------------------------------------------------------------------------------------------------------


def spoken(wanted: Sequence[str], own: Sequence[OwnText] = ()) -> str:
    """The first language that a guest wants and there is a text in; else the first they want; empty when they want none."""
    ours = {text.language for text in own} | LANGUAGES.keys()
    return next((tag for tag in wanted if tag in ours), wanted[0] if wanted else "")


def built_in(moment: str, channel: str, language: str) -> Wording | None:
    """The text that comes with the program, if there is one in this language."""
    if channel == "sms":
        return Wording("", SMS[language][moment]) if language in SMS and moment in SMS[language] else None
    return Wording(*EMAIL[language][moment]) if language in EMAIL and moment in EMAIL[language] else None


def chosen(moment: str, channel: str, wanted: Sequence[str], own: Sequence[OwnText]) -> tuple[str, Wording]:
    """The text to use, and its language: for each language in turn the owner's own, else the built-in one; at last English.

    A channel without texts of its own gets the short ones.
    """
    channel = channel if channel in CHANNELS else "sms"
    for language in (*wanted, FALLBACK):
        ours = built_in(moment, channel, language)
        for text in own:
            if (text.moment, text.channel, text.language) == (moment, channel, language):
                subject = text.subject or (ours or built_in(moment, channel, FALLBACK) or Wording("", "")).subject
                return language, Wording(subject, text.text)
        if ours:
            return language, ours
    return FALLBACK, Wording("{number}: {store}", "{store}: {number}. {link}")


# ---- said ---------------------------------------------------------------------------------------------------------


_STOPS = ",.;:!?"
_SPACES = re.compile(r"[ \t]{2,}")
_EMPTY_LINES = re.compile(r"\n{3,}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with its fields filled in, once. What has no value leaves no gap behind. Never raises, whatever the text is."""
    lines = (_line(line, values) for line in text.split("\n"))
    return _EMPTY_LINES.sub("\n\n", "\n".join(line for line in lines if line is not None)).strip()


def _line(line: str, values: Mapping[str, str]) -> str | None:
    """None when all that stood in it were fields without values."""
    out, at, gap, fields, filled = "", 0, False, 0, 0
    for match in _PIECE.finditer(line):
        if match[1] is None:
            continue
        out = _join(out, line[at : match.start()], gap)
        at = match.end()
        value = values.get(_name(match[1]), "")
        fields += 1
        filled += bool(value)
        gap = not value
        out += value
    out = _join(out, line[at:], gap)
    if fields and not filled and not any(character.isalnum() for character in out):
        return None
    return _SPACES.sub(" ", out).strip(" \t") if fields else out


def _join(out: str, piece: str, gap: bool) -> str:
    """What follows a field that had no value: without the space before it, and without a second stop."""
    if not gap:
        return out + piece
    before, after = out.rstrip(" \t"), piece.lstrip(" \t")
    if not after:
        return before + (" " if before and (before != out or piece) else "")
    if before.endswith("(") and after.startswith(")"):
        return _join(before[:-1], after[1:], True)
    if after[:1] and after[0] in _STOPS:
        return before + (after[1:] if not before or before[-1] in _STOPS else after)
    return before + (" " if before and (before != out or after != piece) else "") + after


def sentence_of_place(language: str, ahead: int) -> str:
    """Where a party stands, in the words of a language; in English where we do not have them."""
    return LANGUAGES.get(language, LANGUAGES[FALLBACK]).place(ahead)


def action(language: str) -> str:
    """What the button to a ticket's page says."""
    return LANGUAGES.get(language, LANGUAGES[FALLBACK]).action


def short(store: str) -> str:
    """A store's name as it fits into a short message."""
    return store if len(store) <= LONGEST_STORE else store[: LONGEST_STORE - 3].rstrip() + "..."


def say(template: Wording, values: Mapping[str, str]) -> Wording:
    """A text and its subject filled in; the subject stays one line."""
    return Wording(" ".join(fill(template.subject, values).split()), fill(template.text, values))


def check_language(tag: str, field: str = "language") -> str:
    """A primary language tag, in small letters. Raises: InvalidInput."""
    clean = tag.strip().lower()
    if not languages.is_language(clean):
        raise InvalidInput('Name a language by two or three letters, such as "de".', field=field)
    return clean
