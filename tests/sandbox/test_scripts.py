"""The Stripe CLI's own scripts run against the sandbox and cause the events that they cause at Stripe."""

import json

import pytest

from counterfoil.sandbox.versions import ACACIA
from sandbox.harness import KEY, CheckedServer
from sandbox.scripts import run_script
from sandbox.shapes import shared

SCRIPTS = (
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.failed",
    "charge.refund.updated",
    "charge.refunded",
    "customer.created",
    "customer.deleted",
    "customer.updated",
    "payment_intent.payment_failed",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "price.updated",
    "setup_intent.requires_action",
    "setup_intent.succeeded",
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_cli_script_causes_its_events(server: CheckedServer, name: str) -> None:
    expected = json.loads((shared() / "stripe-scripts" / "expected-events.json").read_text())[name]["events"]
    with server.locked() as sandbox:
        sandbox.set_default_version(KEY, ACACIA)

    run_script(server, shared() / "stripe-scripts" / f"{name}.json", KEY)

    assert set(expected) <= set(server.event_types())
