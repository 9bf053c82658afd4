"""Keeps parties out of queues that are not made for their size, where the queue's name ends with its sizes: "Table (1-2)", "Hall (5+)"."""

from __future__ import annotations

import re

from realtime.hookspecs import JoinFacts, hookimpl

_SIZES = re.compile(
    r"\((?:(?P<least>[1-9]\d?) ?[-–] ?(?P<most>[1-9]\d?)|(?P<from>[1-9]\d?) ?\+|(?:max|≤) ?(?P<up_to>[1-9]\d?))\)\s*$", re.IGNORECASE
)


@hookimpl
def check_join(join: JoinFacts) -> str | None:
    """The staff may seat whom they like; only those who join by themselves are asked to choose another line."""
    named = _SIZES.search(join.queue.name)
    if join.walk_in or not named:
        return None
    least = int(named["least"] or named["from"] or 1)
    most = int(named["most"] or named["up_to"] or 99)
    if join.party < least:
        return f"This line is for parties of {least} or more. Please choose another line."
    if join.party > most:
        return f"This line is for parties of up to {most}. Please choose another line."
    return None
