"""What lines come to: discounts and taxes, line by line, and their sums. Pure arithmetic over whole cents.

Order, as Stripe documents it: a line's own discounts first, then those of the whole bill, each in the order given;
then taxes on what is left. A line's own tax rates stand in place of the bill's default ones.

Rounding, half away from zero: a percentage of the bill is rounded once for all its lines and then spread over them by
largest remainder, so that it is right for the subtotal; a fixed amount is spread in the same way. A tax is rounded
for each line, which is Stripe's default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from counterfoil.sandbox.documents import Doc

_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Part:
    """One line to be priced. `discounts` are its own; `tax_rates` are whole objects, as are the discounts."""

    amount: int
    product: str | None = None
    is_discountable: bool = True
    discounts: Sequence[Doc] = ()
    tax_rates: Sequence[Doc] = ()


@dataclass(frozen=True, slots=True)
class Tax:
    """One rate's tax on one line. `reason` is why it is nothing, None when the rate was simply applied."""

    rate: Doc
    amount: int
    taxable: int
    reason: str | None = None

    @property
    def is_inclusive(self) -> bool:
        return bool(self.rate["inclusive"])


@dataclass(frozen=True, slots=True)
class Priced:
    """What one line comes to. Discounts are amounts by the id of the discount."""

    amount: int
    own_discounts: dict[str, int] = field(default_factory=dict)
    shared_discounts: dict[str, int] = field(default_factory=dict)
    taxes: tuple[Tax, ...] = ()
    subtotal_untaxed: int = 0
    """What is left after the line's own discounts, without any tax."""

    @property
    def discounts(self) -> dict[str, int]:
        return added(self.own_discounts, self.shared_discounts)

    @property
    def subtotal(self) -> int:
        return self.amount - sum(self.own_discounts.values())

    @property
    def untaxed(self) -> int:
        """After all discounts, without any tax."""
        return self.subtotal - sum(self.shared_discounts.values()) - self._tax(inclusive=True)

    @property
    def total(self) -> int:
        return self.untaxed + self._tax(inclusive=True) + self._tax(inclusive=False)

    @property
    def tax(self) -> int:
        return sum(tax.amount for tax in self.taxes)

    def _tax(self, inclusive: bool) -> int:
        return sum(tax.amount for tax in self.taxes if tax.is_inclusive == inclusive)


def price_parts(
    parts: Sequence[Part],
    currency: str,
    discounts: Sequence[Doc] = (),
    default_rates: Sequence[Doc] = (),
    exempt: str = "none",
) -> list[Priced]:
    """Price the lines of one bill. `discounts` and `default_rates` are the bill's, `exempt` is the customer's."""
    own = [_own_discounts(part, currency) for part in parts]
    left = [part.amount - sum(taken.values()) for part, taken in zip(parts, own, strict=True)]
    shared: list[dict[str, int]] = [{} for _ in parts]
    for discount in discounts:
        for position, amount in _shares(parts, left, discount, currency):
            left[position] -= amount
            shared[position] = added(shared[position], {discount["id"]: amount})
    return [
        _taxed(part, own[position], shared[position], left[position], default_rates, exempt)
        for position, part in enumerate(parts)
    ]


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """Share a total out by weights, none below zero, by largest remainder: the shares add up to it exactly."""
    whole = sum(weights)
    if not whole:
        return [0 for _ in weights]
    shares = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: -(total * weights[place] % whole))
    for place in by_remainder[: total - sum(shares)]:
        shares[place] += 1
    return shares


def added(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    """Amounts by id, added up."""
    return first | {name: first.get(name, 0) + amount for name, amount in second.items()}


def rounded(exact: Decimal) -> int:
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def _own_discounts(part: Part, currency: str) -> dict[str, int]:
    left, taken = part.amount, dict[str, int]()
    for discount in part.discounts:
        amount = _off(discount["coupon"], left, currency) if _applies(part, discount) else 0
        left -= amount
        taken = added(taken, {discount["id"]: amount})
    return taken


def _shares(parts: Sequence[Part], left: Sequence[int], discount: Doc, currency: str) -> list[tuple[int, int]]:
    """How much of a bill's discount falls on which line."""
    places = [position for position, part in enumerate(parts) if left[position] > 0 and _applies(part, discount)]
    weights = [left[position] for position in places]
    return list(zip(places, spread(_off(discount["coupon"], sum(weights), currency), weights), strict=True))


def _applies(part: Part, discount: Doc) -> bool:
    products = (discount["coupon"]["_applies_to"] or {}).get("products")
    return part.is_discountable and part.amount > 0 and (not products or part.product in products)


def _off(coupon: Doc, amount: int, currency: str) -> int:
    """What a coupon takes off an amount in a currency, never more than all of it."""
    if coupon["percent_off"] is not None:
        return rounded(amount * Decimal(str(coupon["percent_off"])) / _HUNDRED)
    options = coupon.get("_currency_options") or {coupon["currency"]: {"amount_off": coupon["amount_off"]}}
    return min(int(options[currency]["amount_off"]), amount)


def _taxed(
    part: Part, own: dict[str, int], shared: dict[str, int], left: int, default_rates: Sequence[Doc], exempt: str
) -> Priced:
    rates = part.tax_rates or default_rates
    before = part.amount - sum(own.values())
    included = sum(tax.amount for tax in _taxes(before, rates, exempt) if tax.is_inclusive)
    return Priced(part.amount, own, shared, _taxes(left, rates, exempt), before - included)


def _taxes(amount: int, rates: Sequence[Doc], exempt: str) -> tuple[Tax, ...]:
    """The tax of each rate on an amount that contains the inclusive ones."""
    if exempt != "none":
        reason = "reverse_charge" if exempt == "reverse" else "customer_exempt"
        return tuple(Tax(rate, 0, amount, reason) for rate in rates)
    inside = sum((_fraction(rate) for rate in rates if rate["inclusive"]), Decimal(0))
    net = Decimal(amount) / (1 + inside)
    taxes = [rounded(net * _fraction(rate)) for rate in rates]
    included = sum(tax for tax, rate in zip(taxes, rates, strict=True) if rate["inclusive"])
    return tuple(Tax(rate, tax, amount - included) for tax, rate in zip(taxes, rates, strict=True))


def _fraction(rate: Doc) -> Decimal:
    return Decimal(str(rate["percentage"])) / _HUNDRED
