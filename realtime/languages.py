"""Which languages a browser asks for, as the primary tags of BCP 47."""

from __future__ import annotations

import re
from functools import lru_cache

MOST = 5
"""So many of a browser's languages are looked at."""
_TAG = re.compile(r"[a-z]{2,3}")
_RANGE = re.compile(r"([A-Za-z]{1,8})(?:-[A-Za-z0-9]{1,8})*(?:\s*;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?")
_LONGEST = 400


def is_language(tag: str) -> bool:
    """Whether it looks like a primary language: two or three small letters."""
    return _TAG.fullmatch(tag) is not None


def preferred(header: str) -> tuple[str, ...]:
    """An Accept-Language header (RFC 9110, 12.5.4) -> primary tags, the dearest first. What cannot be read is passed over."""
    return _preferred(header[:_LONGEST]) if header else ()


@lru_cache(maxsize=1024)
def _preferred(header: str) -> tuple[str, ...]:
    found: list[tuple[float, str]] = []
    for part in header.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match and is_language(tag := match[1].lower()):
            found.append((-float(match[2] or 1), tag))
    ordered = sorted((each for each in found if each[0]), key=lambda each: each[0])
    return tuple(dict.fromkeys(tag for _, tag in ordered))[:MOST]
