"""The HTTP API of this installation's operator: every queue in figures, single jobs, and what may be done about them."""

from __future__ import annotations

from starlette.responses import Response

from realtime import operator_messages as messages
from realtime.errors import Conflict, NotFound
from realtime.web.endpoint import Auth, Call, Endpoint


async def overview(call: Call[None]) -> Response:
    return call.answer(await call.context.oversight.overview())


async def doctor(call: Call[None]) -> Response:
    return call.answer(await call.context.oversight.doctor())


async def jobs(call: Call[None]) -> Response:
    return call.answer(await call.context.oversight.jobs(call.query))


async def job(call: Call[None]) -> Response:
    return call.answer(await call.context.oversight.job(call.path["owner"], call.path["any_job"]))


async def retry(call: Call[None]) -> Response:
    return call.answer(await call.context.oversight.retry(call.path["owner"], call.path["any_job"]))


async def cancel(call: Call[None]) -> Response:
    return call.answer(await call.context.oversight.cancel(call.path["owner"], call.path["any_job"]))


async def reschedule(call: Call[messages.Reschedule]) -> Response:
    return call.answer(await call.context.oversight.reschedule(call.path["owner"], call.path["any_job"], call.body))


async def redrive(call: Call[messages.RedriveQueue]) -> Response:
    return call.answer(await call.context.oversight.redrive(call.body))


async def purge(call: Call[messages.PurgeQueue]) -> Response:
    return call.answer(await call.context.oversight.purge(call.body))


async def pause(call: Call[messages.PauseQueue]) -> Response:
    return call.answer(await call.context.oversight.pause(call.body))


async def resume(call: Call[messages.PauseQueue]) -> Response:
    return call.answer(await call.context.oversight.resume(call.body))


async def metrics(call: Call[None]) -> Response:
    return Response(await call.context.oversight.metrics(), media_type=METRICS_TYPE)


METRICS_TYPE = "text/plain; version=0.0.4"
TAG = "Operator"
_JOB = "/v1/operator/jobs/{owner}/{any_job}"
ENDPOINTS = (
    Endpoint("GET", "/metrics", "Figures for Prometheus", TAG, metrics, auth=Auth.METRICS, response=str, media_type="text/plain"),
    Endpoint("GET", "/v1/operator", "Every queue in figures, plugins, alarms", TAG, overview, auth=Auth.OPERATOR, response=messages.Overview),
    Endpoint("GET", "/v1/operator/doctor", "What needs a person", TAG, doctor, auth=Auth.OPERATOR, response=messages.Diagnosis),
    Endpoint(
        "GET", "/v1/operator/jobs", "The jobs of one standing", TAG, jobs,
        auth=Auth.OPERATOR, query=messages.ShowQueueJobs, response=messages.JobList,
    ),
    Endpoint("GET", _JOB, "One job with its attempts", TAG, job, auth=Auth.OPERATOR, response=messages.JobWithAttempts),
    Endpoint(
        "POST", f"{_JOB}/retry", "Let it be tried now; a dead letter goes back to its place", TAG, retry,
        auth=Auth.OPERATOR, response=messages.Changed, errors=(Conflict,),
    ),
    Endpoint(
        "POST", f"{_JOB}/cancel", "End it, or delete a dead letter", TAG, cancel,
        auth=Auth.OPERATOR, response=messages.Changed, errors=(Conflict, NotFound),
    ),
    Endpoint(
        "POST", f"{_JOB}/reschedule", "Say when a job that waits may be tried next", TAG, reschedule,
        auth=Auth.OPERATOR, request=messages.Reschedule, response=messages.Changed, errors=(Conflict, NotFound),
    ),
    Endpoint(
        "POST", "/v1/operator/redrive", "Put dead letters back into their places", TAG, redrive,
        auth=Auth.OPERATOR, request=messages.RedriveQueue, response=messages.Count, errors=(NotFound,),
    ),
    Endpoint(
        "POST", "/v1/operator/purge", "Delete dead letters", TAG, purge,
        auth=Auth.OPERATOR, request=messages.PurgeQueue, response=messages.Count, errors=(NotFound,),
    ),
    Endpoint(
        "POST", "/v1/operator/pause", "Take nothing from a queue any more", TAG, pause,
        auth=Auth.OPERATOR, request=messages.PauseQueue, response=messages.Changed, errors=(NotFound,),
    ),
    Endpoint(
        "POST", "/v1/operator/resume", "Take from it again", TAG, resume,
        auth=Auth.OPERATOR, request=messages.PauseQueue, response=messages.Changed, errors=(NotFound,),
    ),
)  # fmt: skip
