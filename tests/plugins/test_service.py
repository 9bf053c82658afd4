"""Jobs for an external service: which answers are final, and which addresses a job may name."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plugins.service import Service, outcome, register_handlers
from realtime.hookspecs import Done, Idle, JobFacts, JobOutcome, Permanent, Retry
from realtime.outbound import Answer
from realtime.settings import Settings
from tests.test_outbound import saying, sink


def job(url: str = "", payload: Any = None, **more: Any) -> JobFacts:
    return JobFacts(id="17", attempt=2, account_id="a", payload=payload, url=url, created_ms=0, **more)


async def ask(given: JobFacts, **settings: Any) -> JobOutcome:
    service = await asyncio.to_thread(lambda: Service(Settings.defaults(**settings)))
    try:
        return await service.handle(given)
    finally:
        await service.close()


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_two_hundreds_are_done(status: int) -> None:
    assert isinstance(outcome(Answer(status, {}, b""), 0), Done)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_faults_that_pass_are_tried_again(status: int) -> None:
    assert isinstance(outcome(Answer(status, {}, b""), 0), Retry)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410, 413, 422])
def test_everything_else_is_final(status: int) -> None:
    assert outcome(Answer(status, {}, b""), 0) == Permanent(f"answered {status}")


@pytest.mark.parametrize(
    ("said", "after_s"),
    [
        ("7", 7.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("9" * 50, 999999999.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(said: str, after_s: float | None) -> None:
    answer = outcome(Answer(503, {"retry-after": said}, b""), 10.0)

    assert isinstance(answer, Retry)
    assert answer.after_s == after_s


async def test_the_service_is_given_the_payload_with_the_jobs_id_as_a_key() -> None:
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heard.append(head + await reader.readexactly(12))
        await saying_ok(reader, writer)

    async def saying_ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with sink(talk) as url:
        traced = job(payload={"order": 17}, traceparent="00-a1-b2-01", tracestate="v=1")
        answer = await ask(traced, job_service_url=url, outbound_networks=["127.0.0.0/8"])

    assert answer == Done("answered 200")
    (said,) = heard
    assert said.endswith(b'\r\n\r\n{"order":17}')
    assert b"Idempotency-Key: 17\r\n" in said
    assert b"Nowserving-Attempt: 2\r\n" in said
    assert b"Content-Type: application/json\r\n" in said
    assert b"traceparent: 00-a1-b2-01\r\ntracestate: v=1\r\n" in said


async def test_a_job_may_name_an_address_of_an_allowed_host_only() -> None:
    async with sink(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as url:
        host = url.split("/")[2]
        networks = ["127.0.0.0/8"]
        assert await ask(job(url), job_service_hosts=[host], outbound_networks=networks) == Done("answered 200")
        assert isinstance(await ask(job(url), job_service_hosts=["example.org"], outbound_networks=networks), Permanent)
        assert isinstance(await ask(job(f"http://{host}@example.org/"), job_service_hosts=[host], outbound_networks=networks), Permanent)
        assert isinstance(await ask(job(url), job_service_hosts=[host]), Permanent)


async def test_a_service_that_is_away_is_tried_again() -> None:
    async with sink(saying(b"")) as url:
        pass

    assert isinstance(await ask(job(), job_service_url=url, outbound_networks=["127.0.0.0/8"]), Retry)


async def test_a_job_without_an_address_is_final_where_no_service_is_set() -> None:
    assert isinstance(await ask(job(), job_service_hosts=["example.org"]), Permanent)


def test_without_settings_it_is_idle() -> None:
    assert isinstance(register_handlers(Settings.defaults()), Idle)
