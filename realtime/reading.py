"""JSON from outside, read into the types of `messages.py`, or refused with a sentence that names the field."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec

from realtime.errors import BadMessage, InvalidInput

T = TypeVar("T")

_PATH = re.compile(r" - at `(?:key in )?\$(.*)`$")
_NAMES = re.compile(r"\[[^\]]*\]|[^.\[]+")
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "nothing",
}
_MISSING = "This field is missing. Add it."
_EMPTY = "This must not be empty."
_TOO_FEW = "There must be at least {least} of these."
_TOO_MANY = "There may be at most {most} of these."
_TOO_SMALL = "This must be at least {least}."
_TOO_LARGE = "This must be at most {most}."
_OTHER_KIND = "This must be {expected}, not {got}."
_SENTENCES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"Object missing required field `(?P<name>.*)`"), _MISSING),
    (re.compile(r"Object contains unknown field `(?P<name>.*)`"), "There is no such field. Leave it out."),
    (re.compile(r"Expected `str` of length >= 1"), _EMPTY),
    (re.compile(r"Expected `str` of length >= (?P<least>\d+)"), "Use at least {least} characters."),
    (re.compile(r"Expected `str` of length <= (?P<most>\d+)"), "Use at most {most} characters."),
    (re.compile(r"Expected `array` of length >= (?P<least>\d+)"), _TOO_FEW),
    (re.compile(r"Expected `array` of length <= (?P<most>\d+)"), _TOO_MANY),
    (re.compile(r"Expected `int` >= (?P<least>-?\d+)"), _TOO_SMALL),
    (re.compile(r"Expected `int` <= (?P<most>-?\d+)"), _TOO_LARGE),
    (re.compile(r"Number out of range"), "That number is too large."),
    (re.compile(r"Expected `str` matching regex '\^#\[0-9a-fA-F\]\{6\}\$'"), "Give a colour as #rrggbb."),
    (re.compile(r"Expected `str` matching regex '\^\[A-Z\]\$'"), "Give the letter of a queue, A to Z."),
    (re.compile(r"Expected `str` matching regex .*"), "This does not have the right form."),
)
_PARTY = "Enter a number from 1 to 99."
_OF_FIELD: Mapping[tuple[str, str], str] = {
    ("name", _MISSING): "Enter a name.",
    ("name", _EMPTY): "Enter a name.",
    ("email", _MISSING): "Enter an e-mail address such as ann@example.com.",
    ("password", _MISSING): "Enter a password.",
    ("party", _TOO_SMALL): _PARTY,
    ("party", _TOO_LARGE): _PARTY,
    ("party", _OTHER_KIND): _PARTY,
    ("parties", _TOO_FEW): "Name at least one party.",
    ("parties", _TOO_MANY): "At most {most} parties can join at once.",
    ("queues", _TOO_FEW): "Add at least one queue.",
    ("queues", _TOO_MANY): "A store can have {most} queues at most.",
}
"""What is said in place of a general sentence of the fields that people fill in: the last name of the path, and that sentence."""
_EXPECTED = re.compile(r"Expected `(?P<expected>[a-z |]+)`, got `(?P<got>[a-z]+)`")


def read(data: bytes | str | msgspec.Raw, type_: type[T], within: str = "") -> T:
    """The value of `type_` that a JSON text holds; `within` is put before the path of a wrong field.

    Raises:
        BadMessage: it is not JSON, not UTF-8, or nested too deep.
        InvalidInput: it is JSON, but not of this type.
    """
    try:
        decoder: msgspec.json.Decoder[T] = _decoder(cast(Hashable, type_))
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise refusal(error, type_, within) from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadMessage("That could not be read as JSON. Check the quotes, commas and brackets.") from error
    except RecursionError as error:
        raise BadMessage("That is nested too deep to be read.") from error


@lru_cache(maxsize=256)
def _decoder(type_: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cast(Any, type_))


def refusal(error: msgspec.ValidationError, type_: Any, within: str = "") -> InvalidInput:
    """A validation error in plain words, with the path of the field that is wrong, "queues[0].name", and with what there is to choose from."""
    said = str(error)
    found = _PATH.search(said)
    path = found[1].strip(".") if found else ""
    what = said[: found.start()] if found else said
    if what.startswith("Invalid enum value"):
        choices = [each for each in _choices(msgspec.inspect.type_info(type_), _NAMES.findall(path)) if each != ""]
        said = f"There is no such choice. There {'is' if len(choices) == 1 else 'are'}: {', '.join(map(str, choices))}."
    else:
        sentence, gaps = _sentence(what)
        path = ".".join(part for part in (path, gaps.get("name", "")) if part)
        said = _OF_FIELD.get((path.rpartition(".")[2], sentence), sentence).format(**gaps)
    field = ".".join(part for part in (within, path) if part)
    return InvalidInput(said, field=field or None)


def _choices(info: msgspec.inspect.Type, path: Sequence[str]) -> list[object]:
    """What may stand at a path of a type, each part of which names a field or, as "[...]", is what a list or an object holds."""
    if isinstance(info, msgspec.inspect.Metadata):
        return _choices(info.type, path)
    if isinstance(info, msgspec.inspect.UnionType):
        return [choice for each in info.types for choice in _choices(each, path)]
    if not path:
        if isinstance(info, msgspec.inspect.EnumType):
            return [each.value for each in info.cls]
        return list(info.values) if isinstance(info, msgspec.inspect.LiteralType) else []
    if isinstance(info, msgspec.inspect.StructType):
        return [choice for each in info.fields if each.encode_name == path[0] for choice in _choices(each.type, path[1:])]
    if isinstance(info, msgspec.inspect.CollectionType):
        return _choices(info.item_type, path[1:])
    return _choices(info.value_type, path[1:]) if isinstance(info, msgspec.inspect.DictType) else []


def _sentence(what: str) -> tuple[str, dict[str, str]]:
    """A general sentence, and what fills its gaps; `name` is the field, where only the fault says it."""
    for pattern, sentence in _SENTENCES:
        found = pattern.fullmatch(what)
        if found:
            return sentence, found.groupdict()
    found = _EXPECTED.fullmatch(what)
    if found:
        expected = " or ".join(_KINDS.get(kind.strip(), kind.strip()) for kind in found["expected"].split("|"))
        return _OTHER_KIND, {"expected": expected, "got": _KINDS.get(found["got"], found["got"])}
    return "That value cannot be used.", {}
