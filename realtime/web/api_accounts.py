"""The HTTP API of an owner's account: signing in and out, passwords, the e-mail address, receipts."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from realtime import closing_messages, messages
from realtime.errors import EmailTaken, LinkExpired, NotSignedIn, Unavailable, WrongPassword
from realtime.web.cases import SignedIn
from realtime.web.endpoint import Auth, Call, Endpoint


def session_cookies(call: Call[Any], signed_in: SignedIn) -> list[str]:
    """The cookie that keeps a sign-in, unless the browser's present one stays."""
    if not signed_in.refresh_token:
        return []
    return [call.cookies.set_session(signed_in.refresh_token, signed_in.refresh_days)]


async def login(call: Call[messages.Login]) -> Response:
    limits = call.context.limits
    call.quota = limits.sign_in(call.client, call.body.email)
    signed_in = await call.context.accounts.sign_in(call.body.email, call.body.password)
    limits.signed_in(call.client, call.body.email)
    return call.answer(signed_in.tokens, session_cookies(call, signed_in))


async def renew(call: Call[None]) -> Response:
    held = call.cookies.read(call.scope, call.cookies.session)
    if not held:
        raise NotSignedIn
    signed_in = await call.context.accounts.refresh(held)
    return call.answer(signed_in.tokens, session_cookies(call, signed_in))


async def logout(call: Call[None]) -> Response:
    held = call.cookies.read(call.scope, call.cookies.session)
    if held:
        account_id = await call.context.accounts.sign_out(held)
        call.context.end_sessions(account_id)
    return call.answer(cookies=[call.cookies.end_session()])


async def view(call: Call[None]) -> Response:
    return call.answer(await call.context.accounts.view(call.account_id))


async def receipts(call: Call[None]) -> Response:
    return call.answer(await call.context.closing.receipts(call.account_id))


async def verify(call: Call[messages.CheckReceipt]) -> Response:
    return call.answer(closing_messages.ReceiptCheck(call.context.closing.verify(call.body.receipt, call.body.signature)))


async def forgot(call: Call[messages.ForgotPassword]) -> Response:
    """Answers the same for every address, known or not."""
    limits = call.context.limits
    call.quota = limits.ask_mail(call.client)
    if limits.may_mail(call.body.email):
        # Nobody waits for it, so that the time of the answer tells nothing either.
        call.context.tasks.start("a forgotten password", call.context.accounts.forgot(call.body.email, base=call.public_base))
    return call.answer()


async def reset(call: Call[messages.ResetPassword]) -> Response:
    call.quota = call.context.limits.use_link(call.client)
    account_id = await call.context.accounts.reset(call.body.token, call.body.password)
    call.context.end_sessions(account_id)
    return call.answer()


async def change_password(call: Call[messages.ChangePassword]) -> Response:
    call.quota = call.context.limits.sign_in(call.client, call.account_id)
    held = call.cookies.read(call.scope, call.cookies.session)
    await call.context.accounts.change_password(call.account_id, call.body, held)
    call.context.end_sessions(call.account_id)
    return call.answer()


async def change_email(call: Call[messages.ChangeEmail]) -> Response:
    call.quota = call.context.limits.sign_in(call.client, call.account_id)
    await call.context.accounts.change_email(call.account_id, call.body, base=call.public_base)
    return call.answer()


async def confirm(call: Call[messages.ConfirmEmail]) -> Response:
    call.quota = call.context.limits.use_link(call.client)
    await call.context.accounts.confirm(call.body.token)
    return call.answer()


async def resend(call: Call[None]) -> Response:
    call.quota = call.context.limits.ask_mail(call.client)
    await call.context.accounts.resend(call.account_id, base=call.public_base)
    return call.answer()


TAG = "Account"
ENDPOINTS = (
    Endpoint(
        "POST", "/v1/login", "Sign in", TAG, login,
        request=messages.Login, response=messages.Tokens, errors=(WrongPassword,), sets_cookie=True, limited=True,
    ),
    Endpoint(
        "POST", "/v1/token", "Get a new access token for the refresh cookie", TAG, renew,
        auth=Auth.SESSION, response=messages.Tokens, errors=(NotSignedIn,), sets_cookie=True,
    ),
    Endpoint("POST", "/v1/logout", "Sign out", TAG, logout, auth=Auth.SESSION_IF_GIVEN, status=204, sets_cookie=True),
    Endpoint("GET", "/v1/account", "The signed-in owner's account", TAG, view, auth=Auth.OWNER, response=messages.AccountView),
    Endpoint(
        "POST", "/v1/password/forgot", "Ask for a link that sets a new password; answers the same for every address", TAG, forgot,
        request=messages.ForgotPassword, status=202, limited=True,
    ),
    Endpoint(
        "POST", "/v1/password/reset", "Set a new password with the link's secret", TAG, reset,
        request=messages.ResetPassword, status=204, errors=(LinkExpired,), limited=True,
    ),
    Endpoint(
        "PUT", "/v1/password", "Change the password", TAG, change_password,
        auth=Auth.OWNER, request=messages.ChangePassword, status=204, errors=(WrongPassword,), limited=True,
    ),
    Endpoint(
        "PUT", "/v1/email", "Change the e-mail address; it counts once its link was followed", TAG, change_email,
        auth=Auth.OWNER, request=messages.ChangeEmail, status=202, errors=(WrongPassword, EmailTaken, Unavailable), limited=True,
    ),
    Endpoint(
        "POST", "/v1/email/confirm", "Confirm the e-mail address with the link's secret", TAG, confirm,
        request=messages.ConfirmEmail, status=204, errors=(LinkExpired, EmailTaken), limited=True,
    ),
    Endpoint("POST", "/v1/email/resend", "Send the confirmation link again", TAG, resend, auth=Auth.OWNER, status=202, limited=True),
    Endpoint(
        "GET", "/v1/receipts", "Signed receipts of the data that was deleted", TAG, receipts, auth=Auth.OWNER, response=list[dict[str, Any]]
    ),
    Endpoint(
        "POST", "/v1/receipts/verify", "Whether this server signed a receipt as it is given", TAG, verify,
        request=messages.CheckReceipt, response=closing_messages.ReceiptCheck,
    ),
)  # fmt: skip
