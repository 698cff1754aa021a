"""Credit notes: on open invoices less is due, on paid ones the money goes back in the ways that were asked for."""

from typing import Any

import pytest
import stripe

from counterfoil.sandbox.versions import ACACIA
from sandbox.billing import customer, draft, opened, paid, shown
from sandbox.harness import CheckedServer, code_of


def credited(api: stripe.StripeClient, invoice: str, **more: Any) -> Any:
    params: dict[str, Any] = {"invoice": invoice, **more}
    return api.v1.credit_notes.create(params).to_dict()  # type: ignore[arg-type]


def own_line(amount: int, **more: Any) -> dict[str, Any]:
    return {"type": "custom_line_item", "unit_amount": amount, "quantity": 1, "description": "sorry", **more}


def invoice_line(invoice: Any, place: int = 0, **more: Any) -> dict[str, Any]:
    line = invoice["lines"]["data"][place]["id"]
    return {"type": "invoice_line_item", "invoice_line_item": line, **more}


def due(invoice: Any) -> tuple[int, int, int]:
    return invoice["amount_due"], invoice["amount_paid"], invoice["amount_remaining"]


def test_less_is_due_of_an_open_invoice(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = opened(api, owner.id, 2_000)

    note = credited(api, invoice.id, lines=[own_line(1_000)], reason="order_change", memo="half")

    assert (note["status"], note["type"], note["amount"], note["total"]) == ("issued", "pre_payment", 1_000, 1_000)
    assert (note["pre_payment_amount"], note["post_payment_amount"]) == (1_000, 0)
    assert (note["number"], note["memo"], note["reason"]) == (f"{invoice.number}-CN-01", "half", "order_change")
    after = shown(api, invoice.id, "payments.data.payment.payment_intent")
    assert (due(after), after["total"], after["pre_payment_credit_notes_amount"]) == ((1_000, 0, 1_000), 2_000, 1_000)
    assert after["payments"]["data"][0]["payment"]["payment_intent"]["amount"] == 1_000
    assert server.event_types()[-2:] == ["credit_note.created", "invoice.updated"]
    api.v1.invoices.pay(invoice.id)
    assert [line["amount"] for line in server.journal("charge")] == [1_000]


def test_an_invoice_that_is_credited_wholly_is_paid(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = opened(api, owner.id, 2_000)

    note = credited(api, invoice.id, amount=2_000)

    after = shown(api, invoice.id, "payments")
    assert (after["status"], due(after)) == ("paid", (0, 0, 0))
    assert [row["status"] for row in after["payments"]["data"]] == ["canceled"]
    assert server.event_types()[-2:] == ["invoice.paid", "invoice.payment_succeeded"]
    with pytest.raises(stripe.InvalidRequestError, match="only void credit notes of open invoices"):
        api.v1.credit_notes.void_credit_note(note["id"])


def test_a_void_note_lowers_nothing(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = opened(api, owner.id, 2_000)
    note = credited(api, invoice.id, amount=500)

    void = api.v1.credit_notes.void_credit_note(note["id"])

    assert void.status == "void"
    assert void.voided_at is not None
    after = shown(api, invoice.id)
    assert (due(after), after["pre_payment_credit_notes_amount"]) == ((2_000, 0, 2_000), 0)
    assert server.event_types()[-2:] == ["invoice.updated", "credit_note.voided"]
    with pytest.raises(stripe.InvalidRequestError, match="already void"):
        api.v1.credit_notes.void_credit_note(note["id"])


def test_what_was_paid_goes_back_in_three_ways(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = paid(api, owner.id, 3_000)

    note = credited(
        api,
        invoice.id,
        amount=2_000,
        refund_amount=1_000,
        credit_amount=700,
        out_of_band_amount=300,
        expand=["customer_balance_transaction", "refunds.refund"],
    )

    assert (note["type"], note["post_payment_amount"], note["out_of_band_amount"]) == ("post_payment", 2_000, 300)
    assert note["refunds"][0]["amount_refunded"] == 1_000
    assert (note["refunds"][0]["refund"]["amount"], note["refunds"][0]["refund"]["status"]) == (1_000, "succeeded")
    moved = note["customer_balance_transaction"]
    assert (moved["amount"], moved["type"], moved["credit_note"]) == (-700, "credit_note", note["id"])
    assert api.v1.customers.retrieve(owner.id).balance == -700
    after = shown(api, invoice.id)
    assert (after["status"], due(after)) == ("paid", (3_000, 3_000, 0))
    assert after["post_payment_credit_notes_amount"] == 2_000
    assert [line["amount"] for line in server.journal("refund")] == [1_000]
    older = server.client(version=ACACIA).v1.credit_notes.retrieve(note["id"]).to_dict()
    assert (older["refund"], "refunds" in older) == (note["refunds"][0]["refund"]["id"], False)


def test_a_part_paid_invoice_is_credited_on_both_sides(api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = opened(api, owner.id, 3_000)
    part = api.v1.payment_intents.create(
        {
            "amount": 1_000,
            "currency": "usd",
            "customer": owner.id,
            "payment_method": "pm_card_visa",
            "confirm": True,
        }
    )
    api.v1.invoices.attach_payment(invoice.id, {"payment_intent": part.id})

    note = credited(api, invoice.id, amount=2_500, credit_amount=500)

    assert (note["type"], note["pre_payment_amount"], note["post_payment_amount"]) == ("mixed", 2_000, 500)
    after = shown(api, invoice.id)
    assert (after["status"], due(after)) == ("paid", (1_000, 1_000, 0))


def test_a_refund_that_was_made_before_is_accounted_for(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = shown(api, paid(api, owner.id, 2_000).id, "payments")
    intent = invoice["payments"]["data"][0]["payment"]["payment_intent"]
    refund = api.v1.refunds.create({"payment_intent": intent, "amount": 800})

    newest = credited(api, invoice["id"], amount=500, refunds=[{"refund": refund.id, "amount_refunded": 500}])
    older = credited(server.client(version=ACACIA), invoice["id"], amount=800, refund=refund.id)

    assert newest["refunds"][0] == {
        "amount_refunded": 500,
        "payment_record_refund": None,
        "refund": refund.id,
        "type": "refund",
    }
    assert older["refund"] == refund.id
    assert len(server.journal("refund")) == 1
    for client, wrong in ((api, {"refund": refund.id}), (server.client(version=ACACIA), {"refunds": []})):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            credited(
                client, invoice["id"], amount=1, **(wrong if "refund" in wrong else {"refunds": [{"refund": "x"}]})
            )
        assert code_of(refusal.value) == "parameter_unknown"


def test_a_lines_part_takes_its_discounts_and_taxes_with_it(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    half = api.v1.coupons.create({"percent_off": 50})
    vat = api.v1.tax_rates.create({"display_name": "VAT", "percentage": 20, "inclusive": False})
    bill = draft(api, owner.id, discounts=[{"coupon": half.id}], default_tax_rates=[vat.id])
    item: Any = {"customer": owner.id, "invoice": bill.id, "unit_amount_decimal": "1000", "quantity": 4}
    api.v1.invoice_items.create(item)
    invoice = api.v1.invoices.finalize_invoice(bill.id).to_dict()
    assert invoice["total"] == 2_400

    one = credited(api, invoice["id"], lines=[invoice_line(invoice, quantity=1)])
    rest = credited(api, invoice["id"], lines=[invoice_line(invoice, amount=3_000)])

    assert (one["subtotal"], one["discount_amount"], one["total_excluding_tax"], one["total"]) == (1_000, 500, 500, 600)
    assert one["total_taxes"][0]["amount"] == 100
    line = one["lines"]["data"][0]
    assert (line["amount"], line["quantity"], line["invoice_line_item"]) == (
        1_000,
        1,
        invoice["lines"]["data"][0]["id"],
    )
    assert (rest["total"], shown(api, invoice["id"])["status"]) == (1_800, "paid")
    older = server.client(version=ACACIA).v1.credit_notes.retrieve(one["id"]).to_dict()
    assert (older["tax_amounts"][0]["amount"], older["tax_amounts"][0]["tax_rate"]) == (100, vat.id)


def test_an_own_line_may_have_tax_of_its_own(api: stripe.StripeClient) -> None:
    owner = customer(api)
    vat = api.v1.tax_rates.create({"display_name": "VAT", "percentage": 10, "inclusive": False})
    invoice = opened(api, owner.id, 2_000)

    note = credited(api, invoice.id, lines=[own_line(500, quantity=2, tax_rates=[vat.id])])

    assert (note["subtotal"], note["total"], note["lines"]["data"][0]["tax_rates"][0]["id"]) == (1_000, 1_100, vat.id)


def test_a_preview_changes_nothing(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = opened(api, owner.id, 2_000)
    events = len(server.event_types())
    lines: Any = {"invoice": invoice.id, "lines": [own_line(300), own_line(200)]}

    note = api.v1.credit_notes.preview(lines)
    lines["limit"] = 1
    page = api.v1.credit_notes.preview_lines.list(lines)

    assert (note.total, note.number) == (500, f"{invoice.number}-CN-01")
    assert ([line.amount for line in page.data], page.has_more) == ([300], True)
    assert (api.v1.credit_notes.list().data, len(server.event_types())) == ([], events)
    assert due(shown(api, invoice.id)) == (2_000, 0, 2_000)


def test_notes_are_listed_changed_and_their_lines_paged(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner, other = customer(api), customer(api)
    invoice, second = opened(api, owner.id, 5_000), opened(api, other.id, 5_000)
    many = credited(api, invoice.id, lines=[own_line(10) for _ in range(12)])
    one = credited(api, second.id, amount=100)

    changed = api.v1.credit_notes.update(one["id"], {"memo": "late", "metadata": {"a": "b"}})

    assert (changed.memo, changed.metadata["a"] if changed.metadata else None) == ("late", "b")
    assert server.event_types()[-1] == "credit_note.updated"
    assert (len(many["lines"]["data"]), many["lines"]["has_more"]) == (10, True)
    assert len(api.v1.credit_notes.line_items.list(many["id"], {"limit": 100}).data) == 12
    assert [note.id for note in api.v1.credit_notes.list({"invoice": invoice.id}).data] == [many["id"]]
    assert [note.id for note in api.v1.credit_notes.list({"customer": other.id}).data] == [one["id"]]
    assert api.v1.credit_notes.retrieve(many["id"]).total == 120


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "one of amount, lines"),
        ({"amount": 10, "lines": [own_line(10)]}, "amount, lines"),
        ({"amount": 2_001}, r"more than what can still be credited of the invoice \(\$20.00\)"),
        ({"amount": 100, "credit_amount": 100}, r"\(\$1.00\) must equal the post payment amount .*\(\$0.00\)"),
        ({"lines": [{"type": "custom_line_item"}]}, r"lines\[0\]\[unit_amount\]"),
        ({"lines": [{"type": "invoice_line_item", "invoice_line_item": "il_x"}]}, "does not belong to the invoice"),
        ({"lines": [own_line(10, invoice_line_item="il_x")]}, "can't set `invoice_line_item`"),
    ],
)
def test_a_note_that_does_not_fit_an_open_invoice_is_refused(
    api: stripe.StripeClient, given: dict[str, Any], words: str
) -> None:
    owner = customer(api)
    invoice = opened(api, owner.id, 2_000)

    with pytest.raises(stripe.InvalidRequestError, match=words):
        credited(api, invoice.id, **given)

    assert due(shown(api, invoice.id)) == (2_000, 0, 2_000)


def test_a_note_that_does_not_fit_a_paid_invoice_is_refused(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice, unfinished = paid(api, owner.id, 2_000), draft(api, owner.id, 500)
    credited(api, invoice.id, amount=1_500, refund_amount=1_500)

    for target, given, words in (
        (invoice, {"amount": 500}, "must equal the post payment amount"),
        (invoice, {"amount": 501, "credit_amount": 501}, "can still be credited"),
        (invoice, {"amount": 500, "refund_amount": 400}, "must equal"),
        (unfinished, {"amount": 100}, "draft"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=words):
            credited(api, target.id, **given)

    assert len(server.journal("refund")) == 1
