"""Credit notes: less is owed of an invoice that is open, or money goes back of one that was paid."""

from __future__ import annotations

from counterfoil.sandbox import credit_note_lines, crediting, invoice_sums
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.credit_note_lines import Credit
from counterfoil.sandbox.currencies import formatted
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import invalid, parameter_unknown
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of, page_of_rows
from counterfoil.sandbox.params import Choice, Given, Hash, Items, Kind, Need, Text, Whole, uncovered
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.versions import BASIL, since

KIND = "credit_note"
SHOWN_LINES = 10
_CREATE: dict[str, Kind] = {
    **METADATA,
    "amount": Whole(least=1),
    "credit_amount": Whole(least=0),
    "effective_at": Whole(),
    "email_type": Choice(("credit_note", "none"), clears=False),
    "invoice": Need(Text()),
    "lines": credit_note_lines.LINES,
    "memo": Text(),
    "out_of_band_amount": Whole(least=0),
    "reason": Choice(("duplicate", "fraudulent", "order_change", "product_unsatisfactory"), clears=False),
    "refund": Text(),
    "refund_amount": Whole(least=0),
    "refunds": Items(
        Hash(
            {
                "amount_refunded": Whole(least=1),
                "refund": Text(),
                "type": Choice(("refund",), clears=False),
                **uncovered("payment_record_refund"),
            }
        )
    ),
    **uncovered("shipping_cost"),
}


def _create(call: Call) -> Doc:
    invoice, note = _drawn_up(call)
    crediting.settle(call, invoice, note, _linked(call.given))
    return call.save(note)


def _preview(call: Call) -> Doc:
    return _drawn_up(call)[1]


def _preview_lines(call: Call) -> Page:
    return _page_of_lines(call, _drawn_up(call)[1])


def _retrieve(call: Call) -> Doc:
    return call.find(KIND)


def _lines(call: Call) -> Page:
    return _page_of_lines(call, call.find(KIND))


def _update(call: Call) -> Doc:
    note = call.find(KIND)
    before = copy_of(note)
    apply_given(note, call.given, ("memo", "metadata"))
    return call.save(note, "credit_note.updated", before)


def _void(call: Call) -> Doc:
    note = call.find(KIND)
    invoice = call.shelf.find("invoice", note["invoice"], "invoice")
    if note["status"] == "void":
        raise invalid("This credit note is already void.")
    if invoice["status"] != "open" or note["type"] != "pre_payment":
        raise invalid("You can only void credit notes of open invoices.")
    note |= {"status": "void", "voided_at": call.now}
    call.shelf.save(note)
    crediting.owe_again(call, invoice, note["pre_payment_amount"])
    call.emit("credit_note.voided", note)
    return note


def _list(call: Call) -> Page:
    return page_of(call, KIND, matches(call.given, "customer", "invoice"))


def _drawn_up(call: Call) -> tuple[Doc, Doc]:
    """The invoice that is credited and the note as it would be, with nothing changed yet."""
    given = call.given
    _check_version(call)
    invoice = call.referred("invoice", given["invoice"], "invoice")
    if invoice["status"] in ("draft", "void"):
        raise invalid(f"You can't create a credit note for an invoice that is {invoice['status']}.", "invoice")
    lines = credit_note_lines.credits_of(call, invoice)
    note = _blank(call, invoice) | _sums(lines)
    _check_total(call, invoice, note)
    note |= crediting.split(invoice, note["total"])
    note["_lines"] = [credit_note_lines.shown(call, line) for line in lines]
    note["lines"] = _shown_lines(note)
    apply_given(note, given, ("memo", "metadata", "reason"))
    note["effective_at"] = given.get("effective_at") or call.now
    crediting.check_shares(call, invoice, note, _linked(given))
    return invoice, note


def _check_version(call: Call) -> None:
    """2025-03-31 replaced `refund` by `refunds`."""
    gone = "refund" if since(call.version, BASIL) else "refunds"
    if gone in call.given:
        raise parameter_unknown([gone])


def _linked(given: Given) -> list[Given]:
    """The refunds made already that the note accounts for."""
    return given.get("refunds") or ([{"refund": given["refund"]}] if given.get("refund") else [])


def _check_total(call: Call, invoice: Doc, note: Doc) -> None:
    if note["total"] <= 0:
        raise invalid("The total of a credit note must be more than zero.", "amount")
    issued = [one for one in call.shelf.rows(KIND) if one["invoice"] == invoice["id"] and one["status"] == "issued"]
    left = invoice["total"] - sum(one["total"] for one in issued)
    if note["total"] > left:
        message = (
            f"The credit note total ({formatted(note['total'], note['currency'])}) is more than what can still be "
            f"credited of the invoice ({formatted(max(left, 0), note['currency'])})."
        )
        raise invalid(message, "amount" if call.given.get("amount") is not None else "lines")


def _sums(lines: list[Credit]) -> Doc:
    priced = [line.priced for line in lines]
    total = sum(line.total for line in priced)
    discounts, taxes = invoice_sums.summed_discounts(priced), invoice_sums.summed_taxes(priced)
    return {
        "amount": total,
        "discount_amount": sum(discounts.values()),
        "discount_amounts": invoice_sums.discounts_shown(discounts),
        "pretax_credit_amounts": invoice_sums.credits_shown(discounts),
        "subtotal": sum(line.amount for line in priced),
        "subtotal_excluding_tax": sum(line.subtotal_untaxed for line in priced),
        "tax_amounts": invoice_sums.taxes_before_basil(taxes),
        "total": total,
        "total_excluding_tax": sum(line.untaxed for line in priced),
        "total_taxes": invoice_sums.taxes_shown(taxes),
    }


def _shown_lines(note: Doc) -> Doc:
    return {
        "object": "list",
        "data": note["_lines"][:SHOWN_LINES],
        "has_more": len(note["_lines"]) > SHOWN_LINES,
        "url": f"/v1/credit_notes/{note['id']}/lines",
    }


def _page_of_lines(call: Call, note: Doc) -> Page:
    return page_of_rows(call, "credit_note_line_item", iter([(line["id"], line) for line in note["_lines"]]))


def _blank(call: Call, invoice: Doc) -> Doc:
    identifier = call.world.new_id("cn_1")
    earlier = sum(note["invoice"] == invoice["id"] for note in call.shelf.rows(KIND))
    mode = "live" if call.livemode else "test"
    return {
        "id": identifier,
        "object": KIND,
        "amount_shipping": 0,
        "created": call.now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "invoice": invoice["id"],
        "livemode": call.livemode,
        "memo": None,
        "metadata": {},
        "number": f"{invoice['number']}-CN-{earlier + 1:02}",
        "out_of_band_amount": call.given.get("out_of_band_amount"),
        "pdf": f"https://pay.stripe.com/credit_notes/{call.shelf.account['id']}/{mode}_{identifier}/pdf?s=ap",
        "reason": None,
        "refund": None,
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "voided_at": None,
    }


_PATH = "/v1/credit_notes"
ROUTES = (
    Route("POST", _PATH, _create, _CREATE),
    Route("GET", _PATH + "/preview", _preview, _CREATE),
    Route("GET", _PATH + "/preview/lines", _preview_lines, {**_CREATE, **PAGING}),
    Route("GET", _PATH + "/{id}", _retrieve),
    Route("GET", _PATH + "/{id}/lines", _lines, PAGING),
    Route("POST", _PATH + "/{id}", _update, {**METADATA, "memo": Text()}),
    Route("POST", _PATH + "/{id}/void", _void),
    Route("GET", _PATH, _list, {**PAGING, **CREATED, "customer": Text(), "invoice": Text()}),
)
