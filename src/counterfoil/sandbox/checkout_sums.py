"""What a checkout session comes to, and the discounts that its customer has in view."""

from __future__ import annotations

from counterfoil.sandbox import discounts, invoice_sums, pricing, promotion_codes, tax_rates
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.currencies import LEAST, formatted
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid
from counterfoil.sandbox.pricing import Part, Priced, Tax


def sum_up(call: Call, session: Doc, items: list[Doc]) -> None:
    """Price new items with the discounts and tax rates that the caller gave, and write the sums on the session."""
    for position, (item, given) in enumerate(zip(items, call.given["line_items"], strict=True)):
        item["_rates"] = tax_rates.rates_of(call, given.get("tax_rates"), f"line_items[{position}][tax_rates]")
    session["_discounts"] = _given_discounts(call, session, sum(item["amount_subtotal"] for item in items))
    _reprice(session, items)


def apply_code(call: Call, session: Doc, text: str) -> None:
    """The customer typed a promotion code in on the page; an empty one takes it away again."""
    if not session["allow_promotion_codes"]:
        raise invalid("This Checkout Session takes no promotion codes.", "promotion_code")
    code = promotion_codes.code_named(call, text) if text else None
    if text and code is None:
        raise invalid("This code is invalid.", "promotion_code")
    items = items_of(call, session)
    target = _target(call, session, sum(item["amount_subtotal"] for item in items))
    before = session["_discounts"]
    session["_discounts"] = discounts.proposed(call, [{"promotion_code": code["id"]}], target) if code else []
    try:
        _reprice(session, items)
    except StripeError:
        session["_discounts"] = before
        _reprice(session, items)
        raise
    call.shelf.save(session)


def items_of(call: Call, session: Doc) -> list[Doc]:
    """The items of a session, in the order in which they are listed."""
    rows = (doc for _, doc in call.shelf.newest_first("item"))
    return [item for item in rows if not item.get("deleted") and item["_session"] == session["id"]]


def count_discounts(call: Call, session: Doc) -> None:
    """The session is complete: its discounts were used. A subscription's were redeemed when it began."""
    if session["mode"] == "subscription":
        return
    for discount in session["_discounts"]:
        discounts.count(call, discount)


def check_total(total: int, currency: str) -> None:
    """A total is nothing at all, or enough to be charged."""
    least = LEAST.get(currency, 1)
    if 0 < total < least:
        message = (
            f"The Checkout Session's total amount due must add up to at least {formatted(least, currency)} {currency}"
        )
        raise StripeError(message, code="amount_too_small")


def _given_discounts(call: Call, session: Doc, amount: int) -> list[Doc]:
    given = call.given.get("discounts") or []
    if given and call.given.get("allow_promotion_codes"):
        message = "You may only specify one of these parameters: allow_promotion_codes, discounts."
        raise invalid(message, "allow_promotion_codes")
    if len(given) > 1:
        raise invalid("You can only specify one discount on a Checkout Session.", "discounts")
    return [copy_of(discount) for discount in discounts.proposed(call, given, _target(call, session, amount))]


def _target(call: Call, session: Doc, amount: int) -> discounts.Target:
    customer = call.shelf.get("customer", session["customer"] or "")
    return discounts.Target(customer, session["currency"], amount, {"checkout_session": session["id"]})


def _reprice(session: Doc, items: list[Doc]) -> None:
    parts = [
        Part(item["amount_subtotal"], product=item["price"]["product"], tax_rates=item["_rates"]) for item in items
    ]
    priced = pricing.price_parts(parts, session["currency"], session["_discounts"])
    total = sum(line.total for line in priced)
    check_total(total, session["currency"])
    for item, line in zip(items, priced, strict=True):
        _write_item(item, line, session["_discounts"])
    session |= {"amount_subtotal": sum(line.amount for line in priced), "amount_total": total}
    session["discounts"] = [
        {
            "coupon": one["source"]["coupon"] if one["promotion_code"] is None else None,
            "promotion_code": one["promotion_code"],
        }
        for one in session["_discounts"]
    ]
    session["total_details"] = {
        "amount_discount": sum(sum(line.discounts.values()) for line in priced),
        "amount_shipping": 0,
        "amount_tax": sum(line.tax for line in priced),
    }
    session["_breakdown"] = {
        "discounts": _discount_amounts(invoice_sums.summed_discounts(priced), session["_discounts"]),
        "taxes": _tax_amounts(invoice_sums.summed_taxes(priced)),
    }


def _write_item(item: Doc, priced: Priced, given: list[Doc]) -> None:
    item |= {
        "amount_discount": sum(priced.discounts.values()),
        "amount_tax": priced.tax,
        "amount_total": priced.total,
        "_discount_amounts": _discount_amounts(priced.discounts, given),
        "_tax_amounts": _tax_amounts(priced.taxes),
    }


def _discount_amounts(amounts: dict[str, int], given: list[Doc]) -> list[Doc]:
    by_id = {discount["id"]: discount for discount in given}
    return [{"amount": amount, "discount": copy_of(by_id[name])} for name, amount in amounts.items()]


def _tax_amounts(taxes: tuple[Tax, ...]) -> list[Doc]:
    return [
        {
            "amount": tax.amount,
            "rate": copy_of(tax.rate),
            "taxability_reason": tax.reason,
            "taxable_amount": tax.taxable,
        }
        for tax in taxes
    ]
