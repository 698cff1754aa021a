"""What a credit note credits, line by line: parts of an invoice's lines with their discounts and taxes, or amounts of
its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from counterfoil.sandbox import invoice_sums, prices, pricing, tax_rates
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import invalid, parameter_missing
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.params import Choice, Fraction, Given, Hash, Items, Kind, Need, Text, Whole, uncovered
from counterfoil.sandbox.pricing import Part, Priced, Tax

_OWN = ("description", "tax_rates", "unit_amount", "unit_amount_decimal")
_OF_INVOICE = ("amount", "invoice_line_item")
_LINE: dict[str, Kind] = {
    **METADATA,
    "amount": Whole(least=0),
    "description": Text(),
    "invoice_line_item": Text(),
    "quantity": Whole(least=1),
    "tax_rates": Items(),
    "type": Need(Choice(("custom_line_item", "invoice_line_item"), clears=False)),
    "unit_amount": Whole(),
    "unit_amount_decimal": Fraction(),
    **uncovered("tax_amounts"),
}
LINES = Items(Hash(_LINE))


@dataclass(frozen=True, slots=True)
class Credit:
    """One line of a credit note: what was asked, and what it comes to."""

    given: Given
    priced: Priced
    unit_amount: str
    quantity: int | None
    description: str | None
    line: Doc | None = None
    """The invoice's line that is credited."""


def credits_of(call: Call, invoice: Doc) -> list[Credit]:
    """Price what the caller wants credited: lines, or just an amount."""
    given = call.given
    if given.get("lines") and given.get("amount") is not None:
        raise invalid("You may only specify one of these parameters: amount, lines.", "amount")
    if given.get("lines"):
        return [_credit(call, invoice, line, f"lines[{place}]") for place, line in enumerate(given["lines"])]
    if given.get("amount") is None:
        raise invalid("You must provide one of amount, lines or shipping_cost.", "amount", "parameter_missing")
    amount = given["amount"]
    return [Credit({"type": "custom_line_item"}, Priced(amount, subtotal_untaxed=amount), str(amount), 1, None)]


def shown(call: Call, credit: Credit) -> Doc:
    """A credit note's line, as its lists have it."""
    priced = credit.priced
    exact = Decimal(credit.unit_amount)
    line: Doc = {
        "id": call.world.new_id("cnli_1"),
        "object": "credit_note_line_item",
        "amount": priced.amount,
        "amount_excluding_tax": priced.untaxed,
        "description": credit.description,
        "discount_amount": sum(priced.discounts.values()),
        "discount_amounts": invoice_sums.discounts_shown(priced.discounts),
        "livemode": call.livemode,
        "metadata": {},
        "pretax_credit_amounts": invoice_sums.credits_shown(priced.discounts),
        "quantity": credit.quantity,
        "tax_amounts": invoice_sums.taxes_before_basil(priced.taxes),
        "tax_rates": [tax.rate for tax in priced.taxes],
        "taxes": invoice_sums.taxes_shown(priced.taxes),
        "type": credit.given["type"],
        "unit_amount": int(exact) if exact == int(exact) else None,
        "unit_amount_decimal": credit.unit_amount,
        "unit_amount_excluding_tax": credit.unit_amount,
    }
    if credit.line is not None:
        line["invoice_line_item"] = credit.line["id"]
    apply_given(line, credit.given, ("metadata",))
    return line


def _credit(call: Call, invoice: Doc, given: Given, path: str) -> Credit:
    is_own = given["type"] == "custom_line_item"
    for name in _OF_INVOICE if is_own else _OWN:
        if given.get(name):
            raise invalid(f"You can't set `{name}` on a line of type `{given['type']}`.", f"{path}[{name}]")
    return _own_credit(call, invoice["currency"], given, path) if is_own else _line_credit(invoice, given, path)


def _own_credit(call: Call, currency: str, given: Given, path: str) -> Credit:
    said = [name for name in ("unit_amount", "unit_amount_decimal") if given.get(name) is not None]
    if len(said) > 1:
        raise invalid(f"You may only specify one of these parameters: {', '.join(said)}.", f"{path}[{said[0]}]")
    if not said:
        raise parameter_missing(f"{path}[unit_amount]")
    unit, quantity = str(given[said[0]]), given.get("quantity", 1)
    rates = tax_rates.rates_of(call, given.get("tax_rates"), f"{path}[tax_rates]")
    part = Part(prices.total_of(unit, quantity), tax_rates=rates)
    return Credit(given, pricing.price_parts([part], currency)[0], unit, quantity, given.get("description"))


def _line_credit(invoice: Doc, given: Given, path: str) -> Credit:
    line = _named_line(invoice, given, path)
    amount, quantity = given.get("amount"), given.get("quantity")
    if amount is not None and quantity is not None:
        raise invalid("You may only specify one of these parameters: amount, quantity.", f"{path}[amount]")
    if amount is None:
        quantity = quantity or line["quantity"] or 1
        amount = pricing.rounded(Decimal(line["amount"]) * quantity / (line["quantity"] or 1))
    if amount > line["amount"]:
        name = "amount" if given.get("amount") is not None else "quantity"
        raise invalid(f"You can't credit more than the invoice line item {line['id']} has.", f"{path}[{name}]")
    unit = (line["pricing"] or {}).get("unit_amount_decimal") or str(line["amount"])
    return Credit(given, _share(invoice, line, amount), unit, quantity, line["description"], line)


def _named_line(invoice: Doc, given: Given, path: str) -> Doc:
    wanted = given.get("invoice_line_item")
    if not wanted:
        raise parameter_missing(f"{path}[invoice_line_item]")
    found: Doc | None = next((line for line in invoice["_lines"] if line["id"] == wanted), None)
    if found is None:
        message = f"The invoice line item {wanted} does not belong to the invoice {invoice['id']}."
        raise invalid(message, f"{path}[invoice_line_item]")
    return found


def _share(invoice: Doc, line: Doc, amount: int) -> Priced:
    """A part of a line takes the same part of its discounts and taxes with it."""

    def part(whole: int) -> int:
        return pricing.rounded(Decimal(whole) * amount / line["amount"]) if line["amount"] else 0

    rates = {rate["id"]: rate for rate in [*invoice["default_tax_rates"], *line["tax_rates"]]}
    taxes = tuple(
        Tax(rates[tax["tax_rate"]], part(tax["amount"]), part(tax["taxable_amount"]), tax["taxability_reason"])
        for tax in line["tax_amounts"]
    )
    discounts = {taken["discount"]: part(taken["amount"]) for taken in line["discount_amounts"]}
    included = sum(tax.amount for tax in taxes if tax.is_inclusive)
    return Priced(amount, {}, discounts, taxes, amount - included)
