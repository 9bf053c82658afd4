"""The page itself: figures in, one HTML document out."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import datetime
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from notifiers.html_report import charts, words
from notifiers.html_report.figures import Figures, QueueFigures
from realtime.hookspecs import ClosedStore, Counts

KINDS = (
    ("served", "Served", "✓"),
    ("unserved", "Not served when it closed", "○"),
    ("left", "Left by themselves", "↩"),
    ("no-show", "Did not show up", "⌀"),
    ("removed", "Removed by the staff", "×"),
)
"""How a ticket can end, in the order of `figures.OUTCOMES`: colour, words, shape."""


class Page:
    """Writes the page. Made once for each report: reading the templates waits for the disk."""

    def __init__(self) -> None:
        environment = Environment(
            loader=PackageLoader("notifiers", "templates/report"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {
            "duration": words.duration,
            "number": words.number,
            "parties": words.parties,
            "span": words.span,
            "clean": words.clean,
        }
        environment.globals |= {"minutes_of": charts.minutes_of, "kinds": KINDS}
        self._template = environment.get_template("page.html")
        # In the comments and lines of a file, outside the template: the policy below names the hash of exactly this text.
        self._style = environment.get_template("page.css").render().strip()

    def render(self, store: ClosedStore, timezone: ZoneInfo, figures: Figures) -> str:
        digest = b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        opened, closed = (datetime.fromtimestamp(at / 1000, timezone) for at in (store.opened_ms, store.closed_ms))
        return self._template.render(
            store=words.clean(store.name),
            style=Markup(self._style),  # noqa: S704 - our own file
            policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
            day=words.day(opened),
            opened=f"{opened:%H:%M}",
            closed=f"{closed:%H:%M}" if closed.date() == opened.date() else f"{words.day(closed)}, {closed:%H:%M}",
            zone=store.timezone,
            figures=figures,
            counts=figures.counts,
            sentence=_sentence(figures),
            totals=_totals(figures.counts),
            **_charts(figures),
        )


def _charts(figures: Figures) -> dict[str, object]:
    if not figures.slots:
        return {"arrivals": None, "by_queue": [], "waits": None, "histogram": None, "ends": []}
    top, step = charts.scale(max(max(slot.joined, slot.served) for slot in figures.slots))
    every = [(slot.joined, slot.served) for slot in figures.slots]
    several = len(figures.queues) > 1
    waited = "Waits by the time of joining: median and nine of ten. The figures are in the table below."
    return {
        "arrivals": charts.arrivals(figures.slots, every, top, step, f"{_busiest(figures)} All figures are in the table below."),
        "by_queue": [
            (
                queue,
                charts.arrivals(
                    figures.slots, queue.by_slot, *charts.scale(max(map(max, queue.by_slot))),
                    f"{_named(queue)}: {queue.joined} joined, {queue.outcomes[0]} served. All figures are in the table below.",
                    small=True,
                ),
            )
            for queue in (figures.queues if several else ())
        ],
        "waits": charts.waits(figures.slots, waited) if figures.waits else None,
        "histogram": charts.histogram(figures.bins, figures, "How many waited how long. The figures are in the table below.") if figures.waits else None,
        "ends": [("All", "Every queue", _ends(_totals(figures.counts)))] * several
        + [(queue.letter, words.clean(queue.name), _ends(queue.outcomes)) for queue in figures.queues],
    }  # fmt: skip


def _ends(outcomes: tuple[int, ...]) -> Markup:
    pairs = [(kind, said, count) for (kind, said, _), count in zip(KINDS, outcomes, strict=True)]
    told = ", ".join(f"{said.lower()} {count}" for _, said, count in pairs if count) or "nobody joined"
    return charts.shares(pairs, told)


def _totals(counts: Counts) -> tuple[int, ...]:
    return (counts.served, counts.unserved, counts.left, counts.no_shows, counts.removed)


def _named(queue: QueueFigures) -> str:
    return f"Queue {queue.letter}, {words.clean(queue.name)}" if queue.name else f"Queue {queue.letter}"


def _busiest(figures: Figures) -> str:
    slot = max(figures.slots, key=lambda slot: slot.joined)
    return f"Most came from {words.span(slot)}: {words.parties(slot.joined)}."


def _sentence(figures: Figures) -> str:
    """The evening in two sentences, as somebody would tell it."""
    if not figures.counts.tickets:
        return "Nobody joined."
    if not figures.waits:
        return f"{_busiest(figures)} Nobody was called."
    median = words.at_most(figures.counts.median_wait_ms // 1000)
    return f"{_busiest(figures)} Half of those called waited {median}, nine of ten {words.at_most(figures.ninth_s)}."
