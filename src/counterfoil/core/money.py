"""Money and service units. Integers only; nothing here rounds without saying so.

Money is minor units of a currency that knows its exponent. A service unit (a credit) is never a money unit: the two
meet only through a pegged unit's face value, in `face_value` and `quantity_for`.
"""

import re
from dataclasses import dataclass
from typing import Final

MINOR_MAX: Final = 2**63 - 1
"""The largest amount the books can hold: a signed 64-bit integer."""

ZERO_DECIMAL: Final = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
THREE_DECIMAL: Final = frozenset("BHD JOD KWD OMR TND".split())
WHOLE_UNITS_ONLY: Final = frozenset("ISK UGX".split())
"""ISO 4217 gives these no minor unit, but Stripe takes them in hundredths and refuses anything but whole units
(docs.stripe.com/currencies, "special cases"). We keep them as the provider wants them."""
TWO_DECIMAL: Final = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP CRC CVE
    CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR JMD KES KGS KHR KYD KZT
    LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
    PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TOP TRY TTD TWD TZS UAH USD UYU UZS WST
    XCD YER ZAR ZMW
    """.split()
)
CURRENCIES: Final = ZERO_DECIMAL | TWO_DECIMAL | THREE_DECIMAL | WHOLE_UNITS_ONLY


class MoneyError(ValueError):
    """An amount or a currency that the books can't hold. The message says which and why."""


def exponent(currency: str) -> int:
    """Give the number of decimal places of a currency's minor unit: JPY 0, USD 2, KWD 3."""
    if currency in ZERO_DECIMAL:
        return 0
    if currency in THREE_DECIMAL:
        return 3
    if currency in CURRENCIES:
        return 2
    raise MoneyError(f"unknown currency {currency!r}: use an upper-case ISO 4217 code")


def smallest_step(currency: str) -> int:
    """Give the multiple of minor units that a charge must be: 100 for ISK and UGX, 10 for three-decimal currencies."""
    if currency in WHOLE_UNITS_ONLY:
        return 100
    return 10 if currency in THREE_DECIMAL else 1


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of one currency. Adding two currencies is an error, never a conversion.

    Amounts have no order: `<` would compare yen with dollars. Compare `minor` where the currencies are the same.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int or abs(self.minor) > MINOR_MAX:
            raise MoneyError(f"{self.minor!r} is not a whole number of minor units below 2^63")
        exponent(self.currency)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise MoneyError(f"{self.currency} and {other.currency} do not mix")
        return other.minor

    def __str__(self) -> str:
        return f"{plain(self.minor, exponent(self.currency))} {self.currency}"


def smallest_charge(currency: str) -> Money:
    """Give the least that a provider can be asked for. Where Stripe publishes none, its smallest step."""
    return Money(LEAST_CHARGES.get(currency, smallest_step(currency)), currency)


LEAST_CHARGES: Final = {
    "USD": 50, "AED": 200, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50, "GBP": 30,
    "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300, "NZD": 50, "PLN": 200,
    "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000,
}  # fmt: skip
"""Minor units (docs.stripe.com/currencies, "minimum charge amounts"). An account that settles in another currency may
have a higher one: then the provider refuses, which is definite and charges nothing."""


def chargeable(amount: Money) -> bool:
    """Say whether a provider can be asked for this amount: not below its least charge, a multiple of its step."""
    least = smallest_charge(amount.currency)
    return amount.minor >= least.minor and amount.minor % smallest_step(amount.currency) == 0


def plain(units: int, scale: int) -> str:
    """Write scaled units in full, never rounded and never in exponent notation: plain(1967, 2) is '19.67'."""
    sign, digits = ("-" if units < 0 else ""), str(abs(units)).rjust(scale + 1, "0")
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else f"{sign}{digits}"


@dataclass(frozen=True, slots=True)
class ServiceUnit:
    """What a wallet counts. `scale` is its number of decimal places.

    A pegged unit has a face value: one whole unit stands for `face_minor` minor units of `face_currency`
    (`usd-credit`: 100 minor units of USD). A unit that is not pegged can't pay an invoice.
    """

    code: str
    scale: int
    face_minor: int | None = None
    face_currency: str | None = None

    @property
    def one(self) -> int:
        """One whole unit, in the scaled integers that the books hold."""
        return int(10**self.scale)


USD_CREDIT: Final = ServiceUnit("usd-credit", 6, 100, "USD")


def face_value(units: int, unit: ServiceUnit) -> int:
    """Give what `units` are worth in minor units of the pegged currency, rounded down to whole minor units."""
    assert unit.face_minor is not None, "only a pegged unit has a face value"
    return units * unit.face_minor // unit.one


def quantity_for(minor: int, unit: ServiceUnit) -> int:
    """Give the fewest units whose face value covers `minor` minor units (rounded up)."""
    assert unit.face_minor is not None, "only a pegged unit has a face value"
    return -(-minor * unit.one // unit.face_minor)


PLAIN: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")


def parse_decimal(text: str, scale: int) -> int:
    """Read a plain decimal string as scaled units, exactly. Raises MoneyError on more places than `scale` (trailing
    zeros do not count), on exponent notation, on a plus sign, and on anything that is not a number."""
    shown = text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"
    match = PLAIN.fullmatch(text)
    if match is None:
        raise MoneyError(f"{shown!r} is not a plain decimal number")
    sign, whole, places = match[1], match[2].lstrip("0"), (match[3] or "").rstrip("0")
    if len(places) > scale:
        raise MoneyError(f"{shown!r} has more than {scale} decimal places")
    digits = whole + places.ljust(scale, "0")
    if len(digits) > DIGITS_MAX or int(digits or "0") > MINOR_MAX:
        raise MoneyError(f"{shown!r} is larger than the books can hold")
    return int(f"{sign}{digits or '0'}")


SHOWN_MAX: Final = 40
DIGITS_MAX: Final = 40
"""Longer than any amount that fits: what is longer is not even read as a number."""


def share(total: int, part: int, whole: int) -> int:
    """Give floor(total × part ÷ whole). Post it as the difference to what was posted before, so that parts add up
    to the total and the last part takes the remainder."""
    assert whole > 0, "a share of nothing"
    return total * part // whole
