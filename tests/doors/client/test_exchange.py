"""One request of the client: which answers are tried again, how long, and what is said when nothing helps."""

import inspect
import json
from collections.abc import Generator
from typing import Any

import pytest

from counterfoil.api.errors import ENTRIES
from counterfoil.client import AsyncBilling, Billing, CounterfoilUnavailable, InsufficientCredits, Refused
from counterfoil.client.errors import BY_CODE, refusal
from counterfoil.client.exchange import Answer, Ask, Broken, Heard, Patience, Pause, Send, Step, exchange
from counterfoil.client.values import quantity_text
from counterfoil.client.verbs import spends
from doors.client.serving import KnownAmbient

ASK: Ask[Any] = Ask("POST", "/v1/spends", dict, key="k-1", body={})
SOON_SPOKEN = {"customer_restricted"}
DONE = Answer(201, {}, b'{"id": "spnd_1"}')


def steps_until_the_end(heard: list[Heard], patience: Patience, ambient: KnownAmbient) -> tuple[list[Step], Any]:
    """Drive the exchange with answers, time passing as it pauses. Gives its steps and its end."""
    driven: Generator[Step, Heard, Any] = exchange(ASK, patience, ambient)
    steps, told = [], None
    try:
        while True:
            step = driven.send(told)
            steps.append(step)
            told = heard.pop(0) if isinstance(step, Send) else None
            ambient.at_s += step.seconds if isinstance(step, Pause) else 0.5
    except StopIteration as end:
        return steps, end.value
    except CounterfoilUnavailable as error:
        return steps, error


@pytest.mark.parametrize(
    "trouble",
    [
        Broken("ConnectError"),
        Answer(429, {}, b"{}"),
        Answer(500, {}, b""),
        Answer(503, {}, b"<html>"),
        Answer(409, {}, b'{"code": "busy", "retryable": true}'),
        Answer(200, {}, b"<html>the office is closed"),
    ],
)
def test_what_may_pass_is_tried_again_with_growing_pauses(trouble: Heard) -> None:
    patience = Patience(pause_first_s=0.1, pause_max_s=0.3)

    steps, end = steps_until_the_end([trouble, trouble, trouble, DONE], patience, KnownAmbient())

    assert [step.seconds for step in steps if isinstance(step, Pause)] == pytest.approx([0.05, 0.1, 0.15])
    assert end == {"id": "spnd_1"}


@pytest.mark.parametrize(("status", "body"), [(402, {}), (404, {}), (409, {"retryable": False}), (422, {}), (301, {})])
def test_a_refusal_is_never_tried_again(status: int, body: dict[str, Any]) -> None:
    driven = exchange(ASK, Patience(), KnownAmbient())
    driven.send(None)

    with pytest.raises(Refused) as caught:
        driven.send(Answer(status, {}, json.dumps(body).encode()))

    assert caught.value.status == status


def test_the_server_says_how_long_to_wait() -> None:
    busy = Answer(429, {"retry-after": "3"}, b"{}")

    steps, _ = steps_until_the_end([busy, DONE], Patience(), KnownAmbient())

    assert steps[1] == Pause(3.0)


def test_nothing_lasts_longer_than_its_deadline() -> None:
    """A pause that would end after the deadline is not made, and the last try gets only what is left."""
    ambient, patience = KnownAmbient(), Patience(deadline_s=2.25, timeout_s=1, pause_first_s=1, pause_max_s=1)

    steps, end = steps_until_the_end([Broken("ReadTimeout")] * 9, patience, ambient)

    assert steps == [Send(1), Pause(0.5), Send(1), Pause(0.5), Send(0.25)]
    assert isinstance(end, CounterfoilUnavailable)
    assert (end.key, end.tries, end.last) == ("k-1", 3, "ReadTimeout")


def test_tries_are_counted_too() -> None:
    patience = Patience(deadline_s=1000, tries_max=2)

    steps, end = steps_until_the_end([Answer(503, {}, b"")] * 9, patience, KnownAmbient())

    assert len([step for step in steps if isinstance(step, Send)]) == 2
    assert end.last == "503"


def test_patience_without_sense_is_refused() -> None:
    for fields in ({"deadline_s": 0}, {"tries_max": 0}, {"timeout_s": -1}, {"pause_first_s": 9}):
        with pytest.raises(ValueError, match=r"above|negative"):
            Patience(**fields)


def test_codes_of_errors_are_codes_that_the_api_speaks() -> None:

    assert set(BY_CODE) - set(ENTRIES) - SOON_SPOKEN == set()


def test_a_refusal_for_want_of_credits_names_the_sums() -> None:
    problem = {"code": "insufficient_credits", "detail": "3 are left.", "remedy": "Buy credits.", "balance": "3.00"}

    error = refusal(402, problem | {"needed": {"quantity": "5", "unit": "credits"}})

    assert isinstance(error, InsufficientCredits)
    assert (str(error.balance), str(error.needed), error.remedy) == ("3.00", "5", "Buy credits.")


@pytest.mark.parametrize(("given", "written"), [("12.50", "12.50"), (3, "3"), ("1e-6", "0.000001")])
def test_quantities_are_written_in_full(given: Any, written: str) -> None:
    assert quantity_text(given) == written


@pytest.mark.parametrize("given", [0.1, True, None, "lots", "NaN", -1])
def test_what_is_no_quantity_is_refused_before_anything_is_sent(given: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        quantity_text(given)


def test_a_batch_has_a_limit() -> None:
    with pytest.raises(ValueError, match="1 to 1000"):
        spends([])


def test_both_clients_offer_the_same() -> None:
    def offered(kind: type) -> dict[str, list[str]]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(each).parameters) for name, each in found if not name.startswith("_")}

    assert offered(Billing) == offered(AsyncBilling)
