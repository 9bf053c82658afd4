"""The HTTP API of schedules: what a program has put in again and again."""

from __future__ import annotations

from starlette.responses import Response

from realtime import schedule_messages as messages
from realtime.errors import Conflict, NotFound
from realtime.web.endpoint import Auth, Call, Endpoint


async def every(call: Call[None]) -> Response:
    return call.answer(await call.context.schedules.every(call.account_id))


async def put(call: Call[messages.PutSchedule]) -> Response:
    return call.answer(await call.context.schedules.put(call.account_id, call.path["schedule"], call.body))


async def one(call: Call[None]) -> Response:
    return call.answer(await call.context.schedules.one(call.account_id, call.path["schedule"]))


async def remove(call: Call[None]) -> Response:
    await call.context.schedules.remove(call.account_id, call.path["schedule"])
    return call.answer()


async def pause(call: Call[None]) -> Response:
    return call.answer(await call.context.schedules.pause(call.account_id, call.path["schedule"], paused=True))


async def resume(call: Call[None]) -> Response:
    return call.answer(await call.context.schedules.pause(call.account_id, call.path["schedule"], paused=False))


TAG = "Schedules"
_ONE = "/v1/schedules/{schedule}"
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/schedules", "The account's schedules, by name", TAG, every,
        auth=Auth.PROGRAM, scope="schedules", response=list[messages.ScheduleView],
    ),
    Endpoint(
        "PUT", _ONE, "Make a schedule, or change it", TAG, put,
        auth=Auth.PROGRAM, scope="schedules", request=messages.PutSchedule, response=messages.ScheduleView, errors=(Conflict,),
    ),
    Endpoint("GET", _ONE, "One schedule", TAG, one, auth=Auth.PROGRAM, scope="schedules", response=messages.ScheduleView, errors=(NotFound,)),
    Endpoint("DELETE", _ONE, "Delete a schedule; what it put in stays", TAG, remove, auth=Auth.PROGRAM, scope="schedules", status=204, errors=(NotFound,)),
    Endpoint(
        "POST", _ONE + "/pause", "Let nothing be put in by it", TAG, pause,
        auth=Auth.PROGRAM, scope="schedules", response=messages.ScheduleView, errors=(NotFound,),
    ),
    Endpoint(
        "POST", _ONE + "/resume", "Let it go on with its next time", TAG, resume,
        auth=Auth.PROGRAM, scope="schedules", response=messages.ScheduleView, errors=(NotFound,),
    ),
)  # fmt: skip
