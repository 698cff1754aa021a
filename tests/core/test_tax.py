"""Taxes are given, never computed; what is paid or refunded of them is split so that the parts make the whole."""

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from counterfoil.core.money import MINOR_MAX
from counterfoil.core.tax import Tax, reached, slice_of, taxes_of, total

VAT = Tax("VAT", "19 %", 1_900)
CITY = Tax("City tax", "1 %", 100)
PARTS = st.lists(st.integers(0, MINOR_MAX // 8), min_size=1, max_size=6)
CENTS = st.lists(st.integers(0, 40), min_size=1, max_size=4)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """A gross price in parts, and the amounts at which it is cut into slices: both ends are among them."""
    parts = draw(PARTS)
    inner = draw(st.lists(st.integers(0, sum(parts)), max_size=8))
    return parts, sorted([0, *inner, sum(parts)])


@settings(max_examples=60)
@given(cuts())
@example(([0, 0], [0, 0]))
@example(([10_000, 800], [0, 1, 2, 10_800]))
def test_slices_make_the_whole_and_each_makes_its_own_amount(case: tuple[list[int], list[int]]) -> None:
    parts, at = case

    slices = [slice_of(parts, before, after) for before, after in pairwise(at)]

    assert tuple(map(sum, zip(*slices, strict=True))) == tuple(parts)
    assert [sum(each) for each in slices] == [after - before for before, after in pairwise(at)]
    assert all(share >= 0 for each in slices for share in each)


@settings(max_examples=60)
@given(CENTS)
@example([1, 1, 1])
@example([7, 1, 1])
def test_no_part_shrinks_while_more_is_paid(parts: list[int]) -> None:
    """The largest-remainder method would take a cent of one tax back while another cent is paid."""
    steps = [reached(parts, paid) for paid in range(sum(parts) + 1)]

    for earlier, later in pairwise(steps):
        assert all(now >= then for then, now in zip(earlier, later, strict=True))


@settings(max_examples=60)
@given(PARTS, st.data())
def test_a_share_is_off_the_exact_proportion_by_less_than_a_unit_per_part(
    parts: list[int], data: st.DataObject
) -> None:
    whole = sum(parts)
    paid = data.draw(st.integers(0, whole))

    for share, part in zip(reached(parts, paid), parts, strict=True):
        assert abs(share * whole - paid * part) < len(parts) * whole or not whole


def test_half_of_a_price_is_half_of_each_tax() -> None:
    assert slice_of((1_900, 100, 10_000), 0, 6_000) == (950, 50, 5_000)
    assert taxes_of((VAT, CITY), 10_000, 6_000, 12_000) == (Tax("VAT", "19 %", 950), Tax("City tax", "1 %", 50))


def test_an_odd_cent_of_tax_comes_with_the_last_refund() -> None:
    """Four refunds of a quarter: the tax of one cent is given back once, and the net price bears the rounding."""
    slices = [slice_of((1, 99), at, at + 25) for at in (0, 25, 50, 75)]

    assert slices == [(0, 25), (0, 25), (0, 25), (1, 24)]


def test_taxes_add_up_whatever_their_rates_say() -> None:
    assert total((VAT, CITY, Tax("Duty", "reverse charge", 0))) == 2_000
    assert total(()) == 0
