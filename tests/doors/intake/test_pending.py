"""An answer on its way is given once, to whoever waits for it and to whoever asked to be told."""

import threading
from concurrent.futures import Future

import pytest

from counterfoil.engine.lanes import pending


def test_whoever_waits_is_woken_by_the_answer() -> None:
    answer: Future[int] = pending()
    giver = threading.Timer(0.05, lambda: answer.set_result(7))
    giver.start()

    assert answer.result(timeout=10) == 7
    assert answer.exception() is None
    giver.join()


def test_an_error_is_raised_where_the_answer_is_taken() -> None:
    answer: Future[int] = pending()
    answer.set_exception(ValueError("no"))

    with pytest.raises(ValueError, match="no"):
        answer.result()
    assert isinstance(answer.exception(), ValueError)


def test_an_answer_that_does_not_come_is_waited_for_no_longer_than_told() -> None:
    answer: Future[int] = pending()

    with pytest.raises(TimeoutError):
        answer.result(timeout=0.01)
    assert not answer.done()


def test_everyone_is_told_once_also_who_asks_late_and_one_who_fails_keeps_nobody_from_it() -> None:
    answer: Future[int] = pending()
    heard: list[str] = []
    answer.add_done_callback(lambda done: heard.append(f"first {done.result()}"))
    answer.add_done_callback(lambda done: heard.append(str(1 // 0)))
    answer.add_done_callback(lambda done: heard.append(f"second {done.result()}"))

    answer.set_result(7)
    answer.add_done_callback(lambda done: heard.append(f"late {done.result()}"))

    assert heard == ["first 7", "second 7", "late 7"]


def test_an_answer_is_given_once_and_never_called_off() -> None:
    answer: Future[int] = pending()

    assert not answer.cancel()
    answer.set_result(7)
    with pytest.raises(AssertionError):
        answer.set_result(8)
    assert not answer.cancelled()


def test_of_many_who_ask_while_it_is_given_everyone_is_told() -> None:
    """Asking and giving meet at every point of each other."""
    for _ in range(200):
        answer: Future[int] = pending()
        heard: list[int] = []
        askers = [
            threading.Thread(target=lambda a=answer, h=heard: a.add_done_callback(lambda done: h.append(done.result())))
            for _ in range(3)
        ]
        giver = threading.Thread(target=answer.set_result, args=(7,))
        for each in (askers[0], giver, *askers[1:]):
            each.start()
        for each in (giver, *askers):
            each.join()
        assert heard == [7, 7, 7]
