"""What a party is sent, just before it goes: whether it is owed still, and how many the same recipient got, so that nobody gets too many."""

from __future__ import annotations

import msgspec

from realtime.model import Job, TicketState
from realtime.operations.escalation import CALLED, OVER
from realtime.storage.statement import Operation, Statement

LINE_MOMENTS = frozenset({"joined", "almost"})
"""What a party is told of its place in the line."""
NO_PLACE = "it does not wait any more"
NEWER = "something newer is to be said"
_OTHERS = 4
"""So many more parties can join in one request; their ids follow each other."""


class Standing(msgspec.Struct, frozen=True):
    """How a delivery about a ticket stands."""

    over: str = ""
    """Why it is not owed any more, in a few words; empty while it is."""
    own: bool = False
    """Whether it goes to the party's own number or address."""
    quiet_hours: str = ""
    """The store's, where it keeps to them: everything but a call to the party's own number or address does."""
    timezone: str = ""
    first_call: bool = False
    """It is the first call of the party: that one goes however many went before."""


def look(job: Job, *, to_its_browser: bool) -> Operation[Standing]:
    """Whether a party is told this still: of its place while it waits, of its call while it is called, and nothing where something newer
    waits behind it. What a plugin tells somebody else is always owed, and of a step of the ladder `escalation.why_not` knows more.
    """
    moment, recipient = job.delivery.moment, job.delivery.recipient
    found = yield Statement(
        "select t.state, t.phone, t.email, t.joined_ms, t.calls, s.timezone, coalesce(q.hours, '') from tickets t join stores s on s.id = t.store_id"
        " left join quiet_hours q on q.store_id = t.store_id where t.store_id = $1 and t.id = $2",
        (job.store_id, job.ticket_id),
    )
    if not found:
        return Standing()
    state, phone, email, joined_ms, calls, timezone, hours = found[0]
    own = bool(recipient) and recipient in (phone, email)
    standing = Standing("", own, hours if own and moment != CALLED else "", timezone, moment == CALLED and calls <= 1)
    if not (own or to_its_browser) or job.called_ms or moment not in {CALLED, *LINE_MOMENTS}:
        return standing
    wanted, over = (TicketState.CALLED, OVER) if moment == CALLED else (TicketState.WAITING, NO_PLACE)
    if state == wanted:
        newer = yield Statement(LATER, (job.store_id, job.id))
        over = NEWER if newer else ""
    if over and moment == "joined":
        # It may name the parties that joined with this one, too.
        others = yield Statement(
            "select 1 from tickets where store_id = $1 and id > $2 and id <= $3 and joined_ms = $4 and state = 'waiting'"
            " and (phone = $5 or email = $5) limit 1",
            (job.store_id, job.ticket_id, job.ticket_id + _OTHERS, joined_ms, recipient),
        )
        over = "" if others else over
    return msgspec.structs.replace(standing, over=over)


LATER = (
    "select 1 from jobs as mine join jobs as later on later.store_id = mine.store_id and later.queue = mine.queue and later.lane = mine.lane"
    " and later.place > mine.place where mine.store_id = $1 and mine.id = $2 and later.lane <> '' and later.state in ('waiting', 'leased')"
    " and later.ticket_id = mine.ticket_id limit 1"
)
"""Something about the same ticket that waits behind a delivery in its lane: the same recipient and notifier."""


COUNT = "select count(*) from guest_messages where recipient_hash = $1"


def reserve(recipient_hash: str, job_id: str, most: int, since_ms: int, now_ms: int) -> Operation[bool]:
    """Count a message before it is handed out; False where the recipient had `most` since `since_ms`. The same one counts once.

    What is older is forgotten on the way, so a recipient never has more than `most` rows.
    """
    # Two processes that count at the same moment would both find room for one.
    yield Statement("select $1", (recipient_hash,), "select pg_advisory_xact_lock(hashtextextended($1, 1))")
    yield Statement(
        "delete from guest_messages where recipient_hash = $1 and (at_ms <= $2 or job_id = $3)", (recipient_hash, since_ms, job_id)
    )
    found = yield Statement(COUNT, (recipient_hash,))
    if found[0][0] >= most:
        return False
    yield Statement("insert into guest_messages (recipient_hash, job_id, at_ms) values ($1, $2, $3)", (recipient_hash, job_id, now_ms))
    return True


def release(recipient_hash: str, job_id: str) -> Operation[None]:
    """It was not sent after all."""
    yield Statement("delete from guest_messages where recipient_hash = $1 and job_id = $2", (recipient_hash, job_id))


OLD = "select recipient_hash, job_id from guest_messages where at_ms <= $1 order by at_ms limit $2"


def forget(before_ms: int, limit: int) -> Operation[int]:
    """Delete some that nobody counts any more; how many."""
    gone = yield Statement(f"delete from guest_messages where (recipient_hash, job_id) in ({OLD}) returning job_id", (before_ms, limit))
    return len(gone)
