"""What people type is read kindly, and refused with a sentence where it cannot be used."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import pytest

from realtime import checks
from realtime.errors import InvalidInput

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("  Ann ", "Ann"), ("José", "José"), ("Jose\u0301", "José"), ("李小龙", "李小龙"), ("👩‍👩‍👧 party", "👩‍👩‍👧 party"), ("\U0001fae8", "\U0001fae8"),
        ("O'Brien & Søn <x>", "O'Brien & Søn <x>"), ("مريم\u200f", "مريم\u200f"), ("=1+1", "=1+1"),
    ],
)  # fmt: skip
def test_a_name_is_kept_as_people_write_it(given: str, clean: str) -> None:
    assert checks.name(given, "name") == clean


@pytest.mark.parametrize(
    "given",
    [
        "", "   ", "\u200b\u200d", "\u3164", "\u2800", "\u0301", "a\0b", "a\nb", "a\rb", "a\tb", "a\x1b[31m", "a\x7f", "a\x85b", "a\u2028b", "a\u2029b",
        "\ud800", "a\u202eb", "a\u2066b", "\ufffe", "\ufdd0", "\U0001ffff", "x" * 81,
    ],
)  # fmt: skip
def test_a_name_without_anything_to_see_or_with_what_cannot_be_shown_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checks.name(given, "parties[0].name")

    assert refused.value.field == "parties[0].name"


def test_a_text_keeps_its_lines_and_loses_its_controls() -> None:
    assert checks.text(" one\r\ntwo\rthree\u2028four ", "t") == "one\ntwo\nthree\nfour"
    with pytest.raises(InvalidInput):
        checks.text("a\x08b", "t")
    with pytest.raises(InvalidInput, match="at most 1000"):
        checks.text("x" * 1001, "t")


def test_a_line_may_be_empty_and_is_one_line() -> None:
    assert checks.line(" ", "desk") == ""
    with pytest.raises(InvalidInput):
        checks.line("a\nb", "desk")


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        (" a.b+c@d-e.co.uk ", "a.b+c@d-e.co.uk"),
        ("x@bücher.de", "x@xn--bcher-kva.de"),
        ("o'neil@a.io", "o'neil@a.io"),
    ],
)
def test_an_address_is_made_plain(given: str, clean: str) -> None:
    assert checks.email(given) == clean


@pytest.mark.parametrize(
    "given",
    [
        "", "a", "a@", "@b.c", "a@b", "a@@b.c", "a b@c.d", "a@b..c", ".a@b.c", "a.@b.c", "a..b@c.d", "a@-b.c", "a@b-.c", "a@b.1", "a@[127.0.0.1]", '"a"@b.c',
        "a@b.c\r\nBcc: x@y.z", "a@b.c\n", "a\n@b.c", "a@b.c,d@e.f", "Ann <a@b.c>", "a@b.c\0", "ä@b.c", "a@\ud800.c", "x" * 65 + "@b.c", "a@" + "b" * 64 + ".c",
        "a@" + "b." * 130 + "c",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput):
        checks.email(given)


@pytest.mark.parametrize(
    ("given", "region", "clean"),
    [
        ("+49 30 901820", "", "+4930901820"), ("030 901820", "DE", "+4930901820"), ("+1 (650) 253-0000", "", "+16502530000"), ("＋49 30 901820", "", "+4930901820"),
        ("+٤٩ 30 901820", "", "+4930901820"), ("", "", ""),
    ],
)  # fmt: skip
def test_a_phone_number_becomes_e164(given: str, region: str, clean: str) -> None:
    assert checks.phone(given, region) == clean


@pytest.mark.parametrize(
    "given",
    [
        "12",
        "030 901820",
        "+49",
        "+999 12345678",
        "call me",
        "1-800-FLOWERS",
        "+1 650 253 0000 ext 5",
        "tel:+16502530000",
        "+1650253000012345678901234567890123",
        "+1\n6502530000;",
    ],
)
def test_what_is_no_phone_number_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput, match="country code"):
        checks.phone(given, "")


@pytest.mark.parametrize(
    "given", ["four red lanterns", "xK9$mQ2p", "пароль-фонарь", "x y z a b c", "😀😁😂🤣😃😄😅😆", " leading and trailing "]
)
def test_a_password_is_taken_as_it_was_typed(given: str) -> None:
    assert checks.password(given) == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "short",
        "password",
        "Password1",
        "PASSWORD123!",
        "12345678",
        "87654321",
        "aaaaaaaa",
        "abcabcabc",
        "qwertyui",
        "iloveyou",
        "luigi@example.com",
        "x" * 257,
        "abcd\ud800efgh",
        "abcd\0efgh",
    ],
)
def test_a_password_that_is_guessed_first_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput):
        checks.password(given, about=("luigi@example.com",))


@pytest.mark.parametrize("given", ["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires"])
def test_a_time_zone_is_known_by_its_name(given: str) -> None:
    assert checks.timezone(f" {given} ") == given


@pytest.mark.parametrize(
    "given", ["", "europe/berlin", "Berlin", "../../etc/passwd", "/etc/passwd", "localtime", "posixrules", "UTC\0", "tzdata.zi", "Europe"]
)
def test_what_is_no_time_zone_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput):
        checks.timezone(given)


def data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def test_a_picture_is_what_its_first_bytes_say() -> None:
    for url in (
        data_url("image/png", PNG),
        data_url("image/jpeg", b"\xff\xd8\xff\xe0" + b"0" * 9),
        data_url("image/webp", b"RIFF1234WEBPVP8 "),
    ):
        assert checks.logo(url) == url
    assert checks.logo("") == ""


@pytest.mark.parametrize(
    "given",
    [
        "x", "https://example.com/a.png", data_url("image/jpeg", PNG), data_url("image/svg+xml", b"<svg/>"), data_url("text/html", b"<script>"), data_url("image/png", b""),
        data_url("image/png", PNG) + "=", "data:image/png;base64,iVBORw0KGgo\nAAA", data_url("image/png", PNG + b"0" * 41_000), "data:image/png," + "a" * 50,
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput):
        checks.logo(given)


@pytest.mark.parametrize(
    "check", [lambda text: checks.email(text), lambda text: checks.logo(text), lambda text: checks.text(text, "t", 10**6)]
)
def test_time_grows_no_faster_than_the_text(check: Callable[[str], object]) -> None:
    def took(size: int) -> float:
        best = 9.0
        for _ in range(5):
            began = time.perf_counter()
            for hostile in ("a." * size, "a" * size + "@" + "b-" * size, "data:image/png;base64," + "A" * size, " " * size + "\t"):
                try:
                    check(hostile)
                except InvalidInput:
                    pass
            best = min(best, time.perf_counter() - began)
        return best

    # Four times the text in less than four times four: quadratic would be sixteen.
    assert took(8000) < 12 * took(2000) + 0.005
