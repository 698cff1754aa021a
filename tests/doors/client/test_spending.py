"""The client spends at a real API, once, whatever the line does; and says what it could not book."""

from decimal import Decimal

import pytest

from counterfoil.client import (
    BatchUnavailable,
    Billing,
    CounterfoilUnavailable,
    CustomerRestricted,
    Fate,
    InsufficientCredits,
    InvalidRequest,
    KeyReused,
    SpendRequest,
    Spent,
    Unbooked,
)
from doors.api.caller import Caller
from doors.client.conftest import SOON
from doors.client.serving import BUSY, LOST, NEVER, Line, Troubled
from houses import World

UNIT = "usd-credit"


@pytest.fixture
def dana(api: Caller, request: pytest.FixtureRequest) -> str:
    """A customer of this test's own, with 10 credits."""
    customer = api.customer(request.node.name.replace(" ", "-"))
    api.credits(customer, "10")
    return customer


@pytest.mark.parametrize("trouble", [NEVER, LOST, BUSY])
def test_a_spend_is_booked_once_whatever_the_line_does(billing: Billing, line: Line, dana: str, trouble: str) -> None:
    """Two tries are in trouble, one of them after it was booked; one key is sent with all three."""
    line.troubles = [trouble, trouble]

    spent = billing.spend_now(dana, UNIT, "2.5", feature="chat")

    assert len(set(line.keys)) == 1
    assert (len(line.keys), spent.amount, spent.balance_after) == (3, Decimal("2.5"), Decimal("7.5"))
    assert billing.available(dana, UNIT) == Decimal("7.5")
    assert billing.spent(spent.id) == spent


def test_a_key_of_ones_own_is_safe_over_restarts(billing: Billing, dana: str) -> None:
    first = billing.spend_now(dana, UNIT, 1, key="request-7012")
    again = billing.spend_now(dana, UNIT, 1, key="request-7012")

    assert first == again
    assert billing.available(dana, UNIT) == 9
    with pytest.raises(KeyReused):
        billing.spend_now(dana, UNIT, 2, key="request-7012")


def test_a_spend_beyond_the_credits_is_refused_with_a_remedy(billing: Billing, dana: str) -> None:
    with pytest.raises(InsufficientCredits, match="insufficient_credits") as caught:
        billing.spend_now(dana, UNIT, 11)

    assert caught.value.status == 402
    assert caught.value.remedy
    assert billing.available(dana, UNIT) == 10


def test_a_customer_who_is_paused_is_told_apart_from_one_who_ran_out(billing: Billing, api: Caller, dana: str) -> None:
    api.made(f"/v1/customers/{dana}/pause")

    with pytest.raises(CustomerRestricted, match="paused"):
        billing.spend_now(dana, UNIT, 1)


def test_each_spend_of_a_batch_has_its_own_answer(billing: Billing, dana: str) -> None:
    wanted = [SpendRequest(dana, UNIT, 6), SpendRequest(dana, UNIT, 6), SpendRequest(dana, UNIT, 4)]

    first, second, third = billing.spends(wanted)

    assert isinstance(first, Spent)
    assert isinstance(second, InsufficientCredits)
    assert isinstance(third, Spent)
    assert third.balance_after == 0


def test_a_batch_that_was_cut_is_sent_again_as_it_is(billing: Billing, line: Line, dana: str) -> None:
    """The answer was lost, so nobody knows. The keys come back with the error, and nothing is spent twice."""
    line.troubles = [LOST] * 4
    with pytest.raises(BatchUnavailable) as caught:
        billing.spends([SpendRequest(dana, UNIT, 3), SpendRequest(dana, UNIT, 4)])

    results = billing.spends(caught.value.unanswered)

    assert caught.value.results == ()
    assert [isinstance(each, Spent) for each in results] == [True, True]
    assert billing.available(dana, UNIT) == 3


def test_failing_closed_is_the_rule(billing: Billing, line: Line, told: list[Unbooked], dana: str) -> None:
    line.down = True

    with pytest.raises(CounterfoilUnavailable) as caught:
        billing.spend_now(dana, UNIT, 1)

    assert caught.value.key
    assert (billing.unbooked, told) == ((), [])


def test_failing_open_keeps_what_was_used_tells_it_and_books_it_later(
    billing: Billing, line: Line, told: list[Unbooked], dana: str
) -> None:
    line.down = True
    kept = [billing.spend_now(dana, UNIT, each, on_unavailable="fail_open") for each in (1, 2)]
    line.down = False

    spent = billing.spend_now(dana, UNIT, 3)

    assert [type(each) for each in (*kept, spent)] == [Unbooked, Unbooked, Spent]
    assert [(each.amount, each.fate) for each in told] == [
        ("1", Fate.WAITING),
        ("2", Fate.WAITING),
        ("1", Fate.BOOKED),
        ("2", Fate.BOOKED),
    ]
    assert billing.unbooked == ()
    assert billing.available(dana, UNIT) == 4


def test_what_was_kept_is_booked_once_even_when_it_had_arrived(billing: Billing, line: Line, dana: str) -> None:
    """All four answers were lost: the spend was booked, and is sent again under its key later."""
    line.troubles = [LOST] * 4
    billing.spend_now(dana, UNIT, 4, on_unavailable="fail_open")

    assert billing.send_unbooked() == 1
    assert billing.available(dana, UNIT) == 6


def test_what_is_refused_later_is_told(billing: Billing, line: Line, told: list[Unbooked], dana: str) -> None:
    line.down = True
    billing.spend_now(dana, UNIT, 11, on_unavailable="fail_open")
    line.down = False

    billing.send_unbooked()

    assert [each.fate for each in told] == [Fate.WAITING, Fate.REFUSED]
    assert isinstance(told[-1].error, InsufficientCredits)


def test_a_full_queue_fails_closed_and_says_what_is_lost(
    world: World, url: str, line: Line, told: list[Unbooked]
) -> None:
    small = Billing(world.key, url, patience=SOON, on_unbooked=told.append, backlog_max=1, transport=Troubled(line))
    line.down = True
    with small:
        small.spend_now("ext:dana", UNIT, 1, on_unavailable="fail_open")
        with pytest.raises(CounterfoilUnavailable):
            small.spend_now("ext:dana", UNIT, 2, on_unavailable="fail_open")
        assert [(each.amount, each.fate) for each in told] == [("1", Fate.WAITING), ("2", Fate.LOST)]

    assert (told[-1].amount, told[-1].fate) == ("1", Fate.LOST)


def test_without_a_callback_the_log_is_told(
    world: World, url: str, line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    line.down = True
    with Billing(world.key, url, patience=SOON, transport=Troubled(line)) as billing:
        billing.spend_now("ext:dana", UNIT, 1, on_unavailable="fail_open", key="k-1")

    assert [each.levelname for each in caplog.records if "k-1 of" in each.getMessage()] == ["WARNING", "ERROR"]


def test_a_policy_that_does_not_exist_is_refused(billing: Billing, dana: str) -> None:
    with pytest.raises(ValueError, match="fail_closed, fail_open"):
        billing.spend_now(dana, UNIT, 1, on_unavailable="fail_opne")  # type: ignore[call-overload]
    with pytest.raises(InvalidRequest):
        billing.spend_now(dana, UNIT, "0.0000001")
