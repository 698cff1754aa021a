"""A place for an answer that comes from another thread: what a future is, without what nobody here needs of one.

Nobody can call it off, and nobody who does not wait pays for a lock. `concurrent.futures.Future` costs several times
as much, and the spend door makes one per use.
"""

from collections.abc import Callable
from concurrent.futures import TimeoutError as TooLate
from threading import Event
from typing import Any, Generic, TypeVar

T = TypeVar("T")
NOT_YET: Any = object()


class Promise(Generic[T]):
    """An answer that is there, or comes. It is given once, by one thread; anybody may wait for it."""

    __slots__ = ("_answer", "_callbacks", "_error")

    def __init__(self) -> None:
        self._answer: T = NOT_YET
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Promise[T]], object]] = []

    def set_result(self, answer: T) -> None:
        """Give the answer."""
        self._answer = answer
        self._tell()

    def set_exception(self, error: BaseException) -> None:
        """Give what went wrong instead."""
        self._error = error
        self._tell()

    def done(self) -> bool:
        """Say whether the answer is there."""
        return self._answer is not NOT_YET or self._error is not None

    def result(self, timeout: float | None = None) -> T:
        """Wait for the answer, and give it or raise what went wrong."""
        if not self.done():
            self._wait(timeout)
        if self._error is not None:
            raise self._error
        return self._answer

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the answer, and give what went wrong, None when nothing did."""
        if not self.done():
            self._wait(timeout)
        return self._error

    def add_done_callback(self, callback: "Callable[[Promise[T]], object]") -> None:
        """Call this once the answer is there: at once, or in the thread that gives it."""
        self._callbacks.append(callback)
        if self.done():
            self._tell()

    def _tell(self) -> None:
        """Call what waits. Whoever takes a callback off the list is the one who calls it, so none is called twice."""
        while self._callbacks:
            try:
                callback = self._callbacks.pop()
            except IndexError:
                return
            callback(self)

    def _wait(self, timeout: float | None) -> None:
        event = Event()
        self.add_done_callback(lambda _: event.set())
        if not event.wait(timeout):
            raise TooLate
