"""A receipt that somebody is handed can be checked, and one that was changed is found out."""

from __future__ import annotations

from typing import Any

from tests.support.waiting import until_async
from tests.web.conftest import House, Owner


async def _receipt(owner: Owner) -> Any:
    await owner.client.delete(owner.url)

    async def reported() -> bool:
        return bool((await owner.client.get(owner.url + "/closing")).json()["state"] == "reported")

    await until_async(reported)
    await owner.client.post(owner.url + "/delete")

    async def received() -> Any:
        return (await owner.client.get("/v1/receipts")).json()

    return (await until_async(received))[0]


async def test_a_receipt_is_verified_by_anybody_and_a_changed_one_is_not(house: House, owner: Owner) -> None:
    signed = await _receipt(owner)
    anybody = await house.client()
    changed = {**signed, "receipt": {**signed["receipt"], "tickets": 999}}

    assert (await anybody.post("/v1/receipts/verify", json=signed)).json() == {"valid": True}
    assert (await anybody.post("/v1/receipts/verify", json=changed)).json() == {"valid": False}
