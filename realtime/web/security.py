"""What protects a visitor's browser: headers on every answer, and the refusal of requests that another website made it send."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime.server.protection import protected
from realtime.web import addresses
from realtime.web.addresses import header
from realtime.web.context import Context
from realtime.web.problems import CrossSite


class SecurityHeaders:
    """Puts the headers on every answer, errors and files included; what an answer says of itself stays."""

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self.app = app
        self.public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # Nothing of a socket's handshake may be held once it is handed over, so there is no wrapper for it.
            await self.app(scope, receive, send)
            return
        secure = addresses.is_secure(scope, self.public_url)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = protected(message.get("headers", ()), secure)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def refuse_cross_site(context: Context, scope: Scope, *, cookie: bool) -> None:
    """Lets a request that changes something pass if one of our own pages sent it.

    A browser says where it comes from by Sec-Fetch-Site, which no page can forge, and by Origin. Where both are absent no
    browser sent it; that is refused only if it relies on a `cookie`.

    Raises:
        CrossSite
    """
    site = header(scope, b"sec-fetch-site")
    if site is None and not cookie and not addresses.given(scope, b"origin"):
        return
    origins = [value.decode("latin-1") for key, value in scope["headers"] if key == b"origin"]
    if site is not None and site not in {"same-origin", "none"}:
        raise CrossSite
    if origins and origins != ["null"] and not (len(origins) == 1 and context.own_origin(origins[0], scope)):
        raise CrossSite
    if (origins == ["null"] or (not origins and cookie)) and site is None:
        raise CrossSite
