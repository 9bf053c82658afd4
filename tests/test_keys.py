"""Secrets: each kind is read as what it is and as nothing else, whatever is sent in its place."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import CodeExpired, LinkExpired, NotSignedIn, NowServingError, TicketNotFound
from realtime.keys import Keys, digest

SECRET = "s" * 48
NOW_MS = 1_795_393_022_000
KEYS = Keys(SECRET)

READ: dict[str, tuple[Callable[[str], Any], type[NowServingError]]] = {
    "access": (lambda token: KEYS.read_access_token(token, NOW_MS), NotSignedIn),
    "live": (lambda token: KEYS.read_live_token(token, NOW_MS), NotSignedIn),
    "ticket": (KEYS.read_ticket_token, TicketNotFound),
    "board": (KEYS.read_board_token, NotSignedIn),
    "confirm": (lambda token: KEYS.read_link_token("confirm", token), LinkExpired),
    "reset": (lambda token: KEYS.read_link_token("reset", token), LinkExpired),
}


def made(keys: Keys = KEYS) -> dict[str, str]:
    return {
        "access": keys.access_token("owner", NOW_MS, 10),
        "live": keys.live_token("shop", 12, NOW_MS, 10),
        "ticket": keys.ticket_token("shop", 12),
        "board": keys.board_token("shop"),
        "confirm": keys.link_token("confirm", "link"),
        "reset": keys.link_token("reset", "link"),
        "code": keys.code("shop", 12),
    }


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header: dict[str, Any], claims: dict[str, Any], key: bytes = b"") -> str:
    """A token whose signature is right for `key`, whatever its header says."""
    signed = f"{b64(json.dumps(header, separators=(',', ':')).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64(hmac.digest(key, signed.encode(), hashlib.sha256)) if key else ''}"


CLAIMS = {"sub": "owner", "aud": "nowserving/access", "iat": NOW_MS // 1000, "exp": NOW_MS // 1000 + 600}
ACCESS_KEY = KEYS._key("jwt/access")


def test_every_secret_is_read_as_what_it_is() -> None:
    tokens = made()

    assert KEYS.read_access_token(tokens["access"], NOW_MS) == ("owner", NOW_MS + 600_000)
    assert KEYS.read_live_token(tokens["live"], NOW_MS) == ("shop", 12, NOW_MS + 600_000)
    assert KEYS.read_ticket_token(tokens["ticket"]) == ("shop", 12)
    assert KEYS.read_board_token(tokens["board"]) == "shop"
    assert KEYS.read_link_token("reset", tokens["reset"]) == "link"
    assert KEYS.store_of_code(tokens["code"]) == "shop"


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("other", made())
def test_no_kind_is_read_as_another(kind: str, other: str) -> None:
    read, refusal = READ[kind]
    if kind == other:
        return

    with pytest.raises(refusal):
        read(made()[other])


@pytest.mark.parametrize("kind", READ)
def test_the_secrets_of_another_installation_are_refused(kind: str) -> None:
    read, refusal = READ[kind]

    with pytest.raises(refusal):
        read(made(Keys("t" * 48))[kind])


@pytest.mark.parametrize("kind", READ)
def test_no_character_of_a_token_can_be_changed_or_left_out(kind: str) -> None:
    read, refusal = READ[kind]
    token = made()[kind]
    # The last character of a base64 text may hold bits that stand for nothing; a token of ours is read as text, a JWT as bytes.
    last = len(token) - (1 if kind in ("access", "live") else 0)

    for at in range(last):
        for changed in (token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :], token[:at] + token[at + 1 :]):
            with pytest.raises(refusal):
                read(changed)


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize(
    "odd",
    [
        "",
        ".",
        "..",
        "...",
        "\0",
        "shop.\0.x",
        "shop.-1.x",
        "shop.٣.x",
        "shop." + "9" * 30 + ".x",
        "\ud800.1.\ud800",
        "ünal.12.ß",
        "a" * 10_000,
        b64(b"[" * 3000) + ".e30.x",
        b64(b'{"a":' * 3000) + ".e30.x",
        b64(b"[]") + ".e30.x",
        b64(b'{"alg":[]}') + ".e30.x",
        b64(b'{"alg":"HS256","kid":1}') + ".e30.x",
        b64(b'{"alg":"HS256","b64":false,"crit":["b64"]}') + ".e30.x",
        b64(b'{"alg":' + b"9" * 5000 + b"}") + ".e30.x",
        b64(b"\xff\xfe") + ".e30.x",
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_what_is_no_token_is_refused_and_nothing_else_happens(kind: str, odd: str) -> None:
    read, refusal = READ[kind]

    with pytest.raises(refusal):
        read(odd)


@given(st.text())
def test_no_text_at_all_gets_in_or_breaks_anything(text: str) -> None:
    for read, refusal in READ.values():
        with pytest.raises(refusal):
            read(text)


# ---- JWTs ---------------------------------------------------------------------------------------------------------


def test_a_token_ends_at_its_time_by_the_clock_that_is_passed() -> None:
    token = KEYS.access_token("owner", NOW_MS, 10)
    end_ms = NOW_MS + 600_000

    assert KEYS.read_access_token(token, end_ms - 1) == ("owner", end_ms)
    with pytest.raises(NotSignedIn):
        KEYS.read_access_token(token, end_ms)


def test_the_forger_of_these_tests_makes_what_is_let_in_when_nothing_is_wrong() -> None:
    token = forged({"alg": "HS256", "typ": "access+jwt"}, CLAIMS, ACCESS_KEY)

    assert KEYS.read_access_token(token, NOW_MS)[0] == "owner"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "HS384", "HS512", "RS256", "ES256", "EdDSA", None])
def test_no_other_algorithm_is_let_in(algorithm: str | None) -> None:
    for key in (ACCESS_KEY, b""):
        with pytest.raises(NotSignedIn):
            KEYS.read_access_token(forged({"alg": algorithm, "typ": "access+jwt"}, CLAIMS, key), NOW_MS)


def test_a_token_that_was_truly_signed_by_another_algorithm_is_refused() -> None:
    token = jwt.encode(CLAIMS, ACCESS_KEY * 2, "HS512", {"typ": "access+jwt"})

    with pytest.raises(NotSignedIn):
        KEYS.read_access_token(token, NOW_MS)


@pytest.mark.parametrize("kind", [None, "JWT", "live+jwt", "access+JWT ", "", 1, ["access+jwt"]])
def test_a_token_of_another_type_is_refused(kind: Any) -> None:
    with pytest.raises(NotSignedIn):
        KEYS.read_access_token(forged({"alg": "HS256", "typ": kind}, CLAIMS, ACCESS_KEY), NOW_MS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "nowserving/live"},
        {"aud": None},
        {"aud": []},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 1.5e12},
        {"exp": -1},
        {"sub": None},
        {"sub": 12},
        {"nbf": NOW_MS},
    ],
    ids=str,
)
def test_claims_that_are_missing_or_wrong_are_refused(wrong: dict[str, Any]) -> None:
    claims = {name: value for name, value in {**CLAIMS, **wrong}.items() if value is not None}

    with pytest.raises(NotSignedIn):
        KEYS.read_access_token(forged({"alg": "HS256", "typ": "access+jwt"}, claims, ACCESS_KEY), NOW_MS)


# ---- codes, hashes and receipts -----------------------------------------------------------------------------------


def test_a_code_holds_128_bits_and_differs_by_store_and_number() -> None:
    texts = {KEYS.code(store, number) for store in ("shop", "bar") for number in range(500)}

    assert len(texts) == 1000
    assert all(len(base64.urlsafe_b64decode(text.partition(".")[2] + "==")) == 16 for text in texts)


@pytest.mark.parametrize("odd", ["", ".", "shop", "shop.", ".mac", "\0.mac", "sh\0p.mac", "shop\n.mac", "\ud800.mac", "a" * 10_000])
def test_what_is_no_code_is_taken_for_an_expired_one(odd: str) -> None:
    with pytest.raises(CodeExpired):
        KEYS.store_of_code(odd)


def test_parts_cannot_be_shifted_from_one_to_the_next() -> None:
    assert KEYS.pass_hash("a", "bc") != KEYS.pass_hash("ab", "c")
    assert KEYS.pass_hash("a\0b", "c") != KEYS.pass_hash("a", "b\0c")
    assert KEYS.ticket_token("shop1", 2) != KEYS.ticket_token("shop", 12)


def test_a_digest_is_made_of_any_text() -> None:
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(digest("\ud800\0")) == 64


def test_a_signature_proves_its_text_only() -> None:
    signature = KEYS.sign('{"tickets":3}')

    assert KEYS.signed('{"tickets":3}', signature)
    assert not KEYS.signed('{"tickets":4}', signature)
    assert not Keys("t" * 48).signed('{"tickets":3}', signature)
    for odd in ("", "\0", "ü", "\ud800", signature[:-1], signature.upper()):
        assert not KEYS.signed('{"tickets":3}', odd)
