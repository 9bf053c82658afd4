"""How long a short message is, as the network counts: which alphabet it needs, how many units, and into how many parts it is cut.

After 3GPP TS 23.038 sections 6.1.2.1 (GSM 7 bit default alphabet and its extension table) and 6.1.2.3 (UCS2), and TS 23.040 section 9.2.3.24.1:
parts that belong together spend six bytes each on saying so.
"""

from __future__ import annotations

from msgspec import Struct

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
"""An escape and the character: two units, which no border between parts may separate."""
_HARMLESS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´ʼ", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f\u3000", " "),
        **dict.fromkeys("\u00ad\u200b\u2060\ufeff", None),
        "…": "...",
        "•": "-",
        "·": "-",
    }
)
"""Signs of typography, and what everybody reads in their place. One of them would make a message more than twice as long."""
GSM_7, UCS_2 = "GSM-7", "UCS-2"
_ROOM = {GSM_7: (160, 153), UCS_2: (70, 67)}
"""Units in a message of one part, and in each of several."""


class Length(Struct, frozen=True):
    """`units` are septets of GSM 7 bit, or UTF-16 code units of UCS2."""

    encoding: str
    """"GSM-7", or "UCS-2" where one character is in neither table of GSM 7 bit."""
    units: int
    segments: int
    """Parts it is sent, and paid for, as; 0 where it is empty."""

    @property
    def room(self) -> int:
        """Units that still fit without another part."""
        alone, each = _ROOM[self.encoding]
        return (alone if self.segments <= 1 else each * self.segments) - self.units


def length(text: str) -> Length:
    """The length of a text as it is, with nothing replaced: see `plain`."""
    if all(char in _BASIC or char in _EXTENSION for char in text):
        return _length(GSM_7, [2 if char in _EXTENSION else 1 for char in text])
    return _length(UCS_2, [2 if ord(char) > 0xFFFF else 1 for char in text])


def plain(text: str) -> str:
    """The text with curly quotes, dashes, ellipses and odd spaces as the short alphabet has them, where that spares the long one.

    What needs the long alphabet anyway - another script, an emoji - keeps them, for there they cost nothing.
    """
    simple = text.translate(_HARMLESS)
    made = length(simple)
    return simple if made.encoding == GSM_7 and made.segments <= length(text).segments else text


def beyond(text: str) -> str:
    """The characters that keep a text out of GSM 7 bit, each once, in their order."""
    return "".join(dict.fromkeys(char for char in text if char not in _BASIC and char not in _EXTENSION))


def _length(encoding: str, widths: list[int]) -> Length:
    """Packs characters into parts as a phone does: what takes two units is never cut in half."""
    alone, each = _ROOM[encoding]
    units = sum(widths)
    if units <= alone:
        return Length(encoding, units, 1 if units else 0)
    segments, room = 1, each
    for width in widths:
        if width > room:
            segments, room = segments + 1, each
        room -= width
    return Length(encoding, units, segments)
