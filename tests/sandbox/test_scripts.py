"""The Stripe CLI's own scripts run against the sandbox and cause the events that they cause at Stripe."""

import json
from pathlib import Path

import pytest

from counterfoil.sandbox.versions import ACACIA
from sandbox.covering import covers
from sandbox.harness import KEY, CheckedServer
from sandbox.scripts import run_script
from sandbox.shapes import shared

SCRIPTS = (
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.failed",
    "charge.refund.updated",
    "charge.refunded",
    "checkout.session.expired",
    "coupon.created",
    "coupon.deleted",
    "coupon.updated",
    "credit_note.created",
    "credit_note.voided",
    "customer.created",
    "customer.deleted",
    "customer.discount.created",
    "customer.discount.deleted",
    "customer.subscription.created",
    "customer.subscription.paused",
    "customer.subscription.updated",
    "customer.updated",
    "invoice.created",
    "invoice.deleted",
    "invoice.marked_uncollectible",
    "invoice.sent",
    "invoice.voided",
    "payment_intent.payment_failed",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "price.updated",
    "setup_intent.requires_action",
    "setup_intent.succeeded",
    "test_helpers.test_clock.deleted",
)


@covers("alone.scripts")
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_cli_script_causes_its_events(server: CheckedServer, name: str) -> None:
    expected = json.loads((shared() / "stripe-scripts" / "expected-events.json").read_text())[name]["events"]
    with server.locked() as sandbox:
        sandbox.set_default_version(KEY, ACACIA)

    run_script(server, shared() / "stripe-scripts" / f"{name}.json", KEY)

    assert set(expected) <= set(server.event_types())


@covers("payment_pages.confirm")
def test_the_page_of_a_session_is_paid_as_the_cli_does_it(server: CheckedServer, tmp_path: Path) -> None:
    """The CLI's own script for checkout.session.completed has these calls in this order."""
    person = {"email": "jenny@example.com", "name": "Jenny", "address": {"line1": "1 Main St", "country": "US"}}
    steps = [
        ("price", "/v1/prices", {"currency": "usd", "unit_amount": "1500", "product_data": {"name": "tea"}}),
        (
            "session",
            "/v1/checkout/sessions",
            {
                "success_url": "https://shop.example/post",
                "mode": "payment",
                "line_items": [{"price": "${price:id}", "quantity": 2}],
                "payment_intent_data": {"shipping": {"name": "Jenny", "address": {"line1": "1 Main St"}}},
            },
        ),
        ("page", "/v1/payment_pages/${session:id}", None),
        ("card", "/v1/payment_methods", {"type": "card", "card": {"token": "tok_visa"}, "billing_details": person}),
        (
            "confirm",
            "/v1/payment_pages/${session:id}/confirm",
            {"payment_method": "${card:id}", "expected_amount": "${session:amount_total}"},
        ),
    ]
    script = [
        {"name": name, "path": path, "method": "get" if params is None else "post", "params": params or {}}
        for name, path, params in steps
    ]
    (tmp_path / "script.json").write_text(json.dumps({"fixtures": script}))

    run_script(server, tmp_path / "script.json", KEY)

    assert server.event_types()[-1] == "checkout.session.completed"
