"""Lines of a draft: added, changed one by one or several at once, removed for good or to wait for another invoice."""

from typing import Any

import pytest
import stripe

from sandbox.billing import customer, draft, opened, shown
from sandbox.harness import CheckedServer, code_of


def line_ids(invoice: Any) -> list[str]:
    return [line["id"] for line in invoice["lines"]["data"]]


def test_lines_are_added_with_discounts_and_taxes(api: stripe.StripeClient) -> None:
    owner = customer(api)
    vat = api.v1.tax_rates.create({"display_name": "VAT", "percentage": 10, "inclusive": False})
    half = api.v1.coupons.create({"percent_off": 50})
    invoice = draft(api, owner.id, 1_000)

    params: Any = {
        "lines": [{"amount": 400, "description": "tea", "tax_rates": [vat.id], "discounts": [{"coupon": half.id}]}],
        "invoice_metadata": {"a": "b"},
    }
    changed = api.v1.invoices.add_lines(invoice.id, params).to_dict()

    assert (changed["subtotal"], changed["total"], changed["metadata"]) == (1_200, 1_220, {"a": "b"})
    assert [line["description"] for line in changed["lines"]["data"]] == [None, "tea"]


def test_lines_are_changed_together_or_one_by_one(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = draft(api, owner.id, 1_000, 2_000)
    first, second = line_ids(invoice.to_dict())

    both = api.v1.invoices.update_lines(
        invoice.id, {"lines": [{"id": first, "amount": 1_500}, {"id": second, "description": "milk"}]}
    ).to_dict()
    one = api.v1.invoices.line_items.update(invoice.id, second, {"quantity": 2, "metadata": {"a": "b"}})

    assert (both["total"], line_ids(both)) == (3_500, [first, second])
    assert (one.id, one.amount, one.quantity, one.description) == (second, 4_000, 2, "milk")
    after = shown(api, invoice.id)
    assert (after["total"], after["lines"]["data"][1]["metadata"]) == (5_500, {"a": "b"})
    assert server.event_types()[-1] == "invoice.updated"


def test_lines_are_removed_for_good_or_wait_for_another_invoice(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    owner = customer(api)
    invoice = draft(api, owner.id, 1_000, 2_000, 4_000)
    first, second, third = line_ids(invoice.to_dict())

    left = api.v1.invoices.remove_lines(
        invoice.id, {"lines": [{"id": first, "behavior": "delete"}, {"id": third, "behavior": "unassign"}]}
    ).to_dict()

    assert (left["total"], line_ids(left)) == (2_000, [second])
    waiting = api.v1.invoice_items.list({"customer": owner.id, "pending": True}).data
    assert [item.amount for item in waiting] == [4_000]
    assert [item.amount for item in api.v1.invoice_items.list({"customer": owner.id}).data] == [4_000, 2_000]
    assert server.event_types().count("invoiceitem.deleted") == 1


def test_only_lines_of_a_draft_can_be_changed(api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice, other = opened(api, owner.id, 1_000), draft(api, owner.id, 500)
    line = line_ids(invoice.to_dict())[0]

    refused = []
    for act, entry in (
        (api.v1.invoices.add_lines, {"amount": 5}),
        (api.v1.invoices.update_lines, {"id": line, "amount": 5}),
        (api.v1.invoices.remove_lines, {"id": line, "behavior": "delete"}),
    ):
        params: Any = {"lines": [entry]}
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            act(invoice.id, params)
        refused.append(code_of(refusal.value))
    with pytest.raises(stripe.InvalidRequestError) as missing:
        api.v1.invoices.update_lines(other.id, {"lines": [{"id": line, "amount": 5}]})

    assert refused == ["invoice_not_editable"] * 3
    assert (code_of(missing.value), missing.value.param) == ("resource_missing", "lines[0][id]")
    assert shown(api, invoice.id)["total"] == 1_000


def test_an_invoice_by_hand_takes_only_what_waits_for_its_subscription(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    owner = customer(api)
    plan = api.v1.prices.create(
        {"currency": "usd", "unit_amount": 1_000, "recurring": {"interval": "month"}, "product_data": {"name": "Pro"}}
    )
    subscription = api.v1.subscriptions.create({"customer": owner.id, "items": [{"price": plan.id}]})
    for amount, more in ((700, {"subscription": subscription.id}), (900, {})):
        params: Any = {"customer": owner.id, "amount": amount, "currency": "usd", **more}
        api.v1.invoice_items.create(params)

    made = api.v1.invoices.create(
        {
            "customer": owner.id,
            "subscription": subscription.id,
            "pending_invoice_items_behavior": "include",
        }
    ).to_dict()

    assert (made["total"], made["billing_reason"]) == (700, "manual")
    assert made["parent"]["subscription_details"]["subscription"] == subscription.id
    line = made["lines"]["data"][0]["parent"]["invoice_item_details"]
    assert line["subscription"] == subscription.id
    api.v1.invoices.pay(made["id"])
    after = api.v1.subscriptions.retrieve(subscription.id)
    assert (after.status, after.latest_invoice) == ("active", subscription.latest_invoice)
    assert [one.id for one in api.v1.invoices.list({"subscription": subscription.id}).data] == [
        made["id"],
        subscription.latest_invoice,
    ]
    other = customer(api)
    with pytest.raises(stripe.InvalidRequestError, match="does not belong to the customer"):
        api.v1.invoices.create({"customer": other.id, "subscription": subscription.id})
