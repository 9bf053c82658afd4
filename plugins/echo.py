"""The smallest handler of jobs: it is done at once. An example, and a way to try the job service without an external one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime.hookspecs import Done, Idle, JobFacts, JobHandler, JobOutcome, hookimpl

if TYPE_CHECKING:
    from realtime.settings import Settings


@hookimpl
def register_handlers(settings: Settings) -> list[JobHandler] | Idle:
    return [Echo()]


class Echo:
    name = "echo"

    async def handle(self, job: JobFacts) -> JobOutcome:
        return Done(f"heard {type(job.payload).__name__} at attempt {job.attempt}")
