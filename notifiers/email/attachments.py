"""The report's files as parts of a mail: whole, or compressed where they are large."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import tempfile
from collections.abc import Sequence
from email.message import EmailMessage
from typing import NamedTuple

from notifiers.email.letter import Unsendable
from realtime.hookspecs import Attachment

MIB = 1 << 20
PLAIN_BYTES = 5 * MIB
"""The smallest files are attached as they are, as long as they are no larger together; the others are compressed."""
LARGEST_BYTES = 20 * MIB
"""Most mail servers take 25 MiB, and base64 makes a third more of it."""
TOO_LARGE = "The report is larger than mail carries (20 MiB compressed). Download it from the counter, then have the data deleted."


class Part(NamedTuple):
    name: str
    media_type: str
    content: bytes


async def parts(report: Sequence[Attachment]) -> list[Part]:
    """The report's files, read whole: the small ones as they are, the others compressed through a temporary file.

    Raises: Unsendable, OSError where a file is not what it was when it was made.
    """
    if not report:
        raise Unsendable("There is no report to send.")
    plain = _plain(report)
    made: list[Part] = []
    for file in report:
        made.append(await (_whole(file) if file.name in plain else _compressed(file)))
        if sum(len(part.content) for part in made) > LARGEST_BYTES:
            raise Unsendable(TOO_LARGE)
    return made


def _plain(report: Sequence[Attachment]) -> set[str]:
    """The files that go as they are: the smallest, so that a page of charts opens at a touch beside a large list that is compressed."""
    names, left = set(), PLAIN_BYTES
    for file in sorted(report, key=lambda file: file.bytes):
        left -= file.bytes
        if left >= 0:
            names.add(file.name)
    return names


async def _whole(file: Attachment) -> Part:
    content = b"".join([chunk async for chunk in file.chunks()])
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise OSError(file.name)
    return Part(file.name, file.media_type, content)


async def _compressed(file: Attachment) -> Part:
    digest = hashlib.sha256()
    packed = await asyncio.to_thread(_Packed, file.name)
    try:
        async for chunk in file.chunks():
            digest.update(chunk)
            await asyncio.to_thread(packed.write, chunk)
        content = await asyncio.to_thread(packed.finish)
    finally:
        await asyncio.to_thread(packed.close)
    if digest.hexdigest() != file.sha256:
        raise OSError(file.name)
    return Part(f"{file.name}.gz", "application/gzip", content)


class _Packed:
    """A file as it is compressed, in a temporary file that the system deletes when it is closed. Its methods wait for the disk."""

    def __init__(self, name: str) -> None:
        self._scratch = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._gzip = gzip.GzipFile(fileobj=self._scratch, mode="wb", filename=name)

    def write(self, chunk: bytes) -> None:
        """Raises: Unsendable as soon as it is larger than a mail."""
        self._gzip.write(chunk)
        self._check()

    def finish(self) -> bytes:
        """The whole compressed file. Raises: Unsendable."""
        self._gzip.close()
        self._check()
        self._scratch.seek(0)
        return self._scratch.read()

    def close(self) -> None:
        self._scratch.close()

    def _check(self) -> None:
        if self._scratch.tell() > LARGEST_BYTES:
            raise Unsendable(TOO_LARGE)


def attach(message: EmailMessage, part: Part) -> None:
    kind, _, parameters = part.media_type.partition(";")
    main, _, sub = kind.strip().partition("/")
    charset = parameters.partition("charset=")[2].strip()
    message.add_attachment(part.content, maintype=main, subtype=sub, filename=part.name, params={"charset": charset} if charset else None)
