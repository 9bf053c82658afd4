"""A party's own page, without JavaScript."""

from __future__ import annotations

import httpx

from tests.web.conftest import House, Owner
from tests.web.test_pages import browser, page_data


async def _joined(house: House, owner: Owner) -> httpx.AsyncClient:
    phone, code = await browser(house), await owner.code()
    await phone.post(f"/j/{code}", data={"step": "scan"})
    await phone.post(f"/j/{code}", data={"step": "join", "name": "Ann", "queue": "A", "party": "2", "phone": "", "email": ""})
    return phone


async def test_without_javascript_a_customer_leaves_the_line(house: House, owner: Owner) -> None:
    phone = await _joined(house, owner)

    left = await phone.post("/ticket", data={"step": "leave"})
    again = await phone.post("/ticket", data={"step": "leave"})

    assert (left.status_code, left.headers["location"]) == (303, "/ticket")
    assert page_data(await phone.get("/ticket"))["state"] == "left"
    assert again.status_code == 409


async def test_a_form_of_another_site_leaves_nobodys_line(house: House, owner: Owner) -> None:
    phone = await _joined(house, owner)

    refused = await phone.post("/ticket", data={"step": "leave"}, headers={"Origin": "https://elsewhere.example"})

    assert refused.status_code == 403
    assert page_data(await phone.get("/ticket"))["state"] == "waiting"


async def test_a_phone_sees_the_other_parties_it_joined_with(house: House, owner: Owner) -> None:
    phone, code = await browser(house), await owner.code()
    await phone.post(f"/v1/codes/{code}/scan", json={"key": "a secret of the phone"})
    parties = [{"name": "Ann", "queue": "A"}, {"name": "Bo", "queue": "A"}]
    await phone.post("/v1/tickets", json={"code": code, "key": "a secret of the phone", "parties": parties})

    own = page_data(await phone.get("/ticket"))

    assert {own["label"], *own["others"]} == {"A01", "A02"}
