"""Who may do what: keys, scopes, revocation."""

import time
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from counterfoil.api.app import without_house
from counterfoil.api.openapi import build, operations
from counterfoil.engine import setup
from counterfoil.store import accounts
from doors.api.caller import Caller, with_scopes
from doors.api.test_story import everything_stored
from houses import World

MATRIX = {
    "read": {
        *("list_customers", "get_customer", "get_customer_state", "get_customer_timeline"),
        *("get_customer_activity", "list_endpoints", "get_endpoint", "list_deliveries", "get_delivery"),
        *("list_payment_methods", "get_payment_method", "list_wallets", "get_wallet", "list_grants", "list_units"),
        *("list_invoices", "get_invoice", "list_payments", "get_payment"),
        *("list_provider_events", "get_provider_event", "list_decisions", "get_decision", "list_events"),
        *("list_cases", "get_case", "get_explanation", "get_grant", "get_balance", "list_statement"),
        *("list_spends", "get_spend", "list_holds", "get_hold", "list_packs", "list_versions"),
        *("get_auto_topup", "get_collection_policy", "get_metadata_mapping"),
        *("list_documents", "get_document", "get_document_pdf", "get_invoice_pdf", "get_receipt_pdf"),
        *("get_seller", "list_number_series"),
        *("get_reconcile_standing", "list_reconcile_runs", "get_reconcile_run"),
        *("list_months", "get_month", "list_month_entries"),
        *("list_messages", "get_message", "get_dunning_policy"),
        *("list_disputes", "get_dispute"),
        *("list_purchases", "get_purchase", "list_pending_lines", "get_pending_line"),
        *("list_refunds", "get_refund"),
    },
    "write": {
        *("create_customer", "update_customer", "pause_customer", "resume_customer", "create_payment_method"),
        *("create_wallet", "create_grant", "create_invoice", "update_invoice", "finalize_invoice", "pay_invoice"),
        *("void_invoice", "create_payment", "cancel_payment", "erase_customer", "put_standing"),
        *("suspend_wallet", "resume_wallet", "close_wallet", "void_grant"),
        *("change_wallet", "forgive_debt", "correct_spend"),
        *("create_purchase", "authorize_purchase", "settle_purchase", "cancel_purchase", "void_purchase"),
        *("set_auto_topup", "stop_auto_topup", "write_off_invoice", "record_payment"),
        "resend_message",
        *("create_pending_line", "cancel_pending_line"),
        "replay_delivery",
    },
    "spend": {"create_spends", "create_holds", "settle_hold", "release_hold"},
    "fix": {"create_reconcile_run", "resolve_case"},
    "refund": {"refund_payment", "refund_purchase"},
    "admin": {
        *("create_unit", "advance_clock", "declare_packs", "declare_collection_policy", "declare_metadata_mapping"),
        "set_dunning_policy",
        *("create_endpoint", "update_endpoint", "delete_endpoint", "rotate_endpoint_secret", "try_endpoint"),
        *("close_month", "set_seller", "set_number_series"),
    },
}
DOCUMENT = build(without_house())
ROUTES = [
    (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if operation["security"]
]


def test_every_route_is_in_the_matrix_of_scopes() -> None:
    declared: dict[str, set[str]] = {}
    for _, operation in operations(DOCUMENT):
        if operation["security"]:
            declared.setdefault(operation["x-scope"], set()).add(operation["operationId"])

    assert declared == MATRIX


def test_every_route_lets_in_its_own_scope_and_no_other(world: World, client: TestClient) -> None:
    callers = {scope: with_scopes(world, client, world.tenant, scope) for scope in setup.SCOPES}
    for method, path, operation in ROUTES:
        needed = next(scope for scope, names in MATRIX.items() if operation["operationId"] in names)
        for scope, caller in callers.items():
            answer = client.request(method, path.replace("{id}", "none"), headers=caller.authorization)
            if scope == needed:
                assert answer.status_code not in (401, 403), (method, path, scope)
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), (method, path, scope)
                assert repr(needed) in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path", "operation"), ROUTES)
def test_no_route_answers_without_a_key(still_client: TestClient, method: str, path: str, operation: object) -> None:
    """Also before the body is looked at: whoever is unknown learns nothing about what would be accepted."""
    answer = still_client.request(method, path.replace("{id}", "none"), content=b"{not json")

    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_missing")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header",
    [
        *("Basic cfk_test_x", "cfk_test_x", "Bearer", "Bearer  "),
        *("Bearer cfk_test_00000000000000000000000001_nonsense0000", "Bearer cfk_test_", "Bearer \xff"),
    ],
)
def test_what_is_no_key_is_refused(still_client: TestClient, header: str) -> None:
    answer = still_client.get("/v1/customers", headers=[(b"Authorization", header.encode("latin-1"))])

    assert answer.status_code == 401


def test_a_key_with_a_typo_or_of_nobody_is_refused(api: Caller, client: TestClient) -> None:
    for wrong in (api.key[:-1], api.key + "x", api.key.replace("secret", "secreT"), api.key.replace("test", "live")):
        answer = client.get("/v1/customers", headers={"Authorization": f"Bearer {wrong}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "api_key_unknown")


def test_a_revoked_key_is_refused_within_a_second(api: Caller, world: World, client: TestClient) -> None:
    """The revocation may be done by another process: it is seen in the database, not told to this one."""
    key, text = setup.create_key(world.house, world.tenant, ("read",))
    revoked = Caller(client, text)
    assert revoked.get("/v1/customers").status_code == 200

    with world.house.database.transaction(world.tenant.id) as tx:
        accounts.revoke_key(tx, key.id, datetime(2026, 6, 14, tzinfo=UTC))
    began = time.monotonic()
    while revoked.get("/v1/customers").status_code == 200:
        assert time.monotonic() - began < 1.0

    assert revoked.get("/v1/customers").json()["code"] == "api_key_unknown"
    assert api.get("/v1/customers").status_code == 200


def test_a_key_stands_nowhere_in_the_database(api: Caller, world: World) -> None:
    api.customer()

    assert api.key not in everything_stored(world)
    assert api.key.rpartition("_")[2] not in everything_stored(world)


def test_a_key_in_the_url_is_not_accepted(api: Caller, client: TestClient) -> None:
    assert client.get(f"/v1/customers?api_key={api.key}").status_code == 401


def test_what_machines_ask_for_needs_no_key(client: TestClient) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs/errors"):
        assert client.get(path).status_code == 200, path
