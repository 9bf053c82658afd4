"""A short message made as short as it can be: harmless signs, then a shorter name, never the number or the link."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from realtime.sms_length import length, plain

MOST_SEGMENTS = 4
"""A message of more parts than this is not sent: each is paid for."""
SHORTEST_NAME = 10
"""A store's name is not cut to fewer characters: nobody would know it."""
_CUT = "..."
_JOINERS = "\u200d\ufe0e\ufe0f"


class TooLong(Exception):
    """It would have too many parts, with the reason as one sentence."""


def fit(render: Callable[[str], str], store: str) -> str:
    """The text in the fewest parts that are possible, with as much of the store's name as they hold.

    Args:
        render: makes the text with a store's name.

    Raises:
        TooLong
    """
    names = [store, *(cut(store, size) for size in range(len(store) - 1, SHORTEST_NAME - 1, -1))]
    texts = [plain(" ".join(render(name).split())) for name in names]
    segments = [length(text).segments for text in texts]
    fewest = min(segments)
    if fewest > MOST_SEGMENTS:
        raise TooLong(f"The message is too long: it would be sent as {fewest} parts, and {MOST_SEGMENTS} are the most. Shorten its text.")
    return texts[segments.index(fewest)]


def cut(name: str, size: int) -> str:
    """At most `size` characters of a name; no character loses its accent or its half."""
    if len(name) <= size:
        return name
    kept = name[: size - len(_CUT)]
    if unicodedata.combining(name[len(kept)]) or name[len(kept)] in _JOINERS:
        kept = kept[:-1]
    return kept.rstrip(_JOINERS + " ") + _CUT
