"""Finds card numbers in text, so that none is ever stored: the Luhn check and the ranges that card schemes issue from.

An order number passes unless it has a scheme's first digits, that scheme's length, and a right check digit, all three.
"""

import re
from typing import Final
from unicodedata import normalize

CANDIDATE: Final = re.compile(r"(?<![0-9A-Za-z_])[0-9](?:[ \-.]?[0-9]){12,18}(?![0-9A-Za-z_])")
SCHEMES: Final = tuple(
    (re.compile(pattern), lengths)
    for pattern, lengths in (
        ("4", frozenset({13, 16, 19})),  # Visa
        ("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", frozenset({16})),  # Mastercard
        ("3[47]", frozenset({15})),  # American Express
        ("6011|64[4-9]|65", frozenset({16, 17, 18, 19})),  # Discover
        ("30[0-5]|36|3[89]", frozenset({14, 16})),  # Diners
        ("35(?:2[89]|[3-8])", frozenset({16, 17, 18, 19})),  # JCB
        ("62|81", frozenset({16, 17, 18, 19})),  # UnionPay
        ("50|5[6-9]|6[37]", frozenset({13, 14, 15, 16, 17, 18, 19})),  # Maestro
    )
)


def holds_card_number(text: str) -> bool:
    """Say whether a card number stands anywhere in a text, in whatever digits and grouping."""
    return any(_is_card(re.sub(r"\D", "", found.group())) for found in CANDIDATE.finditer(normalize("NFKC", text)))


def _is_card(digits: str) -> bool:
    return passes_luhn(digits) and any(start.match(digits) and len(digits) in fits for start, fits in SCHEMES)


def passes_luhn(digits: str) -> bool:
    """Say whether the last digit is the right check digit (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0
