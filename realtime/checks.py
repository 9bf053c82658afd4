"""What people type, made clean or refused with a sentence: names, texts, addresses, numbers, passwords, time zones, pictures."""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterable
from importlib.resources import files

from realtime.errors import InvalidInput

_UNSEEN = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and symbols by category that leave no mark on a screen."""
_BLANK = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Mn", "Me"})
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidirectional embeddings, overrides and isolates: they reorder the text that stands after them (CVE-2021-42574)."""
_LINE_ENDS = re.compile("\r\n|[\r\u0085\u2028\u2029]")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PHONE = re.compile(r"[+\uff0b]?[\d\s().\-/\u2010-\u2015]+")
_ZONES = frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())
"""Read once, when the program starts: looking a zone up may read a file, and that is not done while others wait."""
_COUNTRIES = {
    line.split("\t")[2]: line[:2]
    for line in files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
}
"""The country of each time zone, two letters."""
_PICTURE = re.compile(r"data:(image/(?:png|jpeg|webp));base64,([A-Za-z0-9+/]+={0,2})")
_COMMON_WORDS = """
    password passw0rd password1 password12 password123 password1234 passwort passwort1 motdepasse contrasena
    iloveyou iloveyou1 princess princess1 sunshine sunshine1 football football1 baseball baseball1 basketball superman
    batman123 starwars trustno1 whatever computer internet michelle jennifer jessica1 jordan23 michael1 charlie1 corvette
    mercedes midnight liverpool chelsea1 arsenal1 barcelona realmadrid pokemon1 dragon123 monkey123 shadow123 master123
    letmein1 letmein123 welcome1 welcome12 welcome123 admin123 admin1234 administrator root1234 changeme changeme1 default1
    qwertyui qwertyuiop qwerty12 qwerty123 qwerty1234 qwertz123 azerty123 asdfghjk asdfghjkl zxcvbnm1 zxcvbnm123 1q2w3e4r
    1q2w3e4r5t q1w2e3r4 q1w2e3r4t5 1qaz2wsx qazwsxedc zaq12wsx abcd1234 abc12345 abcdefg1 a1b2c3d4 aa123456 a1234567
    p@ssw0rd p@ssword p@ssw0rd1 pass1234 test1234 testtest testing1 google12 facebook samsung1 secret123 hello123 hallo123
    freedom1 flower12 cheese12 summer2024 summer2025 winter2024 winter2025 restaurant waitlist nowserving
"""
_COMMONEST = frozenset(_COMMON_WORDS.split())
_ROWS = "01234567890 09876543210 abcdefghijklmnopqrstuvwxyz qwertyuiopasdfghjklzxcvbnm qwertzuiopasdfghjklyxcvbnm"


def _refuse_unreadable(value: str, field: str, allowed: str = "") -> None:
    for character in value:
        category = unicodedata.category(character)
        if category in {"Cc", "Zl", "Zp"} and character not in allowed:
            raise InvalidInput(f"Take out the control characters{'' if allowed else ' and line breaks'}.", field=field)
        # Unassigned characters stay: this Python's tables are older than people's emoji.
        nowhere = ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef"
        if category == "Cs" or nowhere or character in _DIRECTIONS:
            raise InvalidInput("Take out the characters that cannot be shown.", field=field)


def _seen(value: str) -> bool:
    """Whether anything would show on a screen."""
    return any(character not in _UNSEEN and unicodedata.category(character) not in _BLANK for character in value)


def line(value: str, field: str, max_length: int = 120) -> str:
    """One line of text, trimmed; may be empty.

    Raises:
        InvalidInput: it has control characters, line breaks or direction overrides, or is too long.
    """
    plain = value.isascii() and value.isprintable()
    clean = value.strip() if plain else unicodedata.normalize("NFC", value.strip())
    if not plain:
        _refuse_unreadable(clean, field)
    if len(clean) > max_length:
        raise InvalidInput(f"Use at most {max_length} characters.", field=field)
    return clean if plain or _seen(clean) else ""


def name(value: str, field: str, max_length: int = 80) -> str:
    """A name as people write it: one line with something to see in it.

    Raises:
        InvalidInput: as `line`, or nothing is left of it.
    """
    clean = line(value, field, max_length)
    if not clean:
        raise InvalidInput("Enter a name.", field=field)
    return clean


def text(value: str, field: str, max_length: int = 1000) -> str:
    """Plain text of several lines, trimmed; may be empty. Line ends become LF.

    Raises:
        InvalidInput: it has control characters or direction overrides, or is too long.
    """
    clean = unicodedata.normalize("NFC", _LINE_ENDS.sub("\n", value).strip())
    _refuse_unreadable(clean, field, allowed="\n\t")
    if len(clean) > max_length:
        raise InvalidInput(f"Use at most {max_length} characters.", field=field)
    return clean if _seen(clean) else ""


def email(value: str, field: str = "email", *, required: bool = True) -> str:
    """An e-mail address in lower case, its domain in ASCII (RFC 5321 sections 4.1.2 and 4.5.3.1, without quoted parts).

    Returns an empty string for an empty one when it is not required.

    Raises:
        InvalidInput: it is no address, or one that could not stand in a mail header.
    """
    clean = value.strip(" ")
    if not clean and not required:
        return ""
    local, at, domain = clean.rpartition("@")
    try:
        domain = domain.lower().encode("idna").decode("ascii")
    except UnicodeError:
        domain = ""
    if not at or len(local) > 64 or len(domain) > 253 or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise InvalidInput("Enter an e-mail address such as ann@example.com.", field=field)
    return f"{local.lower()}@{domain}"


def phone(value: str, region: str, field: str = "phone", *, required: bool = False) -> str:
    """A phone number as E.164, "+4930901820"; numbers without a country code are read as from `region` (two letters, or empty).

    Returns an empty string for an empty one when it is not required.

    Raises:
        InvalidInput: it is no phone number.
    """
    clean = value.strip()
    if not clean and not required:
        return ""
    if len(clean) <= 32 and _PHONE.fullmatch(clean):
        import phonenumbers  # not before somebody gives a number

        try:
            number = phonenumbers.parse(clean, region or None)
        except phonenumbers.NumberParseException:
            number = None
        if number is not None and phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    hint = "" if region else " with its country code, such as +49 30 901820"
    raise InvalidInput(f"Enter a whole phone number{hint}.", field=field)


def region_of(zone: str) -> str:
    """The country that a time zone is in, as two letters; empty where it is in none, as UTC."""
    return _COUNTRIES.get(zone, "")


def password(value: str, field: str = "password", *, about: Iterable[str] = ()) -> str:
    """A new password as it was typed: 8 to 256 characters and not one that is guessed first. No other rules (ASVS 6.2).

    `about` are words the password must not be: the owner's address, the store's name.

    Raises:
        InvalidInput: it is too short, too long, or too easily guessed.
    """
    if len(value) < 8:
        raise InvalidInput("Use at least 8 characters.", field=field)
    if len(value) > 256:
        raise InvalidInput("Use at most 256 characters.", field=field)
    if any(unicodedata.category(character) in {"Cs", "Cc"} for character in value):
        raise InvalidInput("Take out the characters that cannot be typed.", field=field)
    plain = value.lower()
    known = {word for given in about for word in (given.lower(), given.lower().partition("@")[0])}
    repeated = any(plain == (plain[:size] * len(plain))[: len(plain)] for size in (1, 2, 3, 4))
    if plain in _COMMONEST or plain in known or repeated or plain.rstrip("!1234567890") in {"password", "qwerty"} or _in_a_row(plain):
        raise InvalidInput("That password is one of the first to be guessed. Use a few words instead.", field=field)
    return value


def _in_a_row(plain: str) -> bool:
    return any(plain in row for row in _ROWS.split())


def timezone(value: str, field: str = "timezone") -> str:
    """An IANA time zone, "Europe/Berlin".

    Raises:
        InvalidInput: there is no such zone.
    """
    clean = value.strip()
    if clean not in _ZONES:
        raise InvalidInput("Choose a time zone such as Europe/Berlin.", field=field)
    return clean


def logo(value: str, field: str = "logo", max_bytes: int = 41_000) -> str:
    """The data: URL of a picture, as it was given; may be empty. Its first bytes must be those of the kind it says it is.

    Raises:
        InvalidInput: it is not a PNG, JPEG or WebP picture, or too large.
    """
    if not value:
        return ""
    found = _PICTURE.fullmatch(value)
    try:
        data = base64.b64decode(found[2], validate=True) if found else b""
    except binascii.Error:
        data = b""
    if len(data) > max_bytes:
        raise InvalidInput(f"Use a picture of at most {max_bytes // 1000} kB.", field=field)
    if not found or _kind(data) != found[1]:
        raise InvalidInput("Use a PNG, JPEG or WebP picture.", field=field)
    return value


def _kind(data: bytes) -> str:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return ""
