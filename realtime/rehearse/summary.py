"""The table at the end of a rehearsal, and every difference by its name."""

from __future__ import annotations

from realtime.rehearse.rehearsal import Rehearsal

MOST_NAMED = 50


def table(rehearsal: Rehearsal) -> str:
    """What happened and how fast, in two columns."""
    evening, record = rehearsal.evening, rehearsal.record
    counts, latency = record.counts, record.latency()
    groups = f"{counts['groups']} groups, {counts['walk-ins']} without a phone of their own"
    refused = ", ".join(f"{code} {count}" for code, count in sorted(record.refusals.items())) or "nothing"
    truth = f"{rehearsal.truth.origin}, at event {rehearsal.truth.seq}" if rehearsal.truth else "nothing"
    rows = [
        ("evening", f"seed {evening.seed}, {evening.seconds / 60:g} minutes, {len(evening.queues)} queues, {len(evening.desks)} desks"),
        ("parties", f"{counts['joined']} of {evening.parties} joined ({groups})"),
        ("called", f"{counts['called']}, and {counts['recalled']} again"),
        ("ended", f"{counts['done']} done, {counts['no_show']} no-shows, {counts['left']} left, {counts['removed']} removed, {counts['returned']} put back"),
        ("phones", f"{counts['locked']} times locked, {counts['lost the network']} times without network, {counts['scanned again']} scanned again"),
        ("sockets", f"{counts['connections']} opened, {counts['snapshots']} snapshots, {counts['recovered']} resumed, {counts['conflated']} conflated"),
        ("messages", f"{counts['messages']} pushes of {counts['events']} events, {counts['commands by socket']} commands by socket"),
        ("refused rightly", refused),
        ("a change, on one screen", f"p50 {latency.each_p50:.1f} ms, p99 {latency.each_p99:.1f} ms ({latency.deliveries} deliveries)"),
        ("a change, on all screens", f"p50 {latency.last_p50:.1f} ms, p99 {latency.last_p99:.1f} ms ({latency.changes} changes)"),
        ("compared", f"{counts['views compared']} views with {truth}; {counts['report rows']} rows of the report"),
        ("told that it closed", f"{counts['told that it closed']} sockets"),
    ]  # fmt: skip
    odd = (
        ("no room for", f"{counts['without room']} phones or screens; the server has a limit of sockets for one address"),
        ("asked to wait", f"{rehearsal.waits} times"),
        ("without an answer", f"{record.unanswered} commands"),
    )
    rows += [(name, said) for name, said in odd if not said.startswith("0 ")]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {said}" for name, said in rows)


def verdict(rehearsal: Rehearsal) -> str:
    """That everything agreed, or what did not."""
    differences = rehearsal.record.differences
    if not differences:
        return "Everything agreed."
    named = "\n".join(f"  {difference}" for difference in differences[:MOST_NAMED])
    more = f"\n  and {len(differences) - MOST_NAMED} more" if len(differences) > MOST_NAMED else ""
    return f"{len(differences)} difference{'s' * (len(differences) > 1)}:\n{named}{more}"
