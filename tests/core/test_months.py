"""Month end: opening + movements = closing, for whatever history there was."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.core.effects import Act, Reason, Refuse, Skip
from counterfoil.core.journal import SERVICE_ACCOUNTS
from counterfoil.core.months import COUNTER_LINES, Flow, decide_close, month_named, roll_forwards, trial_balance

OCTOBER = month_named("2026-10")
AMOUNTS = st.integers(0, 10**15)
UNITS = st.lists(st.sampled_from(sorted(SERVICE_ACCOUNTS)), min_size=2, max_size=2, unique=True)
SERVICE = st.builds(
    lambda pair, free, before, during: Flow("credits", pair[0], pair[1], "any", free, before, during, 1),
    *(UNITS, st.booleans(), AMOUNTS, AMOUNTS),
)
COUNTERS = st.sampled_from(sorted({*COUNTER_LINES, "receivable"}))
FAMILIES = st.sampled_from(["leg", "invoice", "grant"])


def money_flow(counter: str, back: bool, family: str, before: int, during: int) -> Flow:
    debit, credit = (counter, "deferred_revenue") if back else ("deferred_revenue", counter)
    return Flow("USD", debit, credit, family, False, before, during, 1)


MONEY = st.builds(money_flow, COUNTERS, st.booleans(), FAMILIES, AMOUNTS, AMOUNTS)


@settings(max_examples=60)
@given(st.lists(st.one_of(SERVICE, MONEY), max_size=30))
def test_whatever_moved_the_lines_explain_the_closing_and_the_trial_balance_closes_to_zero(flows: list[Flow]) -> None:
    assert all(each.fits for each in roll_forwards(flows))
    for unit in ("credits", "USD"):
        own = [each for each in trial_balance(flows) if each.unit == unit]
        assert sum(each.debits - each.credits for each in own) == sum(each.closing for each in own) == 0


def test_a_movement_that_no_line_explains_shows_as_a_difference() -> None:
    (rolled,) = roll_forwards([Flow("USD", "bank", "deferred_revenue", "any", False, 0, 5, 1)])

    assert (rolled.closing, rolled.fits) == (5, False)


@pytest.mark.parametrize(
    ("closed_until", "now", "decision", "reason"),
    [
        (None, datetime(2026, 11, 1, 0, 59, tzinfo=UTC), Refuse, Reason.MONTH_NOT_OVER),
        (None, datetime(2026, 11, 1, 1, 0, tzinfo=UTC), Act, Reason.MONTH_CLOSED),
        (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), Skip, Reason.ALREADY_KNOWN),
        (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), Act, Reason.MONTH_CLOSED),
    ],
)
def test_a_month_is_closed_once_an_hour_after_its_end_or_later(
    closed_until: datetime | None, now: datetime, decision: type, reason: Reason
) -> None:
    assert OCTOBER is not None
    made = decide_close(OCTOBER, closed_until, now)

    assert (type(made), made.why.reason) == (decision, reason)


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "202610", "2026-1", "1999-12", "²026-10", ""])
def test_what_is_no_month_is_not_read_as_one(text: str) -> None:
    assert month_named(text) is None


def test_a_month_ends_where_the_next_begins() -> None:
    december, january = month_named("2026-12"), month_named("2027-01")

    assert december is not None
    assert january is not None
    assert december.ends_at == january.starts_at == december.last_instant + timedelta(microseconds=1)
