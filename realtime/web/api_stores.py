"""The HTTP API of a store: open, look, edit, close, its report, its queues' logos."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from realtime import closing_messages, messages
from realtime.errors import (
    EmailTaken,
    NotFound,
    NotReported,
    QueueNotFound,
    Refused,
    StoreClosed,
    StoreNotFound,
    StoreOpen,
    WrongState,
)
from realtime.web.api_accounts import session_cookies
from realtime.web.endpoint import Auth, Call, Endpoint

LOGO_SECONDS = 86_400


async def open_store(call: Call[messages.OpenStore]) -> Response:
    if call.account_id:
        store_id = await call.context.reception.open_store(call.account_id, call.body, base=call.public_base)
        return call.answer(messages.OpenedStore(store_id, None))
    call.quota = call.context.limits.sign_up(call.client)
    store_id, signed_in = await call.context.accounts.sign_up_and_open(call.body, base=call.public_base)
    return call.answer(messages.OpenedStore(store_id, signed_in.tokens), session_cookies(call, signed_in))


async def open_again(call: Call[None]) -> Response:
    store_id = await call.context.reception.open_again(call.account_id, base=call.public_base)
    return call.answer(messages.OpenedStore(store_id, None))


async def look(call: Call[None]) -> Response:
    return call.answer(await call.context.reception.owner_snapshot(call.account_id, call.path["store_id"], base=call.public_base))


async def edit(call: Call[messages.EditStore]) -> Response:
    return call.answer(await call.context.reception.edit_store(call.account_id, call.path["store_id"], call.body, base=call.public_base))


async def close(call: Call[None]) -> Response:
    return call.answer(await call.context.closing.close(call.account_id, call.path["store_id"]))


async def closing(call: Call[None]) -> Response:
    return call.answer(await call.context.closing.view(call.account_id, call.path["store_id"]))


async def resend_report(call: Call[None]) -> Response:
    return call.answer(await call.context.closing.resend(call.account_id, call.path["store_id"]))


async def delete_undelivered(call: Call[None]) -> Response:
    return call.answer(await call.context.closing.delete(call.account_id, call.path["store_id"]))


async def report(call: Call[None]) -> Response:
    file, parts = await call.context.closing.report(call.account_id, call.path["store_id"], call.query.file)
    # Saved, never shown: what a plugin wrote must not run as a page of this origin.
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return StreamingResponse(_encoded(parts), headers=headers, media_type=file.media_type)


async def _encoded(parts: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for part in parts:
        yield part.encode()


async def logo(call: Call[None]) -> Response:
    media_type, picture = await call.context.reception.logo(call.path["store_id"], call.path["queue"], call.path["version"])
    # The version names the picture's bytes, so a phone never has to ask for it again.
    headers = {"Cache-Control": f"private, max-age={LOGO_SECONDS}, immutable"}
    return Response(picture, headers=headers, media_type=media_type)


TAG = "Store"
_STORE = "/v1/stores/{store_id}"
_MINE = (StoreNotFound,)
ENDPOINTS = (
    Endpoint(
        "POST", "/v1/stores", "Open a store; without a sign-in, the account is made at the same time", TAG, open_store,
        auth=Auth.OWNER_IF_GIVEN, request=messages.OpenStore, response=messages.OpenedStore, status=201,
        errors=(EmailTaken, StoreOpen), sets_cookie=True, limited=True,
    ),
    Endpoint(
        "POST", "/v1/stores/again", "Open the next store with the last one's queues and settings", TAG, open_again,
        auth=Auth.OWNER, response=messages.OpenedStore, status=201, errors=(NotFound, StoreOpen),
    ),
    Endpoint("GET", _STORE, "The store as its owner sees it", TAG, look, auth=Auth.OWNER, response=messages.OwnerSnapshot, errors=_MINE),
    Endpoint(
        "PUT", _STORE, "Change the store and its queues; what is left out stays", TAG, edit,
        auth=Auth.OWNER, request=messages.EditStore, response=messages.OwnerSnapshot, errors=(*_MINE, StoreClosed, QueueNotFound),
    ),
    Endpoint(
        "DELETE", _STORE, "Close the store: nobody joins any more, the report goes out, then the data is deleted", TAG, close,
        auth=Auth.OWNER, response=closing_messages.ClosingView, status=202, errors=(*_MINE, StoreClosed),
    ),
    Endpoint("GET", _STORE + "/closing", "How far the closing is", TAG, closing, auth=Auth.OWNER, response=closing_messages.ClosingView, errors=_MINE),
    Endpoint(
        "POST", _STORE + "/report/resend", "Send the report again", TAG, resend_report,
        auth=Auth.OWNER, response=closing_messages.ClosingView, status=202, errors=(*_MINE, NotReported),
    ),
    Endpoint(
        "GET", _STORE + "/report", "Download a file of the report; the CSV where none is named", TAG, report,
        auth=Auth.OWNER, query=closing_messages.ReportQuery, response=str, errors=(*_MINE, NotReported, NotFound), media_type="text/csv",
    ),
    Endpoint(
        "POST", _STORE + "/delete", "Delete the data although its report was not delivered", TAG, delete_undelivered,
        auth=Auth.OWNER, response=closing_messages.ClosingView, status=202, errors=(*_MINE, WrongState, NotReported, Refused),
    ),
    Endpoint(
        "GET", _STORE + "/queues/{queue}/logo/{version}", "A queue's logo", TAG, logo,
        response=bytes, errors=(NotFound,), media_type="image/*",
    ),
)  # fmt: skip
