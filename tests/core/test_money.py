"""Money: whole minor units of a currency that knows its exponent, read and written exactly."""

from decimal import Decimal

import pytest
from babel.numbers import get_currency_precision
from hypothesis import example, given
from hypothesis import strategies as st

from core.factories import ISK_CREDIT, JPY_CREDIT, KWD_CREDIT
from counterfoil.core.money import (
    CURRENCIES,
    MINOR_MAX,
    THREE_DECIMAL,
    USD_CREDIT,
    WHOLE_UNITS_ONLY,
    ZERO_DECIMAL,
    Money,
    MoneyError,
    ServiceUnit,
    chargeable,
    exponent,
    face_value,
    parse_decimal,
    plain,
    quantity_for,
    share,
    smallest_step,
)

SHOWN_WHOLE = frozenset("AFN ALL LAK LBP MMK RSD SOS STD YER".split())
"""Currencies that Unicode's CLDR shows without the hundredths that ISO 4217 and the provider still count in."""
AMOUNTS = st.integers(-MINOR_MAX, MINOR_MAX)
UNITS = st.sampled_from([USD_CREDIT, ISK_CREDIT, JPY_CREDIT, KWD_CREDIT, ServiceUnit("tiny", 0, 3, "USD")])


@pytest.mark.parametrize("currency", sorted(CURRENCIES - SHOWN_WHOLE - WHOLE_UNITS_ONLY))
def test_an_exponent_is_the_one_that_unicode_knows(currency: str) -> None:
    assert exponent(currency) == get_currency_precision(currency)


@pytest.mark.parametrize("currency", sorted(SHOWN_WHOLE))
def test_what_is_only_shown_whole_is_counted_in_hundredths(currency: str) -> None:
    assert (exponent(currency), get_currency_precision(currency)) == (2, 0)


@pytest.mark.parametrize("currency", sorted(WHOLE_UNITS_ONLY))
def test_isk_and_ugx_are_kept_in_hundredths_and_charged_in_whole_units(currency: str) -> None:
    assert get_currency_precision(currency) == 0
    assert exponent(currency) == 2
    assert chargeable(Money(4_000, currency))
    assert not chargeable(Money(4_010, currency))


@pytest.mark.parametrize("currency", sorted(THREE_DECIMAL))
def test_the_last_digit_of_three_decimal_currencies_is_zero(currency: str) -> None:
    assert chargeable(Money(5_120, currency))
    assert not chargeable(Money(5_124, currency))


@pytest.mark.parametrize("amount", [0, -1, -100])
def test_nothing_and_less_is_not_chargeable(amount: int) -> None:
    assert not chargeable(Money(amount, "USD"))


def test_every_currency_has_one_exponent() -> None:
    groups = [ZERO_DECIMAL, THREE_DECIMAL, WHOLE_UNITS_ONLY]

    assert sum(len(each) for each in groups) == len(frozenset().union(*groups))
    assert {exponent(each) for each in CURRENCIES} == {0, 2, 3}


@pytest.mark.parametrize("code", ["", "usd", "US", "USDT", "BTC", "€"])
def test_an_unknown_currency_is_refused(code: str) -> None:
    with pytest.raises(MoneyError, match="unknown currency"):
        Money(1, code)


@pytest.mark.parametrize("amount", [MINOR_MAX + 1, -MINOR_MAX - 1, 10**30, 1.0, True, "1", None, Decimal(1)])
def test_an_amount_is_a_whole_number_that_fits_the_books(amount: object) -> None:
    with pytest.raises(MoneyError):
        Money(amount, "USD")  # type: ignore[arg-type]


@given(AMOUNTS, st.integers(-1_000, 1_000))
def test_what_is_added_can_be_taken_away(amount: int, other: int) -> None:
    if abs(amount + other) <= MINOR_MAX:
        assert Money(amount, "USD") + Money(other, "USD") - Money(other, "USD") == Money(amount, "USD")


def test_two_currencies_do_not_mix() -> None:
    with pytest.raises(MoneyError, match="USD and EUR do not mix"):
        Money(1, "USD") + Money(1, "EUR")
    with pytest.raises(MoneyError, match="USD and EUR do not mix"):
        Money(1, "USD") - Money(1, "EUR")


def test_a_sum_that_no_longer_fits_is_an_error() -> None:
    with pytest.raises(MoneyError):
        Money(MINOR_MAX, "USD") + Money(1, "USD")


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(1967, "USD"), "19.67 USD"),
        (Money(-5, "USD"), "-0.05 USD"),
        (Money(500, "JPY"), "500 JPY"),
        (Money(1, "KWD"), "0.001 KWD"),
        (Money(0, "EUR"), "0.00 EUR"),
        (Money(MINOR_MAX, "USD"), "92233720368547758.07 USD"),
    ],
)
def test_money_is_written_in_full(money: Money, text: str) -> None:
    assert str(money) == text


@given(AMOUNTS, st.integers(0, 12))
def test_what_is_written_is_read_back(units: int, scale: int) -> None:
    assert parse_decimal(plain(units, scale), scale) == units


@pytest.mark.parametrize(
    ("text", "scale", "units"),
    [
        ("19.67", 2, 1967),
        ("19.6", 2, 1960),
        ("-0.05", 2, -5),
        ("1.500", 2, 150),
        ("-0", 2, 0),
        ("007", 0, 7),
        ("3", 6, 3_000_000),
    ],
)
def test_a_plain_decimal_is_read_exactly(text: str, scale: int, units: int) -> None:
    assert parse_decimal(text, scale) == units


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1e2",
        "1E2",
        "+1",
        "NaN",
        "Infinity",
        "1_000",
        "1,000",
        "0x10",
        "--1",
        "1-",
        "-",
        ".",
        "1.2.3",
        "１",
        "٣",
        "1 ",
        "½",
    ],
)
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        parse_decimal(text, 2)


@pytest.mark.parametrize(
    "text",
    [
        "0.001",
        "1.001",
        # Longer than the 28 digits that Decimal keeps by itself: nothing may be rounded away unseen.
        "1." + "0" * 40 + "1",
        "12345678901234567.89" + "0" * 20 + "1",
    ],
)
def test_more_places_than_the_scale_are_refused(text: str) -> None:
    with pytest.raises(MoneyError, match="decimal places"):
        parse_decimal(text, 2)


@pytest.mark.parametrize("text", ["9" * 20, "92233720368547758.08", "-" + "9" * 400, "9" * 5_000])
def test_more_than_the_books_can_hold_is_refused(text: str) -> None:
    with pytest.raises(MoneyError, match="larger than the books can hold"):
        parse_decimal(text, 2)


@given(st.text(max_size=30))
@example("9" * 28 + ".5")
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        units = parse_decimal(text, 3)
    except MoneyError:
        return
    assert Decimal(text) * 1000 == units


@given(st.integers(0, 10**12), UNITS)
def test_the_fewest_units_that_are_worth_an_amount(minor: int, unit: ServiceUnit) -> None:
    units = quantity_for(minor, unit)

    assert face_value(units, unit) >= minor
    assert units == 0 or face_value(units - 1, unit) < minor


@given(st.integers(0, 10**15), UNITS)
def test_units_are_worth_no_more_than_they_cover(units: int, unit: ServiceUnit) -> None:
    assert quantity_for(face_value(units, unit), unit) <= units


def test_a_unit_that_is_not_pegged_has_no_face_value() -> None:
    with pytest.raises(AssertionError):
        face_value(1, ServiceUnit("token", 0))


@given(st.integers(0, 10**15), st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_shares_posted_as_differences_add_up_to_the_total(total: int, parts: list[int]) -> None:
    whole, used, posted = sum(parts), 0, 0
    for part in parts:
        used += part
        step = share(total, used, whole) - posted
        assert step >= 0
        posted += step

    assert posted == total


def test_a_charge_is_a_multiple_of_the_currency_s_step() -> None:
    assert (smallest_step("USD"), smallest_step("JPY"), smallest_step("ISK"), smallest_step("KWD")) == (1, 1, 100, 10)
