"""The files that pages load: scripts, styles and pictures, kept by browsers and asked for again only to see whether they changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Receive, Scope, Send

from realtime.errors import NotFound
from realtime.web import problems
from realtime.web.problems import MethodNotAllowed

TYPES: Mapping[str, str] = {
    ".css": "text/css",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mp3": "audio/mpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ts": "text/plain",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""Not looked up in the machine's own tables: there a script may be text/plain, and nosniff then keeps it from running."""


class Files(StaticFiles):
    """Modules import each other by their plain names, so a name cannot carry a version: each use asks, and mostly hears 304."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except HTTPException as error:
            refusal = MethodNotAllowed("GET, HEAD") if error.status_code == 405 else NotFound()
            await problems.document(refusal)(scope, receive, send)

    def file_response(self, full_path: Any, stat_result: os.stat_result, scope: Scope, status_code: int = 200) -> Response:
        media_type = TYPES.get(os.path.splitext(full_path)[1], "application/octet-stream")  # noqa: PTH122 - a path of Starlette's
        headers = {"Cache-Control": "no-cache"}
        response = FileResponse(full_path, status_code, headers, media_type=media_type, stat_result=stat_result)
        if self.is_not_modified(response.headers, Headers(scope=scope)):
            return NotModifiedResponse(response.headers)
        return response
