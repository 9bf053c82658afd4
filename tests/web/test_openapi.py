"""The description of the HTTP API, and a machine that reads it and tries everything it promises."""

from __future__ import annotations

import asyncio
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from schemathesis import openapi as schemathesis_openapi
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import NonFatalError, ScenarioFinished

from realtime.errors import NowServingError
from realtime.reading import read
from realtime.web import ENDPOINTS, openapi
from realtime.web.endpoint import PARAMETERS, Auth
from tests.web.conftest import HOST, House, Owner, join, new_owner
from tests.web.serving import served

API = Path(__file__).parents[2] / "docs" / "api.md"
FRAMING = {"content-length", "transfer-encoding"}
"""Made-up values of these make a request that is none of HTTP's: it is refused (400) before anybody knows what it is for."""
DESCRIBED = [endpoint for endpoint in ENDPOINTS if endpoint.path != "/openapi.json"]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document(DESCRIBED, secure=False)


def test_the_description_names_the_program_and_its_version(document: dict[str, Any]) -> None:
    assert (document["info"]["title"], document["info"]["version"]) == ("nowserving", metadata.version("nowserving"))


def test_every_endpoint_is_described_once(document: dict[str, Any]) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]

    assert sum(len(path) for path in document["paths"].values()) == len(DESCRIBED)
    assert len({operation["operationId"] for operation in operations}) == len(DESCRIBED)
    assert all(operation["summary"] and operation["tags"] for operation in operations)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            return [*([part["$ref"]] if "$ref" in part else []), *(found for value in part.values() for found in references(value))]
        return [found for value in part for found in references(value)] if isinstance(part, list) else []

    found = set(references(document))

    assert found
    assert all(name.removeprefix("#/components/schemas/") in document["components"]["schemas"] for name in found)


@pytest.mark.parametrize("endpoint", [each for each in DESCRIBED if each.request], ids=lambda each: f"{each.method} {each.path}")
def test_every_example_can_be_read(endpoint: Any) -> None:
    import msgspec

    assert read(msgspec.json.encode(openapi.EXAMPLES[endpoint.request.__name__]), endpoint.request)


def test_every_parameter_has_a_pattern_that_its_example_fits() -> None:
    import re

    for parameter in PARAMETERS.values():
        assert re.search(parameter.pattern, str(parameter.example))


def test_cookies_are_described_by_the_name_they_have() -> None:
    plain = openapi.document(DESCRIBED, secure=False)["components"]["securitySchemes"]
    secure = openapi.document(DESCRIBED, secure=True)["components"]["securitySchemes"]

    assert (plain["session"]["name"], secure["session"]["name"]) == ("nowserving_session", "__Host-nowserving_session")


def test_every_error_has_a_status_a_browser_understands() -> None:
    for endpoint in DESCRIBED:
        for error in openapi.errors_of(endpoint):
            assert issubclass(error, NowServingError)
            assert 400 <= error.status < 600


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}")
def test_every_endpoint_is_in_the_documents(endpoint: Any) -> None:
    text = API.read_text()

    assert f"`{endpoint.method} {endpoint.path}`" in text


def test_the_documents_name_no_endpoint_that_is_none() -> None:
    import re

    named = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /\S*)`", API.read_text()))

    assert named == {f"{endpoint.method} {endpoint.path}" for endpoint in ENDPOINTS}


def test_every_error_code_of_an_endpoint_is_in_the_documents() -> None:
    text = API.read_text()

    codes = {error.code for endpoint in DESCRIBED for error in openapi.errors_of(endpoint)}

    assert not [code for code in codes if f"`{code}`" not in text]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
# The server under attack runs in this process and draws its jitter meanwhile, which is no strategy's doing.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
async def test_the_api_keeps_what_its_description_promises(house: House, owner: Owner) -> None:
    """schemathesis: documented statuses, headers, types and shapes only; bad data, wrong methods and missing sign-ins are refused."""
    phone = await join(house, owner)
    await join(house, owner, "Bo")
    ticket = (await phone.get("/v1/ticket")).json()
    elsewhere = await new_owner(house, "maria@example.com")
    mine = {"path.store_id": owner.store_id, "path.queue": "A", "path.ticket": ticket["id"]}
    closing = {"path.store_id": elsewhere.store_id}
    config = {
        "auth": {
            "openapi": {
                "owner": {"bearer": owner.client.headers["Authorization"].removeprefix("Bearer ")},
                "ticket": {"bearer": phone.cookies["nowserving_ticket"].strip('"')},
            }
        },
        "checks": {
            # A schema cannot say that an address must be one, a time zone known, or a code fresh.
            "positive_data_acceptance": {"enabled": False},
        },
        # Made up at random, besides the thousands that it works out from the limits of each value.
        "generation": {"max-examples": 4, "deterministic": True, "database": "none"},
        "phases": {"stateful": {"enabled": False}},
        "operations": [
            {
                "include-name": f"{endpoint.method} {endpoint.path}",
                "parameters": closing if endpoint.method == "DELETE" or endpoint.path.endswith("/delete") else mine,
            }
            for endpoint in DESCRIBED
            if endpoint.auth is Auth.OWNER and "{store_id}" in endpoint.path
        ]
        # A ticket's token is also the ticket's name: with a wrong one there is no such ticket (404).
        + [
            {"include-path": path, "checks": {"ignored_auth": {"enabled": False}}}
            for path in sorted({endpoint.path for endpoint in DESCRIBED if endpoint.auth in {Auth.TICKET, Auth.LIVE}})
        ],
    }

    async with served(house) as place:
        config["headers"] = {"Origin": place.base}
        faults, tried = await asyncio.to_thread(attack, place.base, config)

    assert not faults, "\n\n".join(faults)
    assert tried > 1000


def attack(base: str, config: dict[str, Any]) -> tuple[list[str], int]:
    """Runs schemathesis; returns what it holds against us, and how often it tried."""
    schema = schemathesis_openapi.from_url(f"{base}/openapi.json", config=SchemathesisConfig.from_dict(config))
    faults, tried = {}, 0
    for event in from_schema(schema).execute():
        if isinstance(event, NonFatalError):
            faults[str(event.label)] = f"{event.label}: {event.value!r}"
        if isinstance(event, ScenarioFinished):
            for case_id, checks in event.recorder.checks.items():
                tried += 1
                case = event.recorder.cases[case_id].value
                if FRAMING & {name.lower() for name in case.headers or ()}:
                    continue
                for check in checks:
                    if check.failure_info is not None:
                        failure = check.failure_info.failure
                        sent = case.as_curl_command()[:500]
                        faults.setdefault(
                            f"{event.recorder.label} {check.name}",
                            f"{event.recorder.label} {check.name}: {failure.title}: {failure.message[:600]}\n  {sent}",
                        )
    return list(faults.values()), tried


def test_the_description_is_made_for_this_host() -> None:
    assert openapi.document(DESCRIBED, secure=False)["servers"] == [{"url": "/"}]
    assert HOST.startswith("http://")
