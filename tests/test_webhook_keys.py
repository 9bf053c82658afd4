"""What signs webhooks, in the form that Standard Webhooks gives it."""

from __future__ import annotations

import base64
import sys

import pytest

from realtime import webhook_keys
from realtime.webhook_keys import ED25519, HMAC

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
"""The first pair of RFC 8032, section 7.1."""


def test_a_key_pair_is_the_one_of_the_rfc_and_shows_its_public_half_only() -> None:
    private = webhook_keys.make(ED25519, SEED)

    assert private == "whsk_" + base64.b64encode(SEED + PUBLIC).decode()
    assert webhook_keys.public(private) == "whpk_" + base64.b64encode(PUBLIC).decode()
    assert webhook_keys.shared(private) == ""
    assert webhook_keys.signing_of(private) == ED25519


def test_a_secret_is_shown_whole_and_has_no_public_half() -> None:
    secret = webhook_keys.make(HMAC, SEED)

    assert secret == "whsec_" + base64.b64encode(SEED).decode()
    assert (webhook_keys.shared(secret), webhook_keys.public(secret), webhook_keys.signing_of(secret)) == (secret, "", HMAC)


def test_without_the_library_only_secrets_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    assert webhook_keys.offered()
    pair = webhook_keys.make(ED25519, SEED)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)

    with pytest.raises(ImportError):
        webhook_keys.make(ED25519, SEED)

    assert webhook_keys.make(HMAC, SEED)
    assert webhook_keys.public(pair), "the public half of one that is there can still be shown"
