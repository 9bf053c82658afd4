"""What schedules take and answer, as types that check themselves."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from realtime.job_messages import AddJob
from realtime.messages import Request
from realtime.queue_messages import Publish

Missed = Literal["skip", "once", "each"]


class PutSchedule(Request, frozen=True):
    cron: Annotated[str, Meta(min_length=1, max_length=200, description="Minute, hour, day of the month, month, weekday, as in a crontab.")]
    timezone: Annotated[str, Meta(max_length=64, description="In which they are meant.")] = "UTC"
    missed: Missed = "once"
    """What becomes of times that passed while no server ran: nothing, one for all of them, or each, the newest 100."""
    message: Publish | None = None
    """What is published each time; or"""
    job: AddJob | None = None
    """what is put in each time. One of the two."""
    paused: bool = False


class ScheduleView(Struct, frozen=True):
    name: str
    cron: str
    timezone: str
    missed: Missed
    message: Publish | None
    job: AddJob | None
    paused: bool
    next_ms: int
    """When it comes next; while it is paused, when it would."""
    last_ms: int
    """Its last time that came; 0: none yet."""
    last_id: str
    """The message or job that was put in last."""
    problem: str
    """Why nothing was put in at its last time; empty: nothing is wrong."""
    created_ms: int
