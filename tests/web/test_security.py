"""Headers on every answer, and requests that other sites make browsers send."""

from __future__ import annotations

import pytest

from realtime.server.protection import DATA_POLICY, POLICY, protected, protected_lines
from tests.web.conftest import HOST, PASSWORD, House, Open, Owner, join, new_owner

ALWAYS = (
    "x-content-type-options",
    "x-frame-options",
    "permissions-policy",
    "cross-origin-opener-policy",
    "referrer-policy",
    "content-security-policy",
    "cache-control",
)


@pytest.mark.parametrize(
    ("method", "path", "policy"),
    [
        ("GET", "/", POLICY), ("GET", "/counter", POLICY), ("GET", "/t", POLICY), ("GET", "/ticket", POLICY), ("GET", "/nothing", POLICY), ("DELETE", "/", POLICY), ("GET", "/j/a.b", POLICY),
        ("GET", "/v1/account", DATA_POLICY), ("GET", "/v1/nothing", DATA_POLICY), ("POST", "/v1/login", DATA_POLICY), ("GET", "/healthz", DATA_POLICY),
        ("GET", "/openapi.json", DATA_POLICY), ("GET", "/static/tokens.css", DATA_POLICY), ("GET", "/static/nothing", DATA_POLICY), ("POST", "/static/tokens.css", DATA_POLICY),
    ],
)  # fmt: skip
async def test_every_answer_carries_its_headers(house: House, method: str, path: str, policy: str) -> None:
    answer = await (await house.client(Accept="text/html")).request(method, path)

    assert all(answer.headers.get(name) for name in ALWAYS)
    assert answer.headers["content-security-policy"] == policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("kind", [b"application/json", b"application/problem+json", b"text/html; charset=utf-8"])
def test_lines_say_the_same_as_headers(kind: bytes, secure: bool) -> None:
    own = [(b"content-length", b"2"), (b"content-type", kind), (b"cache-control", b"private")]

    for headers in (own, own[:2]):
        lines = [tuple(line.split(b": ", 1)) for line in protected_lines(headers, secure).splitlines()]
        assert sorted(lines) == sorted(pair for pair in protected(headers, secure) if pair[0] != b"content-length")


@pytest.mark.parametrize("value", [b"a\r\nb: c", b"a\nb", b"a\rb"])
def test_no_header_begins_another(value: bytes) -> None:
    with pytest.raises(ValueError, match="line end"):
        protected_lines([(b"content-type", b"application/json"), (b"x-own", value)], secure=False)


async def test_over_tls_browsers_are_told_to_stay_there(house: House) -> None:
    answer = await (await house.client("https://q.example")).get("/")

    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


async def test_what_is_personal_is_kept_by_nobody(house: House, owner: Owner) -> None:
    phone = await join(house, owner)

    answers = [
        await owner.client.get(owner.url),
        await phone.get("/v1/ticket"),
        await phone.get("/ticket"),
        await owner.client.get("/v1/account"),
    ]

    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


async def test_files_are_asked_for_again_and_sent_once(house: House) -> None:
    client = await house.client()

    first = await client.get("/static/tokens.css")
    again = await client.get("/static/tokens.css", headers={"If-None-Match": first.headers["etag"]})

    assert (first.status_code, first.headers["cache-control"]) == (200, "no-cache")
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/static/../web/pages.py", "/static/%2e%2e/pages.py", "/static/..%2fpages.py", "/static//etc/passwd", "/static/", "/static"]
)
async def test_files_are_served_from_their_folder_only(house: House, path: str) -> None:
    assert (await (await house.client()).get(path)).status_code == 404


OURS, THEIRS = HOST, "https://evil.example"
MATRIX = [
    ({"origin": OURS}, True),
    ({"origin": OURS, "sec-fetch-site": "same-origin"}, True),
    ({"sec-fetch-site": "same-origin"}, True),
    ({"origin": "null", "sec-fetch-site": "same-origin"}, True),
    ({"origin": THEIRS}, False),
    ({"origin": THEIRS, "sec-fetch-site": "same-origin"}, False),
    ({"origin": OURS, "sec-fetch-site": "cross-site"}, False),
    ({"origin": OURS, "sec-fetch-site": "same-site"}, False),
    ({"origin": "null"}, False),
    ({"origin": "http://127.0.0.1:8001"}, False),
    ({"origin": "http://127.0.0.1"}, False),
    ({"origin": "https://127.0.0.1:8000"}, False),
    ({"origin": "http://127.0.0.1:8000.evil.example"}, False),
    ({"origin": "http://evil127.0.0.1:8000"}, False),
    ({}, False),
]


async def test_a_cookie_works_from_our_own_pages_only(house: House, owner: Owner) -> None:
    for headers, passes in MATRIX:
        phone = await join(house, owner)
        del phone.headers["Origin"]

        left = await phone.delete("/v1/ticket", headers=headers)
        state = (await phone.get("/v1/ticket")).json()["state"]

        assert (left.status_code, state) == ((204, "left") if passes else (403, "waiting")), headers
        assert passes or left.json()["code"] == "cross_site"


async def test_a_sign_in_is_renewed_and_ended_from_our_own_pages_only(house: House, owner: Owner) -> None:
    browser = await house.client()

    for headers, passes in MATRIX:
        await browser.post("/v1/login", json={"email": owner.email, "password": PASSWORD})
        renewed = await browser.post("/v1/token", headers=headers)
        out = await browser.post("/v1/logout", headers=headers)

        assert (renewed.status_code, out.status_code) == ((200, 204) if passes else (403, 403)), headers


async def test_no_other_website_signs_a_browser_in(house: House, owner: Owner) -> None:
    for headers, passes in MATRIX:
        answer = await (await house.client()).post("/v1/login", json={"email": owner.email, "password": PASSWORD}, headers=headers)

        # A program sends none of these headers; without a cookie there is nothing to protect it from.
        assert answer.status_code == (200 if passes or not headers else 403), headers


async def test_a_bearer_token_is_proof_enough(house: House, owner: Owner) -> None:
    phone = await join(house, owner)
    token = phone.cookies["nowserving_ticket"].strip('"')
    program = await house.client()

    left = await program.delete("/v1/ticket", headers={"Authorization": f"Bearer {token}"})

    assert left.status_code == 204


async def test_a_forged_host_poisons_no_link_that_others_see(open_house: Open) -> None:
    house = await open_house(trusted_proxies=["192.0.2.1"])
    owner = await new_owner(house)
    stranger = await house.client("http://127.0.0.1:8000", address="203.0.113.9", Host="evil.example")
    code = await owner.code()

    await stranger.post(f"/v1/codes/{code}/scan", json={"key": "k" * 20})
    joined = await stranger.post("/v1/tickets", json={"code": code, "key": "k" * 20, "parties": [{"name": "Ann", "queue": "A"}]})
    snapshot = await owner.client.get(owner.url)

    assert "evil" not in joined.text
    assert "evil" not in snapshot.text


async def test_a_path_is_what_was_asked_for_whatever_the_host_says(house: House) -> None:
    answer = await (await house.client(Host="127.0.0.1/healthz?")).get("/v1/account")

    assert answer.status_code == 401
