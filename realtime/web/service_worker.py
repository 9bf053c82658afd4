"""`/sw.js`: the service worker, at the root, because it may act for no address above its own."""

from __future__ import annotations

import os
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from realtime.web.files import Files

PATH = "/sw.js"
POLICY = "default-src 'none'; connect-src 'self'; img-src 'self'"
"""What a worker may do is said by its own answer (CSP 3, section 4.2.3): it asks this server, and loads nothing."""


class ServiceWorker(Files):
    """A file like the others, with a policy that lets it work."""

    __name__ = "service_worker"

    def get_path(self, scope: Scope) -> str:
        return "sw.js"

    def file_response(self, full_path: Any, stat_result: os.stat_result, scope: Scope, status_code: int = 200) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        # Also where nothing has changed: a browser puts the headers of that answer in place of those it kept.
        response.headers["Content-Security-Policy"] = POLICY
        return response
