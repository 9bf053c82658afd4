"""The HTTP API of the job service: put a job in, ask how it went, decide about it."""

from __future__ import annotations

from starlette.responses import Response

from realtime import job_messages as messages
from realtime.errors import Conflict, NotFound
from realtime.operations import services
from realtime.web.endpoint import Auth, Call, Endpoint


async def add(call: Call[messages.AddJob]) -> Response:
    client = call.program or "account"
    added = await call.context.jobs.add(call.account_id, client, call.body, call.idempotency_key, call.trace)
    return call.answer(added, location=f"/status/{added.jobId}")


async def statuses(call: Call[None]) -> Response:
    return call.answer(await call.context.jobs.statuses(call.account_id, call.query))


async def status(call: Call[None]) -> Response:
    return call.answer(await call.context.jobs.status(call.account_id, call.path["job_id"]))


async def cancel(call: Call[None]) -> Response:
    await call.context.oversight.cancel(services.owner(call.account_id), call.path["job_id"])
    return call.answer()


async def retry(call: Call[None]) -> Response:
    await call.context.oversight.retry(services.owner(call.account_id), call.path["job_id"])
    return call.answer(await call.context.jobs.status(call.account_id, call.path["job_id"]))


TAG = "Job service"
ENDPOINTS = (
    Endpoint(
        "POST", "/addJob", "Put a job in", TAG, add,
        auth=Auth.PROGRAM, scope="jobs", request=messages.AddJob, response=messages.AddedJob, status=202, idempotent=True,
        located=True,
    ),
    Endpoint(
        "GET", "/status", "How the account's jobs stand, the newest first", TAG, statuses,
        auth=Auth.PROGRAM, scope="jobs", query=messages.ShowJobs, response=messages.JobStatuses,
    ),
    Endpoint(
        "GET", "/status/{job_id}", "One job with its attempts", TAG, status,
        auth=Auth.PROGRAM, scope="jobs", response=messages.OneJob, errors=(NotFound,),
    ),
    Endpoint(
        "DELETE", "/status/{job_id}", "Cancel a job that nobody has begun, or let go of one that failed; its lane goes on", TAG, cancel,
        auth=Auth.PROGRAM, scope="jobs", status=204, errors=(NotFound, Conflict),
    ),
    Endpoint(
        "POST", "/status/{job_id}/retry", "Try a job now; one that failed goes back to its place", TAG, retry,
        auth=Auth.PROGRAM, scope="jobs", response=messages.OneJob, errors=(NotFound, Conflict),
    ),
)  # fmt: skip
