"""Requests to open or edit a store, checked and turned into what the operations take."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec import UnsetType

from realtime import checks, ladder, quiet_hours
from realtime.errors import InvalidInput
from realtime.keys import digest
from realtime.ladder import Step
from realtime.messages import EditStore, OpenStore, QueueDraft
from realtime.operations import stores

T = TypeVar("T")


def new_store(request: OpenStore) -> stores.NewStore:
    """A request to open a store, checked.

    Raises:
        InvalidInput: a value cannot be used.
    """
    names = [draft.name.strip().lower() for draft in request.queues]
    if len(set(names)) < len(names):
        raise InvalidInput("Two queues have the same name. Give each its own, so that guests can tell them apart.", field="queues")
    return stores.NewStore(
        checks.name(request.name, "name"),
        checks.text(request.description, "description"),
        checks.timezone(request.timezone, "timezone"),
        request.accent,
        request.almost_at,
        request.board_code,
        [_new_queue(draft, f"queues[{index}]") for index, draft in enumerate(request.queues)],
        _ladder(request.ladder),
        quiet_hours.checked(request.quiet_hours),
    )


def _new_queue(draft: QueueDraft, field: str) -> stores.NewQueue:
    return stores.NewQueue(
        checks.name(draft.name, f"{field}.name"),
        checks.text(draft.waiting_text, f"{field}.waiting_text"),
        checks.text(draft.end_text, f"{field}.end_text"),
    )


def _given(value: str | UnsetType, check: Callable[[str, str], str], field: str) -> str | None:
    return None if isinstance(value, UnsetType) else check(value, field)


def _plain(value: T | UnsetType) -> T | None:
    return None if isinstance(value, UnsetType) else value


def _ladder(steps: list[Step] | UnsetType) -> str | None:
    if isinstance(steps, UnsetType):
        return None
    if (at := ladder.twice(steps)) is not None:
        raise InvalidInput("That way of reaching a guest is named twice. Leave one of them.", field=f"ladder[{at}].channel")
    return ladder.text(steps)


def _logo(value: str, field: str) -> str:
    checks.logo(value, field)
    return value


def store_change(request: EditStore) -> stores.StoreChange:
    """A request to edit a store, checked.

    Raises:
        InvalidInput: a value cannot be used.
    """
    queues = []
    for index, edit in enumerate(request.queues):
        field = f"queues[{index}]"
        logo = _given(edit.logo, _logo, f"{field}.logo")
        queues.append(
            stores.QueueChange(
                edit.id,
                _given(edit.name, checks.name, f"{field}.name"),
                _given(edit.waiting_text, checks.text, f"{field}.waiting_text"),
                _given(edit.end_text, checks.text, f"{field}.end_text"),
                _plain(edit.paused),
                logo,
                None if logo is None else digest(logo)[:12] if logo else "",
            )
        )
    return stores.StoreChange(
        _given(request.name, checks.name, "name"),
        _given(request.description, checks.text, "description"),
        _plain(request.accent),
        _plain(request.almost_at),
        _plain(request.board_code),
        _ladder(request.ladder),
        _given(request.quiet_hours, quiet_hours.checked, "quiet_hours"),
        tuple(queues),
        tuple(_new_queue(draft, f"add_queues[{index}]") for index, draft in enumerate(request.add_queues)),
    )
