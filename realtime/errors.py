"""Everything that can go wrong, as one tree: the sentence a person reads, the wire code, the statuses, and whether trying again helps.

NowServingError
├── InvalidInput            a value from outside is not acceptable
│   ├── BadMessage          not even readable
│   └── TooLarge            more bytes than are read
├── NotSignedIn             no valid sign-in came with the request
│   └── WrongPassword       e-mail and password do not belong together
├── NotAllowed              signed in, but not for this
├── NotFound                nothing is there
│   ├── StoreNotFound
│   ├── QueueNotFound
│   └── TicketNotFound
├── Conflict                the present state does not allow it
│   ├── WrongState          a ticket's state has no such move
│   ├── StoreClosed         the store takes nothing any more
│   ├── StoreOpen           the account's store is still open
│   ├── QueuePaused         the queue takes nobody at the moment
│   ├── NobodyWaiting       there is nobody to call
│   ├── CodeUsed            somebody else scanned the code first
│   ├── CodeExpired         the code was shown too long ago
│   ├── EmailTaken          the address has an account already
│   ├── NotReported         the report is not made yet
│   └── Refused             a plugin said no, in its own sentence
├── LinkExpired             a link from a mail was used already or is too old
├── TooMany                 more requests than one may make
├── Unavailable             this server cannot do it now
│   ├── StorageBusy         more writes wait than the queue holds
│   ├── StorageFailed       the database refused or broke
│   ├── Restarting          the server is going down and comes back
│   └── Overloaded          no room for another connection
├── Dropped                 the socket cannot go on
│   ├── TooSlow             the reader did not keep up
│   └── NoPong              the reader did not answer
└── CannotStart             the process must not run like this
    ├── BadSettings         settings that are unknown, missing or wrong
    ├── NoAddress           another program has the port, or the address is none of this machine's
    └── AnotherProcess      the database file has its one process already
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class NowServingError(Exception):
    """Something went wrong in a way a person can be told about."""

    code: ClassVar[str] = "error"
    """What it is called on the wire. Stable."""
    status: ClassVar[int] = 500
    """The HTTP status it is answered with."""
    close_code: ClassVar[int | None] = None
    """The WebSocket close code, where it ends a socket. 4000-4399: come back; 4400-4999: do not."""
    retry: ClassVar[bool] = False
    """Whether the same request may succeed later."""
    sentence: ClassVar[str] = "Something went wrong on our side. Please try again."
    owner_sentence: ClassVar[str] = ""
    """What whoever runs the store reads in its place, where guests are told something else."""

    def __init__(self, sentence: str | None = None, *, field: str | None = None, retry_after: int | None = None) -> None:
        self.field = field
        """Dotted path of the value that is wrong, where there is one."""
        self.retry_after = retry_after
        """Seconds to wait before trying again, where it is known."""
        self.message = sentence or self.sentence
        super().__init__(self.message)

    def for_owner(self) -> NowServingError:
        """The same as whoever runs the store reads it; a sentence of the error's own stays."""
        if not self.owner_sentence or self.message != self.sentence:
            return self
        return type(self)(self.owner_sentence, field=self.field, retry_after=self.retry_after)


class InvalidInput(NowServingError):
    code = "invalid_input"
    status = 422
    sentence = "That value cannot be used. Check it and send it again."


class BadMessage(InvalidInput):
    code = "bad_message"
    status = 400
    close_code = 4400
    sentence = "That message could not be read."


class TooLarge(InvalidInput):
    code = "too_large"
    status = 413
    close_code = 1009
    sentence = "That is more than this server reads at once."


class NotSignedIn(NowServingError):
    code = "not_signed_in"
    status = 401
    close_code: ClassVar[int | None] = 4401
    sentence = "Please sign in again."


class WrongPassword(NotSignedIn):
    code = "wrong_password"
    close_code = None
    sentence = "That e-mail and password do not belong together. Check both, or reset the password."


class NotAllowed(NowServingError):
    code = "not_allowed"
    status = 403
    close_code = 4403
    sentence = "You may not do that here."


class NotFound(NowServingError):
    code = "not_found"
    status = 404
    sentence = "There is nothing at this address. Check it, or start again from the first page."


class StoreNotFound(NotFound):
    code = "store_not_found"
    close_code = 4404
    sentence = "There is no such store. It may have closed and its data been deleted."


class QueueNotFound(NotFound):
    code = "queue_not_found"
    sentence = "This store has no such queue. Choose one of those it has."


class TicketNotFound(NotFound):
    code = "ticket_not_found"
    sentence = "That ticket is not there any more. Where the store is open, the code on its screen gives a new one."


class Conflict(NowServingError):
    code = "conflict"
    status = 409
    sentence = "That does not fit with what is there. Reload, then try again."


class WrongState(Conflict):
    code = "wrong_state"
    sentence = "That ticket has moved on, so this cannot be done to it any more."


class StoreClosed(Conflict):
    code = "store_closed"
    close_code = 4410
    sentence = "This store has closed. Thank you for coming."
    owner_sentence = "This store is closed. Open the next one first."


class StoreOpen(Conflict):
    code = "store_open"
    sentence = "Your store is still open. Close it before you open the next one."


class QueuePaused(Conflict):
    code = "queue_paused"
    retry = True
    sentence = "This line takes nobody new at the moment. Please ask the staff."
    owner_sentence = "This queue is paused. Resume it first."


class NobodyWaiting(Conflict):
    code = "nobody_waiting"
    retry = True
    sentence = "Nobody is waiting in this line."


class CodeUsed(Conflict):
    code = "code_used"
    sentence = "That code was just used. Scan the new one on the screen."


class CodeExpired(Conflict):
    code = "code_expired"
    status = 410
    sentence = "That code has expired. Scan the one on the screen now."


class EmailTaken(Conflict):
    code = "email_taken"
    sentence = "There is an account with this e-mail already. Sign in, or reset the password."


class NotReported(Conflict):
    code = "not_reported"
    retry = True
    sentence = "The report is still being made. Try again in a moment."


class Refused(Conflict):
    code = "refused"
    sentence = "The store does not allow that."


class LinkExpired(NowServingError):
    code = "link_expired"
    status = 410
    sentence = "This link was used already or is too old. Ask for a new one."


class TooMany(NowServingError):
    headers: Mapping[str, str] = {}
    """What else an answer says: the rule, and what it leaves."""
    code = "too_many"
    status = 429
    retry = True
    sentence = "That was too often. Wait a moment, then try again."


class Unavailable(NowServingError):
    code = "unavailable"
    status = 503
    retry = True
    sentence = "This is not available at the moment. Please try again."


class StorageBusy(Unavailable):
    code = "storage_busy"
    sentence = "The server is very busy. Please try again in a moment."


class StorageFailed(Unavailable):
    code = "storage_failed"
    sentence = "The server could not save that. Nothing was changed. Please try again in a moment."


class Restarting(Unavailable):
    code = "restarting"
    close_code = 1012
    sentence = "The server is restarting. You will be connected again in a moment."


class Overloaded(Unavailable):
    code = "overloaded"
    close_code = 1013
    sentence = "The server is full at the moment. Please try again."


class Dropped(NowServingError):
    code = "dropped"
    status = 503
    close_code = 4000
    retry = True
    sentence = "The connection was lost."


class TooSlow(Dropped):
    code = "too_slow"
    close_code = 4008
    sentence = "The connection was too slow to keep up."


class NoPong(Dropped):
    code = "no_pong"
    close_code = 4012
    sentence = "The connection did not answer."


class CannotStart(NowServingError):
    code = "cannot_start"
    sentence = "nowserving cannot start."
    exit_code: ClassVar[int] = 2
    """Of the process; 3 where it may go well the next time."""


class BadSettings(CannotStart):
    code = "bad_settings"
    sentence = "Some settings are wrong."


class NoAddress(CannotStart):
    code = "no_address"
    sentence = "The address cannot be listened at."
    exit_code = 3


class AnotherProcess(CannotStart):
    code = "another_process"
    sentence = "Another process is using this database file. SQLite serves one process; use Postgres for more."
