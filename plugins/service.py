"""Jobs for an external service: each is posted to it as JSON, and its answer says whether it is done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from realtime.hookspecs import Done, Idle, JobFacts, JobHandler, JobOutcome, Permanent, Retry, hookimpl

if TYPE_CHECKING:
    from realtime.outbound import Answer
    from realtime.settings import Settings

AGAIN = frozenset({408, 425, 429})
"""Answers of the 400s that mean "later"."""


@hookimpl
def register_handlers(settings: Settings) -> list[JobHandler] | Idle:
    if not settings.job_service_url and not settings.job_service_hosts:
        return Idle("neither job_service_url nor job_service_hosts is set")
    return [Service(settings)]


class Service:
    """Posts a job's payload to the service. 2xx is done; 5xx, 408, 425, 429 and network faults are tried again; everything else is final."""

    name = "service"

    def __init__(self, settings: Settings) -> None:
        from realtime.outbound import Outbound  # most installations call nobody, and start sooner without

        self.deadline_s = settings.job_service_seconds + 1.0
        self._url = settings.job_service_url
        self._hosts = frozenset(settings.job_service_hosts)
        self._outbound = Outbound(settings.outbound_networks, settings.job_service_seconds)

    async def handle(self, job: JobFacts) -> JobOutcome:
        from realtime.outbound import Forbidden, NotReachable, check

        headers = (
            ("Content-Type", "application/json"),
            ("User-Agent", "nowserving"),
            ("Idempotency-Key", job.id),
            ("Nowserving-Attempt", str(job.attempt)),
            *((name, said) for name, said in (("traceparent", job.traceparent), ("tracestate", job.tracestate)) if said),
        )
        try:
            url = job.url or self._url
            if not url:
                return Permanent("The job names no address, and the setting job_service_url is empty.")
            if job.url and check(url) not in self._hosts:
                return Permanent("The job's address is none of job_service_hosts.")
            return outcome(await self._outbound.post(url, msgspec.json.encode(job.payload), headers), time.time())
        except Forbidden as error:
            return Permanent(str(error))
        except NotReachable as error:
            return Retry(str(error))

    async def close(self) -> None:
        await self._outbound.close()


def outcome(answer: Answer, now: float) -> JobOutcome:
    """What an answer means."""
    if 200 <= answer.status < 300:
        return Done(f"answered {answer.status}")
    if answer.status >= 500 or answer.status in AGAIN:
        return Retry(f"answered {answer.status}", answer.retry_after_s(now))
    return Permanent(f"answered {answer.status}")
