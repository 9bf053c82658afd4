"""A check-up of an installation: what needs a person, each finding with what to do next. Others look; this decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

from msgspec import Struct

from realtime.operations import alarms
from realtime.operations.alarms import lasting
from realtime.operations.checkup import Found, Since
from realtime.operations.oversight import Backlog
from realtime.operations.receives import MESSAGES
from realtime.operator_messages import Finding
from realtime.providers import BreakerState, ProviderStanding
from realtime.registry import PluginInfo

QUIET_MS = 300_000
"""Whoever takes from a queue settles a lease that ended sooner than this after its end."""
SKEW_MS = 1_000
"""So far the clocks of a server and its database may be apart."""
MOST = 20
"""So many findings of one kind are told one by one."""

_ALARMS: Mapping[str, str] = MappingProxyType(
    {
        alarms.DEAD_LETTERS: "Look why, then put them back or delete them.",
        alarms.BACKLOG: "See that whoever takes from its queue runs and keeps up.",
        alarms.REPORTS: "Mend what it failed with and have it tried again, or let the store's owner decide on the page of the closing.",
        alarms.DELETIONS: "Look into the log for why they were not closed or deleted.",
    }
)


class Looked(Struct, frozen=True, kw_only=True):
    """What was found where."""

    now_ms: int
    queues: Found
    plugins: Sequence[PluginInfo] = ()
    providers: Sequence[ProviderStanding] = ()
    ahead_ms: int = 0
    """By how much at least the database's clock is ahead of the server's; below 0: behind."""
    backlog_seconds: int = 0
    """A job that has been ready for so long is late; 0: none ever is."""


def findings(looked: Looked) -> list[Finding]:
    """What needs a person, what others may follow from first; of each kind at most `MOST`, and a word about the rest. Empty: all is well."""
    told: list[Finding] = []
    for kind, found in groupby(_all(looked), key=lambda finding: finding.kind):
        each = list(found)
        told += each[:MOST]
        if (rest := len(each) - MOST) > 0:
            told.append(Finding(kind, "", f"There {_many(rest, 'is one more', 'are {} more')} of this kind.", "Begin with these."))
    return told


def _all(looked: Looked) -> Iterator[Finding]:
    yield from _around(looked)
    backlogs = looked.queues.backlogs
    for each in backlogs:
        if each.paused_ms:
            text = f"{each.queue} has been paused for {_ago(each.paused_ms, looked)}."
            yield Finding(
                "paused", each.queue, text, "Resume it when what it was paused for is over.", f"nowserving jobs resume {each.queue}"
            )
    for each in backlogs:
        if each.blocked_lanes:
            text = f"{_many(each.blocked_lanes, 'A lane', '{} lanes')} of {each.queue} {_many(each.blocked_lanes, 'waits', 'wait')} for a decision about a dead letter."
            yield Finding(
                "blocked_lanes", each.queue, text, "Put it back or delete it; then its lane goes on.", _list("blocking", each.queue)
            )
    for dead in looked.queues.dead:
        text = f"{_many(dead.count, 'A job', '{} jobs')} of {dead.queue} {_many(dead.count, 'was', 'were')} given up, the first {_ago(dead.first_ms, looked)} ago."
        yield Finding("dead_letters", dead.queue, text, _ALARMS[alarms.DEAD_LETTERS], _list("dead", dead.queue))
    yield from _reports(looked)
    yield from _late(looked)
    for alarm in looked.queues.raised:
        text = f"An alarm has been raised for {_ago(alarm.since_ms, looked)}: {alarm.text}"
        yield Finding("alarm", alarm.name, text, _ALARMS.get(alarm.name, "Look into the log."))


def _around(looked: Looked) -> Iterator[Finding]:
    """What is wrong with the clocks, the plugins and the providers."""
    if abs(looked.ahead_ms) > SKEW_MS:
        text = (
            f"The database's clock is {abs(looked.ahead_ms) / 1000:.1f} s {'ahead of' if looked.ahead_ms > 0 else 'behind'} the server's."
        )
        yield Finding("clock", "", text, "Set both by NTP: leases go by the database's clock, everything else by the server's.")
    for plugin in looked.plugins:
        if plugin.status.startswith(("failed", "suspended")):
            todo = "Mend or update it and start again, or turn it off with plugins_off."
            yield Finding("plugin", plugin.name, f"The plugin {plugin.name} is {_of_plugin(plugin.status)}.", todo, "nowserving plugins")
    for provider in looked.providers:
        if provider.state is not BreakerState.CLOSED:
            soon = (
                f"It is tried again in {lasting(max(provider.until_ms - looked.now_ms, 0) // 1000)}."
                if provider.until_ms
                else "It is being tried."
            )
            text = f"The provider of {provider.notifier} has been down for {_ago(provider.since_ms, looked)}: {provider.reason} {soon}"
            yield Finding(
                "provider",
                provider.notifier,
                text,
                "What it is owed waits and goes out once it is up. See that it works, and that its settings are right.",
            )


def _reports(looked: Looked) -> Iterator[Finding]:
    """Reports that do not arrive, and those that may not go yet."""
    dead = {each.queue: each.count for each in looked.queues.dead}
    for each in looked.queues.backlogs:
        if (failed := each.dead - dead.get(each.queue, 0)) > 0:
            text = f"{_many(failed, 'A report of a closed store', '{} reports of closed stores')} could not be delivered, and the store's data is kept until then."
            yield Finding("reports", each.queue, text, _ALARMS[alarms.REPORTS], _list("dead", each.queue))
    for each in looked.queues.backlogs:
        if each.held:
            text = f"{_many(each.held, 'A report waits', '{} reports wait')} until the owner of the closed store has confirmed their e-mail address."
            todo = "Only they can: with the link in their mail, or by correcting the address on the page of the closing."
            yield Finding("unconfirmed", each.queue, text, todo, _list("held", each.queue))


def _late(looked: Looked) -> Iterator[Finding]:
    """What nobody takes, though it can be taken, and though nobody has paused it."""
    of: dict[str, Backlog] = {each.queue: each for each in looked.queues.backlogs}
    for each in looked.queues.backlogs:
        late = each.ready and 0 < looked.backlog_seconds <= (looked.now_ms - each.oldest_ready_ms) // 1000
        if late and not each.paused_ms:
            text = (
                f"{_many(each.ready, 'A job', '{} jobs')} of {each.queue} can be taken, the first for {_ago(each.oldest_ready_ms, looked)}."
            )
            yield Finding("backlog", each.queue, text, _taker(each.queue), _list("ready", each.queue))
    for lease in looked.queues.unsettled:
        if lease.queue not in of or not of[lease.queue].paused_ms:
            yield Finding("unsettled", lease.queue, _unanswered(lease, looked), _taker(lease.queue), _list("ready", lease.queue))


def _unanswered(lease: Since, looked: Looked) -> str:
    jobs = _many(lease.count, "a job", "{} jobs")
    return f"Nobody has answered for {jobs} of {lease.queue}, or taken them up again; the first lease ended {_ago(lease.first_ms, looked)} ago."


def _taker(queue: str) -> str:
    if queue.startswith(MESSAGES):
        return "See that its consumers run and keep up."
    return "See that a server runs that takes from it, or a worker, with the plugin that is needed, and keeps up."


def _of_plugin(status: str) -> str:
    how, _, why = status.partition(": ")
    return f"{'out of use, as it failed' if how == 'failed' else how}: {why}".rstrip(".")


def _list(state: str, queue: str) -> str:
    return f"nowserving jobs list --state {state} --queue {queue}"


def _ago(since_ms: int, looked: Looked) -> str:
    return lasting(max(looked.now_ms - since_ms, 0) // 1000)


def _many(count: int, one: str, many: str) -> str:
    return one if count == 1 else many.format(count)
