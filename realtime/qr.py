"""QR codes as SVG (ISO/IEC 18004, made by segno)."""

from __future__ import annotations

import io


def svg(text: str) -> str:
    """A QR code with its quiet zone; black on white whatever the page looks like, for scanners need the contrast."""
    import segno  # not before a code is shown

    out = io.BytesIO()
    # Any mask is a valid code; trying all eight for the prettiest one costs five times as long as the rest.
    code = segno.make(text, error="m", micro=False, mask=3)
    code.save(out, kind="svg", border=4, dark="#000", light="#fff", xmldecl=False, svgns=True, omitsize=True, nl=False)
    return out.getvalue().decode()
