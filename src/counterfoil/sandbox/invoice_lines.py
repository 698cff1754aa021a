"""The lines of an invoice: listed, and on a draft added, changed and removed."""

from __future__ import annotations

from counterfoil.sandbox import invoice_fields, invoice_items
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid, resource_missing
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import PAGING, Page, page_of_rows
from counterfoil.sandbox.params import Choice, Given, Hash, Items, Kind, Need, Text
from counterfoil.sandbox.routing import Route

_CHANGE: dict[str, Kind] = {name: kind for name, kind in invoice_items.LINE.items() if name != "invoice_item"}
_OF_SUBSCRIPTION = frozenset({"description", "id", "metadata"})
"""What can be changed of a line that a subscription made."""


def release(call: Call, item: Doc) -> None:
    """What becomes of an item that leaves its draft: one that waited before waits again, others are gone."""
    if item["_own"]:
        call.shelf.bury(item)
        call.emit("invoiceitem.deleted", item)
        return
    item["invoice"] = None
    call.shelf.save(item)


def _list(call: Call) -> Page:
    invoice = call.find("invoice", "invoice")
    return page_of_rows(call, "line_item", iter([(line["id"], line) for line in invoice["_lines"]]))


def _add(call: Call) -> Doc:
    invoice, customer = _draft(call)
    before = copy_of(invoice)
    for position, line in enumerate(call.given["lines"]):
        item = _item_of_line(call, invoice, line, customer, f"lines[{position}]")
        invoice_items.take_up(call, invoice, [item])
    return _saved(call, invoice, customer, before)


def _update(call: Call) -> Doc:
    invoice, customer = _draft(call)
    before = copy_of(invoice)
    found = [_line(invoice, given["id"], f"lines[{place}][id]") for place, given in enumerate(call.given["lines"])]
    for line, given in zip(found, call.given["lines"], strict=True):
        _change(call, invoice, line, given)
    return _saved(call, invoice, customer, before)


def _update_one(call: Call) -> Doc:
    invoice, customer = _draft(call)
    before = copy_of(invoice)
    line = _line(invoice, call.path["line"], "line_item_id", 404)
    _change(call, invoice, line, call.given)
    _saved(call, invoice, customer, before)
    return _line(invoice, line["id"], "line_item_id")


def _remove(call: Call) -> Doc:
    invoice, customer = _draft(call)
    before = copy_of(invoice)
    wanted = call.given["lines"]
    found = [_line(invoice, given["id"], f"lines[{place}][id]") for place, given in enumerate(wanted)]
    for line, given in zip(found, wanted, strict=True):
        item = _item_behind(call, line)
        item["_own"] = given["behavior"] == "delete"
        release(call, item)
    gone = {line["id"] for line in found}
    invoice["_lines"] = [line for line in invoice["_lines"] if line["id"] not in gone]
    return _saved(call, invoice, customer, before)


def _draft(call: Call) -> tuple[Doc, Doc]:
    """The invoice, which must be a draft, and its customer."""
    invoice = call.find("invoice", "invoice")
    if invoice["status"] != "draft":
        raise invoice_items.not_editable(invoice)
    return invoice, call.shelf.find("customer", invoice["customer"], "customer", 400)


def _saved(call: Call, invoice: Doc, customer: Doc, before: Doc) -> Doc:
    if "invoice_metadata" in call.given:
        apply_given(invoice, {"metadata": call.given["invoice_metadata"]}, ("metadata",))
    invoice_fields.recount(invoice, customer)
    return call.save(invoice, "invoice.updated", before)


def _line(invoice: Doc, identifier: str, param: str, status: int = 400) -> Doc:
    found: Doc | None = next((line for line in invoice["_lines"] if line["id"] == identifier), None)
    if found is None:
        raise resource_missing("invoice line item", identifier, param, status)
    return found


def _change(call: Call, invoice: Doc, line: Doc, given: Given) -> None:
    """Change the item behind a line, and draw the line anew."""
    if not line.get("invoice_item"):
        beyond = set(given) - _OF_SUBSCRIPTION
        if beyond:
            message = f"The sandbox does not cover changing {', '.join(sorted(beyond))} of a subscription's line."
            raise StripeError(message, param=min(beyond))
        apply_given(line, given, ("description", "metadata"))
        return
    item = _item_behind(call, line)
    invoice_items.change_item(call, item, given)
    fresh = invoice_items.line_of(call, item) | {"id": line["id"]}
    invoice["_lines"] = [fresh if one["id"] == line["id"] else one for one in invoice["_lines"]]


def _item_behind(call: Call, line: Doc) -> Doc:
    if not line.get("invoice_item"):
        raise invalid(f"The invoice line item {line['id']} belongs to a subscription, so it can't be removed.", "lines")
    return call.shelf.find("invoiceitem", line["invoice_item"], "invoiceitem", 400)


def _item_of_line(call: Call, invoice: Doc, line: Given, customer: Doc, path: str) -> Doc:
    """The waiting item that a line names, or a new one."""
    if not line.get("invoice_item"):
        return invoice_items.add_item(call, line, customer, invoice)
    item = call.referred("invoiceitem", line["invoice_item"], f"{path}[invoice_item]")
    if item["customer"] != customer["id"] or item["invoice"] is not None or item["currency"] != invoice["currency"]:
        raise invalid(f"The invoice item {item['id']} can't be added to this invoice.", f"{path}[invoice_item]")
    return item


_PATH = "/v1/invoices/{id}"
_CHANGED = Hash({**_CHANGE, "id": Need(Text())})
_REMOVED = Hash({"behavior": Need(Choice(("delete", "unassign"), clears=False)), "id": Need(Text())})
_LABELS = {"invoice_metadata": METADATA["metadata"]}
ROUTES = (
    Route("GET", _PATH + "/lines", _list, PAGING),
    Route("POST", _PATH + "/lines/{line}", _update_one, _CHANGE),
    Route("POST", _PATH + "/add_lines", _add, {**_LABELS, "lines": Need(Items(Hash(invoice_items.LINE)))}),
    Route(
        "POST",
        _PATH + "/update_lines",
        _update,
        {**_LABELS, "lines": Need(Items(Hash({**_CHANGE, "id": Need(Text())})))},
    ),
    Route("POST", _PATH + "/remove_lines", _remove, {**_LABELS, "lines": Need(Items(_REMOVED))}),
)
