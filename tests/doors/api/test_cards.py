"""Card numbers are told from the other long numbers that people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.api.cards import holds_card_number, passes_luhn

CARDS = {
    "visa": "4242424242424242",
    "visa of 13": "4222222222222",
    "visa of 19": "4000000000000000006",
    "mastercard": "5555555555554444",
    "mastercard of the 2-series": "2223003122003222",
    "american express": "378282246310005",
    "discover": "6011111111111117",
    "diners": "30569309025904",
    "jcb": "3566002020360505",
    "unionpay": "6200000000000005",
    "maestro": "6759649826438453",
}


@pytest.mark.parametrize("number", CARDS.values(), ids=CARDS.keys())
def test_a_card_number_is_seen_in_every_grouping(number: str) -> None:
    grouped = " ".join(number[at : at + 4] for at in range(0, len(number), 4))

    for text in (number, grouped, grouped.replace(" ", "-"), f"card:{number}, thanks", f"({grouped})"):
        assert holds_card_number(text), text


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424241",  # the check digit is wrong
        "order 1234567890123452",  # the check digit is right, no scheme issues from 1
        "9999999999999995",
        "42424242424242424242",  # too long
        "424242424242",  # too short
        "inv_4242424242424242",  # part of an identifier
        "4242424242424242a",
        "pi_3OxVisa4242424242424242",
        "2026-06-14 04:04:00.123456",
        "+49 30 901820 4711 0815",
        "978-3-16-148410-0",
        "DE89 3704 0044 0532 0130 00",
        "4242 4242 4242 and 4242 somewhere else",
        "",
    ],
)
def test_other_numbers_pass(text: str) -> None:
    assert not holds_card_number(text)


def test_one_in_ten_numbers_with_the_first_digits_of_a_scheme_is_taken_for_a_card() -> None:
    """What the Luhn check leaves over, and no more: order numbers with other first digits always pass."""
    taken = sum(holds_card_number(f"4{n:015d}") for n in range(1000))
    others = sum(holds_card_number(f"1{n:015d}") for n in range(1000))

    assert (taken, others) == (100, 0)


@given(st.integers(min_value=10**11, max_value=10**17))
def test_every_number_has_exactly_one_right_check_digit(number: int) -> None:
    assert sum(passes_luhn(f"{number}{digit}") for digit in range(10)) == 1
