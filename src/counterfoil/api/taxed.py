"""Taxes in requests: given with their names, their rates in words and their amounts, never computed."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from counterfoil.api.fields import MinorOrZero, Strict
from counterfoil.core.money import MINOR_MAX
from counterfoil.core.tax import Tax, total


class GivenTax(Strict):
    """One tax, in minor units. `rate` is printed as you write it and never computed with: `19 %`, `reverse charge`."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    rate: Annotated[str, Field(max_length=40)] = ""
    amount: MinorOrZero


class Taxed(Strict):
    """What bears taxes. `tax` is their sum; with `taxes` it may be left out."""

    tax: MinorOrZero = 0
    taxes: Annotated[list[GivenTax], Field(max_length=10)] = []

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.taxes and "tax" in self.model_fields_set and total(self.given) != self.tax:
            raise ValueError("tax must be the sum of taxes; leave it out, and it is")
        if total(self.given) > MINOR_MAX:
            raise ValueError("the taxes add up to more than the books can hold")
        return self

    @property
    def given(self) -> tuple[Tax, ...]:
        """The taxes as the books know them."""
        return tuple(Tax(each.name, each.rate, each.amount) for each in self.taxes)

    @property
    def tax_minor(self) -> int:
        """What all of them come to."""
        return total(self.given) if self.taxes else self.tax
