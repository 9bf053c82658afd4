"""What is said about a store's closing: how far it is, its report's files, and whether a receipt is ours."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from realtime.messages import Request


class ReceiptCheck(Struct, frozen=True):
    valid: bool


class ReportFileView(Struct, frozen=True):
    """A file of the report, to be downloaded under its name."""

    name: str
    media_type: str
    bytes: int
    sha256: str
    about: str
    """What is in it, as one sentence; may be empty."""


class ReportQuery(Request, frozen=True):
    file: Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", max_length=64, description="Which file; else the CSV.")] = ""


class ClosingView(Struct, frozen=True):
    """How far the closing of a store is."""

    store_id: str
    state: str
    tickets: int
    report_sha256: str
    """Of the file that is downloaded where none is named."""
    deliveries: list[dict[str, Any]]
    """Each with notifier, recipient, state, attempts, outcome, due_ms."""
    waits_for: str
    """What it waits for: "" (nothing), "report", "confirmation", "delivery" or "decision"."""
    receipt: dict[str, Any] | None
    files: list[ReportFileView]
    """The report's files, as long as they can be downloaded."""
