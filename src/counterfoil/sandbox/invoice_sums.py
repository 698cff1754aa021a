"""What an invoice comes to: its lines' discounts and taxes as Stripe shows them, and the sums over them."""

from __future__ import annotations

from decimal import Decimal

from counterfoil.sandbox import pricing
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.pricing import Part, Priced, Tax


def price_lines(invoice: Doc) -> None:
    """Price the lines of an invoice, and write discounts, taxes and totals on lines and invoice.

    It reads, whole and not as ids, what the caller put there before:
    `_lines`, each with `amount`, `discountable`, `pricing`, `tax_rates` and, where it has its own, `_discounts`;
    `_discounts`, those of the invoice (of its subscription or customer too: `discounts.named`, `discounts.inherited`);
    `default_tax_rates` and `customer_tax_exempt`. Anything may be called again after a change. It does not touch what
    is due or paid: `invoice_fields.recount` does that, and calls this first, so whoever makes an invoice calls only
    `recount`.
    """
    lines = invoice["_lines"]
    parts = [_part(line) for line in lines]
    priced = pricing.price_parts(
        parts,
        invoice["currency"],
        invoice["_discounts"],
        invoice["default_tax_rates"],
        invoice["customer_tax_exempt"] or "none",
    )
    for line, result in zip(lines, priced, strict=True):
        _write_line(line, result)
    invoice["discounts"] = [discount["id"] for discount in invoice["_discounts"]]
    invoice["discount"] = invoice["_discounts"][0] if invoice["_discounts"] else None
    invoice |= _totals(priced)


def taxes_shown(taxes: tuple[Tax, ...]) -> list[Doc]:
    """Taxes as versions since 2025-03-31 show them, one entry for each rate."""
    return [
        {
            "amount": tax.amount,
            "tax_behavior": "inclusive" if tax.is_inclusive else "exclusive",
            "tax_rate_details": {"tax_rate": tax.rate["id"]},
            "taxability_reason": tax.reason or "not_available",
            "taxable_amount": tax.taxable,
            "type": "tax_rate_details",
        }
        for tax in taxes
    ]


def taxes_before_basil(taxes: tuple[Tax, ...]) -> list[Doc]:
    """The same, as versions before 2025-03-31 show them."""
    return [
        {
            "amount": tax.amount,
            "inclusive": tax.is_inclusive,
            "tax_rate": tax.rate["id"],
            "taxability_reason": tax.reason,
            "taxable_amount": tax.taxable,
        }
        for tax in taxes
    ]


def discounts_shown(amounts: dict[str, int]) -> list[Doc]:
    return [{"amount": amount, "discount": discount} for discount, amount in amounts.items()]


def credits_shown(amounts: dict[str, int]) -> list[Doc]:
    """Discounts as what is credited before tax."""
    return [{"amount": amount, "discount": discount, "type": "discount"} for discount, amount in amounts.items()]


def summed_taxes(priced: list[Priced]) -> tuple[Tax, ...]:
    """The taxes of all lines, one for each rate."""
    sums: dict[tuple[str, str | None], Tax] = {}
    for tax in (tax for line in priced for tax in line.taxes):
        key = (tax.rate["id"], tax.reason)
        so_far = sums.get(key, Tax(tax.rate, 0, 0, tax.reason))
        sums[key] = Tax(tax.rate, so_far.amount + tax.amount, so_far.taxable + tax.taxable, tax.reason)
    return tuple(sums.values())


def summed_discounts(priced: list[Priced]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for line in priced:
        sums = pricing.added(sums, line.discounts)
    return sums


def _part(line: Doc) -> Part:
    details = (line["pricing"] or {}).get("price_details") or {}
    return Part(
        amount=line["amount"],
        product=details.get("product"),
        is_discountable=line["discountable"],
        discounts=line.get("_discounts", ()),
        tax_rates=line["tax_rates"],
    )


def _write_line(line: Doc, priced: Priced) -> None:
    line |= {
        "amount_excluding_tax": priced.untaxed,
        "discount_amounts": discounts_shown(priced.discounts),
        "discounts": [discount["id"] for discount in line.get("_discounts", ())],
        "pretax_credit_amounts": credits_shown(priced.discounts),
        "subtotal": line["amount"],
        "tax_amounts": taxes_before_basil(priced.taxes),
        "taxes": taxes_shown(priced.taxes),
        "unit_amount_excluding_tax": _per_unit(line, priced.untaxed),
    }


def _per_unit(line: Doc, amount: int) -> str | None:
    """The exact unit amount where nothing was taken off or added inside, else the share of one unit."""
    if amount == line["amount"]:
        exact: str | None = (line["pricing"] or {}).get("unit_amount_decimal")
        return exact
    quantity = line["quantity"] or 1
    return f"{Decimal(amount) / quantity:.12f}".rstrip("0").rstrip(".")


def _totals(priced: list[Priced]) -> Doc:
    taxes, discounts = summed_taxes(priced), summed_discounts(priced)
    return {
        "subtotal": sum(line.subtotal for line in priced),
        "subtotal_excluding_tax": sum(line.subtotal_untaxed for line in priced),
        "tax": sum(tax.amount for tax in taxes) if taxes else None,
        "total": sum(line.total for line in priced),
        "total_discount_amounts": discounts_shown(discounts),
        "total_excluding_tax": sum(line.untaxed for line in priced),
        "total_pretax_credit_amounts": credits_shown(discounts),
        "total_tax_amounts": taxes_before_basil(taxes),
        "total_taxes": taxes_shown(taxes),
    }
