"""The one thread that writes a SQLite file: whatever waits is committed together, and nothing is reported before it is durable."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from queue import SimpleQueue
from typing import Any, NamedTuple

from realtime.errors import StorageBusy, StorageFailed
from realtime.storage.dialect import ROWS_AT_ONCE, Rows, Texts, as_told, failed, reason
from realtime.storage.seal import Seal
from realtime.storage.statement import Operation, Row, Together, name_of
from realtime.storage.turns import Turns

log = logging.getLogger(__name__)


class _Task(NamedTuple):
    """An operation, its arguments, and where its outcome goes."""

    make: Callable[..., Operation[Any]]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    future: asyncio.Future[Any]
    tell: Callable[[Any], None] | None
    """Is told the value of an operation that was committed, whatever has become of the future."""


class _Action(NamedTuple):
    """Something done on the connection between two commits."""

    act: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]


_Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None, Callable[[Any], None] | None]
"""Where it goes, the value, the error, and who else is told of the value."""


class _GaveUp(Exception):
    """The database rolled the whole transaction back by itself."""


class _OneFailed(Exception):
    """An operation failed in a transaction that has no savepoints."""


_GATHER_S = 0.002
"""How long operations are gathered at most, should each turn of the loop bring more of them."""
_CAREFUL = 8
"""Commits with savepoints after an operation failed. Most never fail, and a savepoint costs as much as a statement or two."""


class Writer:
    """Runs operations in the order in which they were submitted, many to a commit, and hands their values back in that order.

    An operation that fails takes back only what it did itself. Where the database gives up the whole transaction by itself (some
    errors of a disk do that), the other operations of the commit run once more from their start, or fail too: none is reported as
    done. Methods belong to the event loop's thread.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, queue: int, batch: int) -> None:
        self._connect = connect
        self._queue = queue
        self._batch = batch
        self._texts = Texts()
        self._rows = Rows()
        self._inbox: SimpleQueue[Sequence[_Task | _Action]] = SimpleQueue()
        self._gathered: list[_Task | _Action] = []
        self._unfinished = 0
        self._accepting = False
        self._stopping = False
        self.seal: Seal | None = None
        """Is set with every commit that changes something."""
        self._careful = 0
        """Commits for which each operation gets a savepoint: some operation has just failed."""

    async def start(self, turns: Turns) -> None:
        """Connect, on the thread. Raises what `connect` raises."""
        self._turns = turns
        self._stopping = False
        self._loop = asyncio.get_running_loop()
        self._stopped: asyncio.Future[None] = self._loop.create_future()
        started: asyncio.Future[None] = self._loop.create_future()
        threading.Thread(target=self._work, args=(started,), name="sqlite-writer", daemon=True).start()
        await started
        self._accepting = True

    async def stop(self) -> None:
        """Finish what was accepted, then disconnect."""
        if self._accepting:
            self._accepting = False
            self._hand_over()
            self._inbox.put(())
            await asyncio.shield(self._stopped)

    async def write(
        self,
        make: Callable[..., Operation[Any]],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        tell: Callable[[Any], None] | None = None,
    ) -> Any:
        """Run an operation as one transaction; its value, once it is durable. `tell` hears it first, also when the caller has gone away.

        Raises:
            StorageBusy, StorageFailed, Conflict, and what the operation raises.
        """
        if self._unfinished >= self._queue:
            log.warning("%s was refused: %d operations wait already", name_of(make), self._unfinished)
            raise StorageBusy(retry_after=1)
        future: asyncio.Future[Any] = self._loop.create_future()
        self._submit(_Task(make, args, kwargs, future, tell))
        return await future

    async def between_commits(self, act: Callable[[sqlite3.Connection], Any]) -> Any:
        """Do something on the connection, outside any transaction, after all that was submitted before."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._submit(_Action(act, future))
        return await future

    def _submit(self, item: _Task | _Action) -> None:
        if not self._accepting:
            raise StorageFailed
        if not self._gathered:
            self._seen, self._until = 0, self._loop.time() + _GATHER_S
            self._loop.call_soon(self._gather)
        self._gathered.append(item)
        self._unfinished += 1

    def _gather(self) -> None:
        """One hand-over for what is submitted in turns of the loop that follow each other: batches fill though nobody waits for any time,
        and the thread does not compete for the interpreter with tasks that are about to submit."""
        if self._seen < len(self._gathered) < self._batch and self._loop.time() < self._until:
            self._seen = len(self._gathered)
            self._loop.call_soon(self._gather)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._gathered:
            self._turns.begin(len(self._gathered))
            self._inbox.put(self._gathered)
            self._gathered = []

    def _deliver(self, outcomes: list[_Outcome], finished: int) -> None:
        self._unfinished -= finished
        self._turns.end(finished)
        for future, value, error, tell in outcomes:
            if tell is not None and error is None:
                tell(value)
            if future.done():
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

    # ---- on the thread ----

    def _work(self, started: asyncio.Future[None]) -> None:
        try:
            self._connection = self._connect()
        except Exception as error:  # noqa: BLE001 - whatever it is, `start` raises it
            self._tell([(started, None, error, None)], 0)
            return
        self._cursor = self._connection.cursor()
        self._tell([(started, None, None, None)], 0)
        waiting: deque[_Task | _Action] = deque()
        while self._receive(waiting):
            batch: list[_Task] = []
            while waiting and len(batch) < self._batch and isinstance(item := waiting[0], _Task):
                batch.append(item)
                waiting.popleft()
            if batch:
                self._tell(self._commit_together(batch), len(batch))
            elif isinstance(item := waiting.popleft(), _Action):
                self._tell([self._act(item)], 1)
        self._connection.close()
        self._tell([(self._stopped, None, None, None)], 0)

    def _receive(self, waiting: deque[_Task | _Action]) -> bool:
        """Take in what was handed over, waiting only when there is nothing to do. False when all is done after `stop`."""
        while not self._stopping and len(waiting) < self._batch and not (waiting and self._inbox.empty()):
            self._turns.give_back()
            items = self._inbox.get()
            self._turns.take()
            self._stopping = not items
            waiting.extend(items)
        return bool(waiting)

    def _tell(self, outcomes: list[_Outcome], finished: int) -> None:
        try:
            self._loop.call_soon_threadsafe(self._deliver, outcomes, finished)
        except RuntimeError:
            # The loop was closed without `stop`: nobody is left to be told, and nobody will submit.
            self._stopping = True

    def _act(self, action: _Action) -> _Outcome:
        try:
            return action.future, action.act(self._connection), None, None
        except Exception as error:  # noqa: BLE001 - the thread must live on; the caller is told
            return action.future, None, as_told(action.act, error), None

    def _commit_together(self, batch: list[_Task]) -> list[_Outcome]:
        batch = [task for task in batch if not task.future.cancelled()]
        errors: dict[int, BaseException] = {}
        problem: BaseException | None = None
        given_up = 0
        while given_up < 2:
            try:
                return self._transaction(batch, errors)
            except _OneFailed:
                continue  # the next run has savepoints
            except _GaveUp as gave_up:
                given_up += 1
                problem = gave_up.__cause__
            except Exception as error:  # noqa: BLE001 - the thread must live on; every caller is told
                problem = error
                break
        log.error("nothing of %d operations was committed: %s", len(batch), reason(problem))
        return [(task.future, None, errors.get(index) or failed(problem), None) for index, task in enumerate(batch)]

    def _transaction(self, batch: list[_Task], errors: dict[int, BaseException]) -> list[_Outcome]:
        """Run and commit a batch, without the operations in `errors`; those that fail are added there.

        Raises:
            _OneFailed: there were no savepoints, and an operation failed; nothing of the batch was changed.
            _GaveUp: an operation's error ended the whole transaction; nothing of the batch was changed.
        """
        connection, execute = self._connection, self._cursor.execute
        outcomes: list[_Outcome] = []
        alone = len(batch) == 1
        careful = not alone and self._careful > 0
        if careful:
            self._careful -= 1
        if connection.in_transaction:  # an earlier rollback failed
            execute("rollback")
        changes = connection.total_changes
        execute("begin immediate")
        for tasks in _runs(batch, together=not careful and not errors):
            make, args, kwargs, future, tell = tasks[0]
            index = len(outcomes)
            if index in errors:
                outcomes.append((future, None, errors[index], None))
                continue
            if careful:
                execute("savepoint operation")
            try:
                if len(tasks) > 1:
                    values = self._drive(make.many([task.args for task in tasks]))  # type: ignore[attr-defined]  # `_runs` has looked
                    outcomes += [(task.future, value, None, task.tell) for task, value in zip(tasks, values, strict=True)]
                else:
                    outcomes.append((future, self._drive(make(*args, **kwargs)), None, tell))
            except BaseException as error:  # one operation's failure is its own caller's, whatever it is
                if not careful and not alone and connection.in_transaction:
                    # The others run again from their start; what this one has to say, it will say again.
                    self._careful = _CAREFUL
                    execute("rollback")
                    raise _OneFailed from error
                errors[index] = as_told(make, error)
                if not connection.in_transaction:
                    raise _GaveUp from error
                execute("rollback" if alone else "rollback to operation")
                outcomes.append((future, None, errors[index], None))
            if careful:
                execute("release operation")
        if connection.in_transaction:
            seal = self.seal if connection.total_changes != changes else None
            if seal is not None:
                seal.before_commit(execute)
            self._turns.give_back()
            execute("commit")
            self._turns.take()
            if seal is not None:
                seal.committed()
        return outcomes

    def _drive(self, operation: Operation[Any]) -> Any:
        cursor, texts = self._cursor, self._texts
        try:
            statement = next(operation)
            while True:
                if statement.each:
                    rows: list[Row] = [()] * self._change_each(statement.sql, statement.each)
                else:
                    rows = cursor.execute(texts[statement.sql], statement.args).fetchall()
                    if not rows and cursor.rowcount > 0:
                        rows = [()] * cursor.rowcount
                statement = operation.send(rows)
        except StopIteration as stop:
            return stop.value

    def _change_each(self, sql: str, each: Sequence[tuple[Any, ...]]) -> int:
        cursor, changed, at = self._cursor, 0, 0
        while len(each) - at > 1:
            count = min(ROWS_AT_ONCE, 1 << (len(each) - at).bit_length() - 1)  # few different ones, so that they stay prepared
            while not (text := self._rows[sql, count]) and count > 1:
                count //= 2
            if count == 1:
                break
            cursor.execute(text, tuple(chain.from_iterable(each[at : at + count])))
            changed += count
            at += count
        if at < len(each):
            cursor.executemany(self._texts[sql], each[at:])
            changed += cursor.rowcount
        return changed


def _runs(batch: Sequence[_Task], *, together: bool) -> Iterator[Sequence[_Task]]:
    """The tasks, those that can be done together in one."""
    at = 0
    while at < len(batch):
        task, end = batch[at], at + 1
        if together and isinstance(task.make, Together) and not task.kwargs:
            while end < len(batch) and batch[end].make is task.make and not batch[end].kwargs:
                end += 1
        yield batch[at:end]
        at = end
