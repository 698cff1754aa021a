"""Taxes as they were given, by the caller or the provider, and how a sum is split among the parts of a price.

Nothing here computes a tax: no rate is ever multiplied. What is paid or given back of a price is split in proportion to
its parts, in whole minor units, so that every payment and every refund takes its share of each tax and all of them
together make exactly what was given.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tax:
    """One tax of a line as it was given: its name, its rate in words, its amount in minor units.

    `rate_text` is printed and never read as a number: "19 %", "8.875 %", "reverse charge".
    """

    name: str
    rate_text: str
    amount_minor: int


def total(taxes: Iterable[Tax]) -> int:
    """Give what several taxes come to, in minor units."""
    return sum(each.amount_minor for each in taxes)


def reached(parts: Sequence[int], paid: int) -> tuple[int, ...]:
    """Give what of each part is paid when `paid` of all of them is.

    Rounding is nested and cumulative: each part in turn takes floor(left × part ÷ what this part and those behind it
    come to), and the last takes the rest. So the shares are never negative, add up to `paid`, never shrink while `paid`
    grows, and are the parts themselves once everything is paid.
    """
    left, whole = paid, sum(parts)
    assert 0 <= paid <= whole, "a share of more than there is"
    shares = []
    for part in parts:
        share = left * part // whole if whole else 0
        shares.append(share)
        left, whole = left - share, whole - part
    return tuple(shares)


def slice_of(parts: Sequence[int], before: int, after: int) -> tuple[int, ...]:
    """Give what of each part lies between `before` and `after` of the whole: a leg's share, or a refund's.

    `parts` are the taxes, fees and the net price that make a gross amount, in minor units; the net price is the last,
    so that it bears what rounding leaves. `before` is what earlier legs or refunds took, `after` is with this one.
    Slices that touch make the whole, whatever their number: no minor unit of a tax is lost or given back twice.
    """
    assert before <= after, "a slice runs forward"
    earlier = reached(parts, before)
    return tuple(now - then for now, then in zip(reached(parts, after), earlier, strict=True))


def taxes_of(taxes: Sequence[Tax], net_minor: int, before: int, after: int) -> tuple[Tax, ...]:
    """Give the taxes that lie between `before` and `after` of a gross price: each under its own name and rate."""
    *shares, _ = slice_of((*(each.amount_minor for each in taxes), net_minor), before, after)
    return tuple(Tax(each.name, each.rate_text, share) for each, share in zip(taxes, shares, strict=True))
