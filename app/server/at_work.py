"""Requests at work: each is answered in a thread, in a place that it gives back."""

from __future__ import annotations

import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from app.core.computing import quickly
from app.core.log_scrubbing import beginning_of_path
from app.server import refusals
from app.server.answering import After
from app.server.bounds import MOST_BEGUN
from app.server.places import Place

if TYPE_CHECKING:
    from app.server.connection import Connection

Task = Callable[["Connection", Place], None]
_PEER_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF)
_WRONG = "Something went wrong on our side; it has been logged."


class AtWork:
    """The threads of a process, `most` of them, made as they are needed. `web`: its worker.

    Places are what bounds who is at work; whatever may wait in a thread is counted elsewhere.
    """

    def __init__(self, web: Any, most: int) -> None:
        self._web = web
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="request")
        # Those that wait for a place to go on in.
        self._begun: set[Connection] = set()

    def later(self, task: Callable[[], None]) -> None:
        """Do that in a thread, whenever there is one."""
        # Where none more can be started it is done by one that is there.
        with suppress(RuntimeError):
            self._pool.submit(self._web.loop.do, task)

    def submit(self, task: Task, connection: Connection, place: Place) -> None:
        """Let a thread do that for the connection, in the place that was got."""
        self.later(partial(task, connection, place))

    def answer(self, connection: Connection, place: Place) -> None:
        """Answer the connection's request. In a thread, as `go_on`."""
        self._work(connection, place, first=True)

    def go_on(self, connection: Connection, place: Place) -> None:
        """Make more of the connection's answer."""
        self._work(connection, place, first=False)

    def goes_first(self, connection: Connection) -> bool:
        """Its answer, which has been begun, asks for a place: whether before what has not been."""
        self._begun.add(connection)
        return len(self._begun) > MOST_BEGUN

    def forget(self, connection: Connection) -> None:
        """It waits for a place no more."""
        self._begun.discard(connection)

    def end(self) -> None:
        """Take nothing more; what is under way is not waited for."""
        self._pool.shutdown(wait=False)

    def _work(self, connection: Connection, place: Place, *, first: bool) -> None:
        self.forget(connection)
        connection.holding.at_work = place
        answering = connection.answering
        assert answering is not None  # noqa: S101 (made before the place was asked for)
        after = After.ABORT
        try:
            with quickly():
                if first:
                    close = not self._web.alive or not self._web.keepalive
                    after = answering.begin(connection.peer, connection.server, close=close)
                else:
                    after = answering.go_on()
        except OSError as error:
            if error.errno not in _PEER_GONE:
                self._web.log.exception("Socket error while answering")
        except BaseException:
            asked = answering.request
            said = (asked.method, beginning_of_path(asked.path or ""))
            self._web.log.exception("Error while answering %s %s", *said)
            if not answering.begun:
                self.later(answering.end)
                after = self._failed(connection)
        finally:
            self._worked(connection, after)

    @staticmethod
    def _failed(connection: Connection) -> After:
        connection.outgoing.sendall(refusals.answer(500, "internal", _WRONG))
        return After.CLOSE

    def _worked(self, connection: Connection, after: After) -> None:
        holding, web = connection.holding, self._web
        assert holding.at_work is not None  # noqa: S101 (a thread has it)
        web.work.leave(holding.at_work)
        if after is After.TURN:
            go_on = partial(self.submit, self.go_on, connection)
            web.work.ask(holding.client, go_on, first=self.goes_first(connection))
        else:
            web.loop.call(partial(connection.answered, after))
