"""What guests are sent at their own number or address: counted for each recipient, so that nobody gets too many."""

from __future__ import annotations

from realtime.storage.statement import Operation, Statement


def owned(store_id: str, ticket_id: int, recipient: str) -> Operation[bool]:
    """Whether it is a party's own number or address."""
    found = yield Statement("select phone, email from tickets where store_id = $1 and id = $2", (store_id, ticket_id))
    return bool(recipient and found) and recipient in tuple(found[0])


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
