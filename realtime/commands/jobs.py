"""`nowserving jobs`: what stands in the queues of a running server, and what may be done about it."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from realtime.commands.rehearse import address
from realtime.errors import BadSettings
from realtime.settings import Settings

SENTENCE = "Look after the queues of a running server: list, show, retry, cancel, reschedule, redrive, purge, pause, resume, doctor."
STATES = ("ready", "deferred", "behind", "held", "in_flight", "dead", "ended", "blocking")
PATIENCE_S = 30.0
_OPTIONS = {
    "state": "--state",
    "owner": "--owner",
    "limit": "--limit",
    "reason": "--reason",
    "older_than": "--older-than",
    "due_ms": "--at, --in",
}
"""What the server calls a field -> what is typed here."""

Ask = Callable[..., Any]


def options(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="as JSON instead of words")
    shared.add_argument("--url", type=address, metavar="URL", help="the server (this machine's, at the port of the settings)")
    # Called through the command line, an action is required; the parser's own default keeps `list`.
    actions = parser.add_subparsers(metavar="action", dest="action", required=True)

    def action(name: str, sentence: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=sentence, description=sentence, parents=[shared])

    listed = action("list", "Every queue in figures; with --state the jobs that stand there.")
    listed.add_argument("--state", choices=STATES, help="list the jobs of this standing; blocking: the dead letters for which a lane waits")
    listed.add_argument("--queue", default="", metavar="QUEUE", help="only this queue's")
    listed.add_argument("--owner", default="", metavar="OWNER", help="only those of this store or account")
    listed.add_argument("--limit", type=_count, metavar="N", help="at most so many (50)")
    for name, sentence in (
        ("show", "One job with its attempts."),
        ("retry", "Let a job be tried now; a dead letter goes back to its place."),
        ("cancel", "End a job that nobody holds, or delete a dead letter."),
        ("reschedule", "Say when a job that waits may be tried next; it keeps its place in its lane."),
    ):
        one = action(name, sentence)
        one.add_argument("owner", help="the store or account, as `list` shows it")
        one.add_argument("id", help="the job's id")
        if name == "reschedule":
            when = one.add_mutually_exclusive_group(required=True)
            when.add_argument(
                "--at", type=_time, metavar="TIME", help="such as 2026-11-28T18:30, by this machine's zone, or with one, as +01:00"
            )
            when.add_argument("--in", type=_count, dest="after", metavar="SECONDS", help="so many seconds from now")
    for name, sentence in (("redrive", "Put a queue's dead letters back."), ("purge", "Delete a queue's dead letters.")):
        many = action(name, sentence)
        many.add_argument("queue", help="the queue, as `list` shows it")
        many.add_argument("--limit", type=_count, default=100, metavar="N", help="the oldest so many (100)")
        if name == "redrive":
            many.add_argument("--reason", default="", metavar="TEXT", help="only those whose reason begins so")
        else:
            many.add_argument("--older-than", type=int, default=0, metavar="SECONDS", help="only those that died longer ago (0)")
            many.add_argument("--yes", action="store_true", help="do not ask")
        many.add_argument("--dry-run", action="store_true", help="only list those to which it would be done")
    action("doctor", "Everything that needs a person, and what to do next. Exits 0 when all is well, 1 when not, 2 when it could not ask.")
    for name, sentence in (("pause", "Take nothing from a queue any more."), ("resume", "Take from it again.")):
        action(name, sentence).add_argument("queue", help="the queue, as `list` shows it")


def _count(text: str) -> int:
    """Raises: ArgumentTypeError."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return int(text)


def _time(text: str) -> int:
    """Milliseconds. Raises: ArgumentTypeError."""
    try:
        return max(int(datetime.fromisoformat(text).timestamp() * 1000), 0)
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError("must be a time such as 2026-11-28T18:30") from None


def main(arguments: argparse.Namespace) -> int:
    """Returns 0, 1 when the server refused or something needs a person, or 2 when it could not be asked. Raises: BadSettings, where that is not
    to be told as JSON."""
    try:
        answer, words = _ACTIONS[arguments.action](_asking(arguments), arguments)
    except Refusal as error:
        print(json.dumps(error.problem) if arguments.json else error, file=sys.stderr)
        return 2 if arguments.action == "doctor" else error.exit_code
    except BadSettings as error:
        if not arguments.json:
            raise
        print(json.dumps({"code": error.code, "detail": error.message}), file=sys.stderr)
        return 2
    print(json.dumps(answer, indent=2) if arguments.json else words)
    return 1 if arguments.action == "doctor" and answer["findings"] else 0


def _asking(arguments: argparse.Namespace) -> Ask:
    """Asks the server that is meant. Raises: Refusal, BadSettings."""
    settings = Settings.load(os.environ, arguments.settings)
    if not settings.operator_token:
        raise Refusal(
            {"detail": "operator_token is not set. Set it for the server and here, to the same text of at least 32 characters."}, 2
        )
    return partial(request, arguments.url or f"http://127.0.0.1:{settings.port}", settings.operator_token)


class Refusal(Exception):
    """No, in a sentence: as the server said it, or because it could not be asked."""

    def __init__(self, problem: dict[str, Any], exit_code: int = 1) -> None:
        self.problem = problem
        self.exit_code = exit_code
        sentence = problem.get("detail") or problem.get("title") or "The server refused."
        option = _OPTIONS.get(problem.get("field", ""))
        super().__init__(f"{option}: {sentence}" if option else sentence)


def request(base: str, token: str, method: str, path: str, body: Any = None) -> Any:
    """The server's answer. Raises: Refusal."""
    import urllib.error  # as only this command needs it, and every command loads this file
    import urllib.request

    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    asked = urllib.request.Request(base + path, data, headers, method=method)  # noqa: S310 - http or https, as checked
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:  # noqa: S310 - as above
            return json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            raise Refusal(json.load(error)) from None
        except ValueError:
            raise Refusal({"detail": f"{base} answered {error.code}, but not like nowserving."}, 2) from None
    except (OSError, ValueError) as error:
        raise Refusal({"detail": f"Nobody answers as nowserving at {base}. Start the server, or name another with --url."}, 2) from error


def _list(ask: Ask, arguments: argparse.Namespace) -> tuple[Any, str]:
    if not arguments.state:
        if arguments.owner or arguments.limit:
            raise Refusal({"detail": f"--owner and --limit list jobs: say which with --state, one of {', '.join(STATES)}."})
        found = ask("GET", "/v1/operator")
        found["queues"] = [each for each in found["queues"] if arguments.queue in ("", each["queue"])]
        return found, _overview(found)
    wanted = {"state": arguments.state, "queue": arguments.queue, "owner": arguments.owner, "limit": arguments.limit}
    found = ask("GET", "/v1/operator/jobs?" + urlencode({name: value for name, value in wanted.items() if value}))
    rows = [("owner", "id", "queue", "lane", "tries", "by", "last outcome")]
    rows += [
        (job["owner"], job["id"], job["queue"], job["lane"], str(job["attempts"]), job["notifier"], job["outcome"]) for job in found["jobs"]
    ]
    more = "\nThere are more; ask with a larger --limit." if found["more"] else ""
    return found, (table(rows) if found["jobs"] else f"No job is {arguments.state.replace('_', ' ')}.") + more


def _overview(found: dict[str, Any]) -> str:
    columns = ("queue", "ready", "deferred", "behind", "held", "in_flight", "dead", "blocked_lanes")
    rows = [(*(name.replace("_", " ") for name in columns), "oldest ready", "")]
    for each in found["queues"]:
        age = f"{each['oldest_ready_seconds']:.0f} s" if each["ready"] else ""
        rows.append((*(str(each[name]) for name in columns), age, "paused" if each["paused_ms"] else ""))
    lines = [table(rows) if len(rows) > 1 else "Nothing waits, nothing is dead."]
    for each in found["providers"]:
        if each["state"] != "closed":
            next_try = f"tried again at {_clock(each['until_ms'])}" if each["until_ms"] else "being tried"
            lines.append(f"{each['notifier']} is down since {_clock(each['since_ms'])}, {next_try}: {each['reason']}")
    lines += [f"Alarm since {_clock(alarm['since_ms'])}: {alarm['text']}" for alarm in found["alarms"]]
    return "\n".join(lines)


def _doctor(ask: Ask, arguments: argparse.Namespace) -> tuple[Any, str]:
    found = ask("GET", "/v1/operator/doctor")
    lines = []
    for each in found["findings"]:
        lines += [f"{each['text']} {each['todo']}", *([f"  {each['command']}"] if "command" in each else [])]
    return found, "\n".join(lines) or "All is well."


def _show(ask: Ask, arguments: argparse.Namespace) -> tuple[Any, str]:
    found = ask("GET", _job(arguments))
    lines = [f"{_LABELS.get(name, name)}: {_value(name, value)}" for name, value in found["job"].items() if value not in ("", 0, False)]
    for each in found["attempts"]:
        said = f"{each['outcome'] or 'under way'}{': ' + each['detail'] if each['detail'] else ''}"
        counted = "" if each["counted"] else " (does not count)"
        lines.append(f"  attempt {each['number']} at {_clock(each['started_ms'])} by {each['worker'] or '-'}: {said}{counted}")
    return found, "\n".join(lines)


def _one(ask: Ask, arguments: argparse.Namespace) -> tuple[Any, str]:
    found = ask("POST", f"{_job(arguments)}/{arguments.action}")
    return found, {"retry": "It is due now. What stands before it in its lane goes first.", "cancel": "It is over."}[arguments.action]


def _reschedule(ask: Ask, arguments: argparse.Namespace) -> tuple[Any, str]:
    # What is in some seconds goes by the server's clock: this machine's may be another.
    due_ms = arguments.at if arguments.after is None else ask("GET", "/v1/operator")["at_ms"] + arguments.after * 1000
    found = ask("POST", f"{_job(arguments)}/reschedule", {"due_ms": due_ms})
    return found, f"It is due at {_clock(due_ms)}. What stands before it in its lane goes first."


def _many(ask: Ask, arguments: argparse.Namespace) -> tuple[Any, str]:
    path = f"/v1/operator/{arguments.action}"
    body = {"queue": arguments.queue, "limit": arguments.limit}
    if arguments.action == "redrive":
        done, body["reason"] = "put back", arguments.reason
    else:
        done, body["older_than"] = "deleted", arguments.older_than
    if arguments.dry_run:
        found = ask("POST", path, {**body, "dry_run": True})
        rows = [("owner", "id", "reason"), *((job["owner"], job["id"], job["reason"]) for job in found["jobs"])]
        return found, "\n".join([*([table(rows)] if found["count"] else []), f"{_letters(found)} would be {done}. Nothing was changed."])
    if arguments.action == "purge" and not arguments.yes:
        body["limit"] = _consent(ask, path, body)  # what died meanwhile was not asked about
    found = ask("POST", path, body) if body["limit"] else {"count": 0}
    return found, f"{_letters(found)} {done}."


def _letters(found: dict[str, Any]) -> str:
    return "1 dead letter" if found["count"] == 1 else f"{found['count']} dead letters"


def _consent(ask: Ask, path: str, body: dict[str, Any]) -> int:
    """How many whoever sits at the terminal agrees to delete. Raises: Refusal."""
    if not sys.stdin.isatty():
        raise Refusal({"detail": "Nobody is there to say yes. Look with --dry-run, then say --yes."})
    would = ask("POST", path, {**body, "dry_run": True})
    if would["count"]:
        print(f"Delete {_letters(would)} of {body['queue']}? yes/no", end=" ", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise Refusal({"detail": "Nothing was deleted."})
    return int(would["count"])


def _queue(ask: Ask, arguments: argparse.Namespace) -> tuple[Any, str]:
    found = ask("POST", f"/v1/operator/{arguments.action}", {"queue": arguments.queue})
    state = "paused" if arguments.action == "pause" else "at work"
    return found, f"{arguments.queue} is {state}{'' if found['changed'] else ' already'}."


_ACTIONS: dict[str, Callable[[Ask, argparse.Namespace], tuple[Any, str]]] = {
    "list": _list,
    "doctor": _doctor,
    "show": _show,
    "retry": _one,
    "cancel": _one,
    "reschedule": _reschedule,
    "redrive": _many,
    "purge": _many,
    "pause": _queue,
    "resume": _queue,
}


def _job(arguments: argparse.Namespace) -> str:
    return f"/v1/operator/jobs/{quote(arguments.owner, safe='')}/{quote(arguments.id, safe='')}"


_LABELS = {
    "ended": "how it ended",
    "due_ms": "due",
    "leased_until_ms": "leased until",
    "outcome": "last outcome",
    "created_ms": "put in",
    "ended_ms": "ended",
    "notifier": "by",
    "report": "carries a report",
    "bytes": "size in bytes",
}


def _value(name: str, value: Any) -> str:
    if value is True:
        return "yes"
    if name == "state":
        return str(value).replace("_", " ")
    return _clock(value) if name.endswith("_ms") else str(value)


def _clock(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_ms / 1000))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
