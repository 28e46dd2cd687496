"""Fills that wait for each other: one at a time, in order, and not too many."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from secrets import token_urlsafe
from threading import Condition, Thread
from typing import Any

from inpainting.errors import InputError

# Finished fills are kept until the browser has fetched them, or until so many came after them.
KEPT = 32
KEPT_BYTES = 512 * 2**20


class CancelledError(Exception):
    """Ends a fill that nobody waits for any more."""


class Ticket:
    """One fill: its place in the queue, how far it is, and what came out.

    Args:
        work: fills and returns the encoded results; it calls what it is given after each network
            call, with the calls done, the calls in all and, from time to time, estimates

    Attributes:
        id: names the ticket to those who hold it, and nobody can guess it
        state: "waiting", "filling", "done", "failed" or "cancelled"
        done: network calls done, of `total`; both are 0 where the method does not tell
        estimates: what the samples look like so far
        version: number of the estimates
        results: encoded images, one for each sample
        seconds: that the fill took
        error: one sentence, of a fill that failed
    """

    def __init__(self, work: Callable[[Callable], list[bytes]]):
        self.work: Callable[[Callable], list[bytes]] | None = work
        self.id, self.state = token_urlsafe(16), "waiting"
        self.done, self.total = 0, 0
        self.estimates: Sequence[Any] = ()
        self.version, self.seconds, self.error = 0, 0.0, ""
        self.results: list[bytes] = []

    @property
    def size(self) -> int:
        """Bytes of the results."""
        return sum(map(len, self.results))

    def tell(self, done: int, total: int, estimates: Sequence[Any] | None) -> None:
        """Take note of a network call; see `Ticket`.

        Raises:
            CancelledError: nobody waits for this fill any more.
        """
        if self.state == "cancelled":
            raise CancelledError
        self.done, self.total = done, total
        if estimates is not None:
            self.estimates, self.version = estimates, self.version + 1

    def run(self) -> None:
        """Fill, in the queue's thread."""
        began = time.monotonic()
        try:
            results = self.work(self.tell)
        except CancelledError:
            return
        except InputError as error:
            self._end("failed", error=str(error))
        except Exception as error:
            logging.exception("A fill failed")
            self._end("failed", error=f"the fill failed ({type(error).__name__}: {error})")
        else:
            self._end("done", results=results, seconds=time.monotonic() - began)
        finally:
            self.work, self.estimates = None, ()  # they hold the image

    def _end(self, state: str, **outcome: Any) -> None:
        if self.state == "cancelled":
            return
        for name, value in outcome.items():
            setattr(self, name, value)
        self.state = state


class FillQueue:
    """Runs tickets in a thread of its own, so that the page answers while a method fills.

    Args:
        most_waiting: number of tickets that may wait behind the one that is filled
    """

    def __init__(self, most_waiting: int):
        self.most_waiting = most_waiting
        self._changed = Condition()
        self._waiting: deque[Ticket] = deque()
        self._running: Ticket | None = None
        self._tickets: dict[str, Ticket] = {}
        Thread(target=self._run, name="fills", daemon=True).start()

    def put(self, work: Callable[[Callable], list[bytes]]) -> Ticket:
        """Let a fill wait for its turn; see `Ticket`.

        Raises:
            InputError: as many are waiting as may wait.
        """
        with self._changed:
            if len(self._waiting) >= self.most_waiting and self._running is not None:
                raise InputError(
                    f"{len(self._waiting)} fills are waiting already: cancel one, or wait until "
                    "one has finished"
                )
            ticket = Ticket(work)
            self._tickets[ticket.id] = ticket
            self._waiting.append(ticket)
            self._changed.notify()
            return ticket

    def get(self, name: str) -> Ticket:
        """Return a ticket by its id.

        Raises:
            InputError: there is none, or its results were dropped for newer ones.
        """
        ticket = self._tickets.get(name)
        if ticket is None:
            raise InputError("this fill is no longer kept: fill again")
        return ticket

    def place(self, ticket: Ticket) -> int:
        """Return the number of fills that come before this one."""
        with self._changed:
            if ticket not in self._waiting:
                return 0
            return self._waiting.index(ticket) + (self._running is not None)

    def drop(self, ticket: Ticket) -> None:
        """Cancel a fill, or forget what came out.

        A method that tells no progress cannot be stopped: the next fill waits for its end.
        """
        with self._changed:
            ticket.state = "cancelled"
            self._tickets.pop(ticket.id, None)
            if ticket in self._waiting:
                self._waiting.remove(ticket)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._running = None
                self._forget()
                while not self._waiting:
                    self._changed.wait()
                self._running = ticket = self._waiting.popleft()
                ticket.state = "filling"
            ticket.run()
            del ticket  # else its results stay until the next fill

    def _forget(self) -> None:
        """Drop the oldest results where there are too many, but never the newest."""
        finished = [one for one in self._tickets.values() if one.state in ("done", "failed")]
        size = sum(ticket.size for ticket in finished)
        while len(finished) > 1 and (len(finished) > KEPT or size > KEPT_BYTES):
            oldest = finished.pop(0)
            size -= oldest.size
            del self._tickets[oldest.id]
