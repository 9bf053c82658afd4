"""QR codes: what is drawn is what a scanner reads."""

from __future__ import annotations

import re

import pytest
import zxingcpp

from realtime.keys import Keys
from realtime.qr import svg

KEYS = Keys("k" * 40)


def drawn(text: str, scale: int = 4) -> memoryview:
    """The picture of an SVG made of one path of horizontal lines, as segno writes it: a byte for each point."""
    size = int(re.findall(r'viewBox="0 0 (\d+) \d+"', text)[0])
    rows = [bytearray(b"\xff" * size) for _ in range(size)]
    (path,) = re.findall(r'stroke="#000"[^>]* d="([^"]+)"', text) or re.findall(r' d="(M[^"]+)"[^>]*stroke="#000"', text)
    x = y = 0.0
    for command, numbers in re.findall(r"([Mmh])([-\d. ]*)", path):
        values = [float(value) for value in numbers.split()]
        if command == "h":
            rows[int(y)][int(x) : int(x + values[0])] = bytes(int(values[0]))
            x += values[0]
        else:
            x, y = (values[0], values[1]) if command == "M" else (x + values[0], y + values[1])
    points = b"".join(b"".join(bytes([point]) * scale for point in row) * scale for row in rows)
    return memoryview(points).cast("B", (size * scale, size * scale))


@pytest.mark.parametrize(
    "text",
    [
        f"http://127.0.0.1:8000/j/{KEYS.code('nzbvlsb5g4ur', 7)}",
        f"https://a-rather-long-name-of-a-shop.example.com/j/{KEYS.code('nzbvlsb5g4ur', 123456)}",
        f"https://queue.example.com/t#{KEYS.ticket_token('nzbvlsb5g4ur', 10**15)}",
        "https://b\u00fccher.example/j/x",
    ],
)
def test_a_scanner_reads_what_was_written(text: str) -> None:
    found = zxingcpp.read_barcodes(drawn(svg(text)))

    assert [each.text for each in found] == [text]


def test_it_is_black_on_white_with_a_quiet_zone_and_grows_with_its_place() -> None:
    picture = svg("https://queue.example.com/j/x")

    assert picture.startswith("<svg ")
    assert "width=" not in picture.partition(">")[0]
    assert '"#fff"' in picture
    assert '"#000"' in picture
    assert set(bytes(drawn(picture, 1)[:4])) == {255}, "four modules of white around it"


def test_what_is_drawn_holds_no_text_of_the_link() -> None:
    assert "</" not in svg("</svg><script>alert(1)</script>").replace("</svg>", "")
