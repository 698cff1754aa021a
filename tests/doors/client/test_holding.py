"""`with billing.spend(…)`: credits are held while something is done, and only what was used is booked."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest

from counterfoil.client import (
    AsyncBilling,
    Billing,
    CounterfoilUnavailable,
    Fate,
    HoldExceeded,
    InsufficientCredits,
    SpendClosed,
    Spent,
    Unbooked,
)
from doors.api.caller import Caller
from doors.client.conftest import SOON
from doors.client.serving import BUSY, LOST, NEVER, KnownAmbient, Line, TroubledAsync
from houses import World

UNIT = "usd-credit"


@pytest.fixture
def dana(api: Caller, request: pytest.FixtureRequest) -> str:
    """A customer of this test's own, with 10 credits."""
    customer = api.customer(request.node.name.replace(" ", "-"))
    api.credits(customer, "10")
    return customer


@pytest.fixture
def left(billing: Billing, dana: str) -> Callable[[], tuple[str, str]]:
    """What can be spent, and what is held."""

    def look() -> tuple[str, str]:
        wallet = billing.wallet(dana, UNIT)
        assert wallet
        return f"{wallet.available.normalize():f}", f"{wallet.held.normalize():f}"

    return look


Left = Callable[[], tuple[str, str]]


def test_the_estimate_is_held_and_only_what_was_used_is_booked(billing: Billing, dana: str, left: Left) -> None:
    with billing.spend(dana, UNIT, 8, feature="chat") as spend:
        during = left()
        spent = spend.settle("2.5")

    assert during == ("2", "8")
    assert isinstance(spent, Spent)
    assert (spent.amount, spent.raw["feature"]) == (Decimal("2.5"), "chat")
    assert left() == ("7.5", "0")
    assert spend.settle("2.5") == spent
    with pytest.raises(SpendClosed):
        spend.settle(3)


@pytest.mark.parametrize("trouble", [NEVER, LOST, BUSY])
def test_trouble_on_the_line_books_nothing_twice(
    billing: Billing, line: Line, dana: str, left: Left, trouble: str
) -> None:
    line.troubles = [trouble, trouble]
    with billing.spend(dana, UNIT, 8) as spend:
        line.troubles = [trouble, trouble]
        spend.settle(3)

    assert left() == ("7", "0")


def test_an_exception_gives_the_credits_back_and_says_so(billing: Billing, dana: str, left: Left) -> None:
    with pytest.raises(ZeroDivisionError) as caught, billing.spend(dana, UNIT, 8):
        raise ZeroDivisionError

    assert left() == ("10", "0")
    (note,) = caught.value.__notes__
    assert note.startswith("Counterfoil: released hold_")


def test_what_was_settled_stays_booked_when_something_fails_afterwards(billing: Billing, dana: str, left: Left) -> None:
    with pytest.raises(ZeroDivisionError), billing.spend(dana, UNIT, 8) as spend:  # noqa: PT012 -- it fails last
        spend.settle(1)
        raise ZeroDivisionError

    assert left() == ("9", "0")


def test_who_cannot_pay_is_refused_before_anything_is_done(billing: Billing, dana: str) -> None:
    began = []
    with pytest.raises(InsufficientCredits) as caught, billing.spend(dana, UNIT, 11):
        began.append("work")

    assert began == []
    assert (str(caught.value.balance), str(caught.value.needed)) == ("10.000000", "11.000000")


def test_a_forgotten_settle_books_the_estimate_unless_told_otherwise(billing: Billing, dana: str, left: Left) -> None:
    with billing.spend(dana, UNIT, 3):
        pass
    booked = left()
    with billing.spend(dana, UNIT, 3, if_unsettled="release"):
        pass

    assert booked == left() == ("7", "0")


def test_nothing_used_books_nothing(billing: Billing, dana: str, left: Left) -> None:
    with billing.spend(dana, UNIT, 3) as spend:
        assert spend.settle(0) is None

    assert left() == ("10", "0")


def test_more_than_was_held_is_drawn_from_what_is_there(billing: Billing, dana: str, left: Left) -> None:
    with billing.spend(dana, UNIT, 3) as spend:
        spend.settle(5)

    assert left() == ("5", "0")


@pytest.mark.parametrize(("more", "error"), [("draw", InsufficientCredits), ("refuse", HoldExceeded)])
def test_more_than_can_be_booked_books_what_was_held(
    billing: Billing, dana: str, left: Left, more: str, error: type[Exception]
) -> None:
    """The use happened: giving the hold back would make it free."""
    with pytest.raises(error) as caught, billing.spend(dana, UNIT, 3) as spend:
        spend.settle(12, if_more=more)  # type: ignore[arg-type]

    assert left() == ("7", "0")
    assert "booked the 3" in caught.value.__notes__[-1]


def test_a_hold_that_ran_out_meanwhile_is_booked_all_the_same(
    world: World, billing: Billing, dana: str, left: Left
) -> None:
    with billing.spend(dana, UNIT, 3, expires_in_s=60) as spend:
        world.clock.step(timedelta(minutes=2))
        world.pump()
        spent = spend.settle(2)

    assert isinstance(spent, Spent)
    assert spent.raw["hold"] is None
    assert left() == ("8", "0")


def test_failing_closed_does_nothing_without_a_hold(billing: Billing, line: Line, dana: str) -> None:
    line.down = True
    began = []
    with pytest.raises(CounterfoilUnavailable), billing.spend(dana, UNIT, 3):
        began.append("work")

    assert began == []


def test_failing_open_goes_on_and_books_it_later(
    billing: Billing, line: Line, told: list[Unbooked], dana: str, left: Left
) -> None:
    line.down = True
    with billing.spend(dana, UNIT, 3, on_unavailable="fail_open") as spend:
        assert spend.hold is None
        kept = spend.settle(2)
    line.down = False

    billing.send_unbooked()

    assert isinstance(kept, Unbooked)
    assert [each.fate for each in told] == [Fate.WAITING, Fate.BOOKED]
    assert left() == ("8", "0")


@pytest.mark.parametrize("trouble", [NEVER, LOST])
def test_what_could_not_be_settled_is_kept_and_settled_once(
    billing: Billing, line: Line, told: list[Unbooked], dana: str, left: Left, trouble: str
) -> None:
    """Failing closed raises, because the caller has to know; what was used is not forgotten over it."""
    with pytest.raises(CounterfoilUnavailable) as caught, billing.spend(dana, UNIT, 3) as spend:  # noqa: PT012
        line.troubles = [trouble] * 4
        spend.settle(2)

    assert billing.send_unbooked() == 1
    assert [each.fate for each in told] == [Fate.WAITING, Fate.BOOKED]
    assert left() == ("8", "0")
    assert "is kept" in caught.value.__notes__[0]


def test_a_kept_settlement_whose_hold_ran_out_is_a_spend_of_its_own(
    world: World, billing: Billing, line: Line, dana: str, left: Left
) -> None:
    with billing.spend(dana, UNIT, 3, on_unavailable="fail_open", expires_in_s=60) as spend:
        line.down = True
        spend.settle(2)
    world.clock.step(timedelta(minutes=2))
    world.pump()
    line.down = False

    billing.send_unbooked()

    assert billing.unbooked == ()
    assert left() == ("8", "0")


def test_a_caller_who_hangs_up_leaves_nothing_held(world: World, url: str, line: Line, dana: str, left: Left) -> None:
    """The task is canceled in the middle of its work; the release is sent all the same."""

    async def hang_up() -> None:
        async with AsyncBilling(
            world.key, url, patience=SOON, transport=TroubledAsync(line), ambient=KnownAmbient(world.clock)
        ) as billing:
            held = asyncio.Event()

            async def work() -> None:
                async with billing.spend(dana, UNIT, 8):
                    held.set()
                    await asyncio.sleep(60)

            task = asyncio.create_task(work())
            await held.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    # In a thread of its own: another test of this process may have left its loop to the main one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(hang_up())).result()

    assert left() == ("10", "0")
