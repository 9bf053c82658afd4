"""What plugins may answer: each answer is checked before anything is done with it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from typing import Any, TypeVar

import msgspec

from realtime.hookspecs import (
    Accepted,
    Arrival,
    Done,
    Gone,
    Idle,
    JobHandler,
    JobOutcome,
    Notifier,
    Outcome,
    Permanent,
    Preview,
    ReportFile,
    Retry,
    Sent,
    Suppressed,
    Wish,
)
from realtime.isolation import Broken
from realtime.ladder import NOT_REACHED
from realtime.model import Delivery

LONGEST_REFUSAL = 300
LONGEST_REASON = 500
LATEST_S = 24 * 3600.0
"""However late somebody wants to be asked again, they are asked after so long."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]*(; ?[a-z]+=[A-Za-z0-9._-]+)*")
LONGEST_ABOUT = 300
Said = TypeVar("Said", bound=Outcome | Done)
_OUTCOMES = (Sent, Accepted, Retry, Permanent, Gone, Suppressed)


def anything(answer: object) -> None:
    """An answer that nobody looks at."""


def refusal(answer: object) -> str | Broken | None:
    if answer is None:
        return None
    if not isinstance(answer, str) or not answer.strip() or len(answer) > LONGEST_REFUSAL or not answer.isprintable():
        return _wrong(answer, f"None or one printable sentence of at most {LONGEST_REFUSAL} characters")
    return answer


def deliveries(carriers: Container[str], answer: object, *, with_report: bool = False) -> list[Delivery] | Broken:
    """`carriers` are the notifiers that are here; only where `with_report` a delivery may need the report."""
    if answer is None:
        return []
    owed = [answer] if isinstance(answer, Delivery) else answer
    if not isinstance(owed, list | tuple) or not all(isinstance(delivery, Delivery) for delivery in owed):
        return _wrong(answer, "a Delivery, a list of them, or None")
    for delivery in owed:
        try:
            msgspec.convert(msgspec.to_builtins(delivery), Delivery)
        except (msgspec.ValidationError, TypeError) as error:
            return Broken(f"returned a Delivery that is none: {error}")
        if delivery.notifier not in carriers:
            return Broken(f"returned a Delivery for the notifier {delivery.notifier!r}, which is not here")
        if not delivery.recipient:
            return Broken("returned a Delivery without a recipient")
        if delivery.needs_report and not with_report:
            return Broken("returned a Delivery that needs a report where there is none")
    return list(owed)


def report_files(answer: object) -> list[ReportFile] | Broken:
    if not isinstance(answer, list | tuple) or not all(_is_file(file) for file in answer):
        return _wrong(answer, "a list of ReportFile, named like report.csv, with a media type")
    return list(answer)


def notifiers(answer: object) -> list[Notifier] | Idle | Broken:
    if isinstance(answer, Idle):
        return answer
    if not isinstance(answer, list | tuple):
        return _wrong(answer, "a list of Notifier, or Idle")
    names = [getattr(notifier, "name", None) for notifier in answer]
    for notifier, name in zip(answer, names, strict=True):
        if not isinstance(name, str) or not _NAME.fullmatch(name) or not callable(getattr(notifier, "deliver", None)):
            return _wrong(notifier, "a Notifier, with a name of lower-case letters and an async method deliver")
    if NOT_REACHED in names:
        return Broken(f"returned a notifier named {NOT_REACHED!r}, which is the core's own")
    if len(set(names)) < len(names):
        return Broken("returned two notifiers of the same name")
    return list(answer)


def handlers(answer: object) -> list[JobHandler] | Idle | Broken:
    if isinstance(answer, Idle):
        return answer
    if not isinstance(answer, list | tuple):
        return _wrong(answer, "a list of JobHandler, or Idle")
    names = [getattr(handler, "name", None) for handler in answer]
    for handler, name in zip(answer, names, strict=True):
        if not isinstance(name, str) or not _NAME.fullmatch(name) or not callable(getattr(handler, "handle", None)):
            return _wrong(handler, "a JobHandler, with a name of lower-case letters and an async method handle")
    if len(set(names)) < len(names):
        return Broken("returned two handlers of the same name")
    return list(answer)


def job_outcome(answer: object) -> JobOutcome | Broken:
    if not isinstance(answer, Done | Retry | Permanent):
        return _wrong(answer, "one of Done, Retry and Permanent")
    return answer


def outcome(answer: object) -> Outcome | Broken:
    if not isinstance(answer, _OUTCOMES):
        return _wrong(answer, "one of Sent, Accepted, Retry, Permanent, Gone and Suppressed")
    return answer


def plain(outcome: Said) -> Said:
    """An outcome as it can be kept and acted on: its sentence short and storable, its wait none or a number of seconds up to a day."""
    if isinstance(outcome, Done):
        return msgspec.structs.replace(outcome, detail=_kept(outcome.detail))
    if isinstance(outcome, Retry):
        asked_s = outcome.after_s if isinstance(outcome.after_s, int | float) and outcome.after_s > 0 else None
        after_s = None if asked_s is None else min(float(asked_s), LATEST_S)
        return msgspec.structs.replace(outcome, reason=_kept(outcome.reason), after_s=after_s, provider_down=outcome.provider_down is True)
    if isinstance(outcome, Permanent | Gone | Suppressed):
        return msgspec.structs.replace(outcome, reason=_kept(outcome.reason))
    return outcome


def _kept(sentence: object) -> str:
    return str(sentence).encode("utf-8", "replace").decode().replace("\0", "")[:LONGEST_REASON]


def heard(answer: object) -> list[Arrival | Wish] | Broken | None:
    """What a provider's callback tells; None: it is not the provider's."""
    if answer is None:
        return None
    if not isinstance(answer, list | tuple) or not all(isinstance(each, Arrival | Wish) for each in answer):
        return _wrong(answer, "a list of Arrival and Wish, or None")
    try:
        told = [msgspec.convert(msgspec.to_builtins(each), type(each)) for each in answer]
    except (msgspec.ValidationError, TypeError) as error:
        return Broken(f"returned an Arrival or a Wish that is none: {error}")
    return [msgspec.structs.replace(each, why=_kept(each.why)) if isinstance(each, Arrival) else each for each in told]


def preview(answer: object) -> Preview | Broken:
    """What `Notifier.preview` showed."""
    return answer if isinstance(answer, Preview) else _wrong(answer, "a Preview")


def text(answer: object) -> str | Broken:
    return answer if isinstance(answer, str) else _wrong(answer, "text")


def _is_file(file: Any) -> bool:
    methods: Iterable[Any] = (getattr(file, method, None) for method in ("header", "rows", "footer"))
    name, media_type = getattr(file, "name", None), getattr(file, "media_type", None)
    about = getattr(file, "about", "")
    named = isinstance(name, str) and _FILE_NAME.fullmatch(name) is not None
    typed = isinstance(media_type, str) and _MEDIA_TYPE.fullmatch(media_type) is not None
    told = isinstance(about, str) and len(about) <= LONGEST_ABOUT and about.isprintable()
    return named and typed and told and all(map(callable, methods))


def _wrong(answer: object, wanted: str) -> Broken:
    """Says what type came, never what it held. An awaitable is closed, so that nobody complains it was never awaited."""
    close = getattr(answer, "close", None)
    if hasattr(answer, "__await__") and callable(close):
        close()
        return Broken(f"returned an awaitable instead of {wanted}; this hook is not async")
    return Broken(f"returned {type(answer).__name__} instead of {wanted}")
