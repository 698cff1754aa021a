"""Answers on their way: a future that costs no lock, condition or list of its own until somebody blocks on it.

The ones of the standard library cost five objects each, and most of these are answered by a callback alone.
"""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Lock
from typing import Any, Final, TypeVar

import structlog

Answer = TypeVar("Answer")

ENDING: Final = Lock()
"""Held while an answer goes from open to given, for no longer than that; so one is enough for all."""


class Pending(Future[Answer]):
    """An answer that will be given, and that nobody can call off."""

    def __init__(self) -> None:  # The base makes what this does without.
        self._is_given = False
        self._answer: Answer | None = None
        self._error: BaseException | None = None
        self._told: tuple[Callable[[Any], object], ...] = ()

    def done(self) -> bool:
        """Say whether the answer was given."""
        return self._is_given

    def cancel(self) -> bool:
        """Say no: what has been taken in is written."""
        return False

    def cancelled(self) -> bool:
        """Say no."""
        return False

    def __repr__(self) -> str:
        return f"<{self._error or self._answer!r}>" if self._is_given else "<an answer on its way>"

    def set_result(self, result: Answer) -> None:
        """Give the answer, once, and tell everyone who asked to be told."""
        self._answer = result
        self._end()

    def set_exception(self, exception: BaseException | None) -> None:
        """Give an error for an answer."""
        self._error = exception
        self._end()

    def add_done_callback(self, fn: "Callable[[Future[Answer]], object]") -> None:
        """Ask to be told, in the thread that gives the answer; at once when it was given."""
        with ENDING:
            if not self._is_given:
                self._told = (*self._told, fn)
                return
        self._tell(fn)

    def result(self, timeout: float | None = None) -> Answer:
        """Wait for the answer. Raises its error, or TimeoutError."""
        self._wait(timeout)
        if self._error is not None:
            raise self._error
        return self._answer  # type: ignore[return-value]  # None only where that is the answer

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the answer, and give its error. Raises TimeoutError."""
        self._wait(timeout)
        return self._error

    def _wait(self, timeout: float | None) -> None:
        if self._is_given:
            return
        given = Event()
        self.add_done_callback(lambda _: given.set())
        if not given.wait(timeout):
            raise TimeoutError

    def _end(self) -> None:
        with ENDING:
            assert not self._is_given, "an answer is given once"
            self._is_given = True
            told, self._told = self._told, ()
        for each in told:
            self._tell(each)

    def _tell(self, fn: "Callable[[Future[Answer]], object]") -> None:
        try:
            fn(self)
        except Exception:
            # As the base does: whoever asked to be told must not keep the others from their answers.
            structlog.get_logger("counterfoil.lanes").exception("answer_not_taken")
