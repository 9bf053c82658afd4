"""The join codes that are on somebody's screen: which number each store shows, and its replacement before it expires."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from realtime.model import Code
from realtime.operations import codes
from realtime.storage.statement import Storage


class ShownCodes:
    """Knows the newest code of each store that was looked at; iterates over those stores."""

    def __init__(self, storage: Storage, clock_ms: Callable[[], int]) -> None:
        self.renew: Callable[[str, int], Awaitable[None]] | None = None
        """The use case that shows the next code in place of one."""
        self._storage = storage
        self._now = clock_ms
        self._codes: dict[str, Code] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._codes)

    def get(self, store_id: str) -> Code | None:
        return self._codes.get(store_id)

    def forget(self, store_id: str) -> None:
        self._codes.pop(store_id, None)

    def show(self, store_id: str, code: Code) -> None:
        """A store shows this code, unless a newer one is known."""
        known = self._codes.get(store_id)
        if known is None or known.number < code.number:
            self._codes[store_id] = code

    def ends_soon(self, code: Code | None) -> bool:
        return code is not None and codes.ends_soon(code, self._now())

    async def refresh(self, store_id: str) -> None:
        """Know the code on show, and have it replaced if it ends soon."""
        code = self._codes.get(store_id)
        if code and not self.ends_soon(code):
            return
        code = await self._storage.read(codes.current, store_id)
        if code and self.ends_soon(code) and self.renew:
            await self.renew(store_id, code.number)
            code = await self._storage.read(codes.current, store_id)
        if code:
            self.show(store_id, code)
        else:
            self.forget(store_id)
