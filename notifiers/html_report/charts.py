"""Charts as inline SVG: bars, a line, shares.

Positions across are percentages, so that a chart fits a phone and a sheet of paper and its letters keep their size; nothing is scaled, and
nothing needs a script.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from notifiers.html_report.figures import Bin, Figures, Slot
from notifiers.html_report.words import at_most, number, parties, span

TALL, SHORT = 176, 64
"""Heights of the plot itself in CSS pixels."""
ABOVE, BELOW = 18, 26
"""Room for the uppermost label and for the times."""


def tag(name: str, *content: Markup | str, **attributes: object) -> Markup:
    """An element; texts and attributes are escaped, `_` in a name stands for `-`, `class_` for `class`."""
    said = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for key, value in attributes.items())
    begin, end = Markup(f"<{name}{said}>"), Markup(f"</{name}>")  # noqa: S704 - names are this file's own, values are escaped above
    return begin + Markup("").join(content) + end


def scale(most: int) -> tuple[int, int]:
    """The top of an axis that reaches `most`, and the step between its lines: 1, 2 or 5 times a power of ten, at most four steps."""
    step = next(each * 10**power for power in range(12) for each in (1, 2, 5) if most <= 4 * each * 10**power)
    return max(-(-most // step), 1) * step, step


def scale_minutes(most_s: int) -> tuple[int, int]:
    """The same for an axis of waits, in minutes."""
    most = max(-(-most_s // 60), 1)
    step = next((each for each in (1, 2, 5, 10, 15, 30, 60, 120, 240) if most <= 4 * each), 480)
    return -(-most // step) * step, step


def arrivals(slots: Sequence[Slot], by_slot: Sequence[tuple[int, int]], top: int, step: int, label: str, *, small: bool = False) -> Markup:
    """Two bars to a slot: how many joined, and how many were served."""
    height = SHORT if small else TALL
    width = 100 / len(slots)
    drawn: list[Markup] = []
    for at, (slot, counts) in enumerate(zip(slots, by_slot, strict=True)):
        hint = f"{span(slot)}: {counts[0]} joined, {counts[1]} served"
        bars = [tag("title", hint), tag("rect", class_="slot", x=_share(at * width), y=ABOVE, width=_share(width), height=height)]
        for side, (kind, count) in enumerate(zip(("joined", "served"), counts, strict=True)):
            if count:
                tall = max(count / top * height, 1.5)
                x = at * width + width * (0.14 + 0.37 * side)
                bars.append(
                    tag("rect", class_=kind, x=_share(x), y=_px(ABOVE + height - tall), width=_share(width * 0.35), height=_px(tall))
                )
        drawn.append(tag("g", *bars))
    lines = _lines(height, top, step if not small else top, number)
    return _svg(label, height, [*lines, *drawn, *_times(slots, height, small)], "small" if small else "")


def waits(slots: Sequence[Slot], label: str) -> Markup:
    """The median as a line, and above it, up to the wait that one in ten exceeded, a band. It breaks off where nobody was called."""
    top, step = scale_minutes(max(slot.ninth_s for slot in slots))
    width = 100 / len(slots)

    def y(seconds: int) -> float:
        return ABOVE + TALL - seconds / 60 / top * TALL

    runs: list[list[int]] = []
    for at, slot in enumerate(slots):
        if slot.waits:
            if runs and runs[-1][-1] == at - 1:
                runs[-1].append(at)
            else:
                runs.append([at])
    paths: list[Markup] = []
    for run in (run for run in runs if len(run) > 1):
        median = [f"{(at + 0.5) * width:.3f} {y(slots[at].median_s):.2f}" for at in run]
        ninth = [f"{(at + 0.5) * width:.3f} {y(slots[at].ninth_s):.2f}" for at in run]
        paths.append(tag("path", class_="band", d=f"M{' L'.join(median)} L{' L'.join(reversed(ninth))}Z"))
        paths.append(tag("path", class_="ninth", d=f"M{' L'.join(ninth)}", vector_effect="non-scaling-stroke"))
        paths.append(tag("path", class_="median", d=f"M{' L'.join(median)}", vector_effect="non-scaling-stroke"))
    whole = ABOVE + TALL + BELOW
    stretched = tag("svg", *paths, viewBox=f"0 0 100 {whole}", preserveAspectRatio="none", width="100%", height=whole)
    points: list[Markup] = []
    for at, slot in enumerate(slots):
        if not slot.waits:
            continue
        hit = tag("rect", class_="slot", x=_share(at * width), y=ABOVE, width=_share(width), height=TALL)
        x = _share((at + 0.5) * width)
        hint = f"Joined {span(slot)}: half waited {at_most(slot.median_s)}, nine of ten {at_most(slot.ninth_s)}"
        upper, dot = (
            tag("circle", class_="ninth-dot", cx=x, cy=_px(y(slot.ninth_s)), r=2.5),
            tag("circle", class_="median-dot", cx=x, cy=_px(y(slot.median_s)), r=4),
        )
        points.append(tag("g", tag("title", hint), hit, upper, dot))
    lines = _lines(TALL, top, step, lambda minutes: f"{minutes} min" if minutes else "0")
    return _svg(label, TALL, [*lines, stretched, *points, *_times(slots, TALL, False)])


def histogram(bins: Sequence[Bin], figures: Figures, label: str) -> Markup:
    """How many waited how long, with a mark where half and where nine of ten were called."""
    top, step = scale(max(each.count for each in bins))
    width = 100 / len(bins)
    drawn: list[Markup] = []
    for at, each in enumerate(bins):
        tall = max(each.count / top * TALL, 1.5) if each.count else 0
        hint = f"{minutes_of(each)}: {parties(each.count)}"
        bar = tag(
            "rect",
            class_="waited",
            x=_share(at * width + width * 0.04),
            y=_px(ABOVE + TALL - tall),
            width=_share(width * 0.92),
            height=_px(tall),
        )
        drawn.append(
            tag("g", tag("title", hint), tag("rect", class_="slot", x=_share(at * width), y=ABOVE, width=_share(width), height=TALL), bar)
        )
        every = len(bins) > 7 and at % 2
        text = str(each.low) if each.high is not None else f"{each.low}+"
        drawn.append(
            tag("text", text, class_="time rare" if every else "time", x=_share(at * width), y=ABOVE + TALL + 18, text_anchor="middle")
        )
    per_minute = width / (bins[0].high or 1)
    for seconds, words, anchor, dx in (
        (figures.counts.median_wait_ms // 1000, "half", "end", -5),
        (figures.ninth_s, "9 of 10", "start", 5),
    ):
        at_share = min(seconds / 60 * per_minute, 100 - width / 2 if bins[-1].high is None else 100)
        drawn.append(tag("line", class_="mark", x1=_share(at_share), x2=_share(at_share), y1=4, y2=ABOVE + TALL))
        anchor, dx = ("start", 5) if at_share < 14 else ("end", -5) if at_share > 80 else (anchor, dx)
        near = abs(figures.ninth_s - figures.counts.median_wait_ms // 1000) / 60 * per_minute < 24
        y = 26 if near and words != "half" else 12
        drawn.append(tag("text", words, class_="mark-word", x=_share(at_share), dx=dx, y=y, text_anchor=anchor))
    return _svg(label, TALL, [*_lines(TALL, top, step, number), *drawn])


def minutes_of(each: Bin) -> str:
    if each.high is None:
        return f"{each.low} min or longer"
    return f"{each.low} to {each.high} min"


def shares(outcomes: Sequence[tuple[str, str, int]], label: str) -> Markup:
    """One bar, divided: (kind, words, count) each. Empty where there is nothing to divide."""
    total = sum(count for _, _, count in outcomes)
    drawn: list[Markup] = []
    at = 0.0
    for kind, words, count in (each for each in outcomes if each[2]):
        width = count / total * 100
        parts = [tag("title", f"{words}: {count}"), tag("rect", class_=kind, x=_share(at), y=0, width=_share(width), height=32)]
        if width >= 10:
            parts.append(tag("text", number(count), class_="on-mark", x=_share(at + width / 2), y=21, text_anchor="middle"))
        if at:
            parts.append(tag("line", class_="gap", x1=_share(at), x2=_share(at), y1=0, y2=32))
        drawn.append(tag("g", *parts))
        at += width
    return tag("svg", *drawn, class_="shares", role="img", aria_label=label, width="100%", height=32)


def _svg(label: str, height: int, content: Sequence[Markup], class_: str = "") -> Markup:
    return tag("svg", *content, class_=f"plot {class_}".strip(), role="img", aria_label=label, width="100%", height=ABOVE + height + BELOW)


def _lines(height: int, top: int, step: int, words: object) -> list[Markup]:
    """The lines across, with their figures in the gutter at the left."""
    made: list[Markup] = []
    say = words if callable(words) else str
    for value in range(0, top + 1, step):
        y = _px(ABOVE + height - value / top * height)
        made.append(tag("line", class_="zero" if value == 0 else "grid", x1="0", x2="100%", y1=y, y2=y))
        made.append(tag("text", say(value), class_="value", x=-8, y=y, dy=4, text_anchor="end"))
    return made


def _times(slots: Sequence[Slot], height: int, small: bool) -> list[Markup]:
    """Times of day under the slots' beginnings, fewer of them where there is less room."""
    length = (slots[1].minute - slots[0].minute) % 1440 if len(slots) > 1 else 30
    wide = next((each for each in (1, 2, 3, 4, 6, 8, 12) if len(slots) / each <= (5 if small else 11)), 24)
    narrow = next((each for each in (wide, wide * 2, wide * 3, wide * 4) if len(slots) / each <= 5), wide * 4)
    made: list[Markup] = []
    said = ""
    for at, slot in enumerate(slots):
        place = slot.minute // length if length and not slot.minute % length else at
        if (place % wide == 0 and slot.label != said) or len(slots) == 1:  # the hour that comes twice in autumn is said once
            said = slot.label
            x = _share(at * 100 / len(slots))
            rare = "" if place % narrow == 0 or len(slots) == 1 else " rare"
            made.append(tag("line", class_=f"tick{rare}", x1=x, x2=x, y1=ABOVE + height, y2=ABOVE + height + 5))
            made.append(tag("text", slot.label, class_=f"time{rare}", x=x, y=ABOVE + height + 18, text_anchor="middle"))
    return made


def _share(percent: float) -> str:
    return f"{percent:.3f}".rstrip("0").rstrip(".") + "%"


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
