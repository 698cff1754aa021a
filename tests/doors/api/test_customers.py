"""Customers: their own ids, their personal fields, their pauses; wallets, units and time beside them."""

from datetime import timedelta

from counterfoil.core.money import USD_CREDIT
from counterfoil.engine import setup
from counterfoil.store import accounts
from doors.api.caller import Caller
from houses import World


def test_a_customer_is_found_by_the_callers_own_id(api: Caller) -> None:
    dana = api.customer("user:7012@example.com")

    found = api.get("/v1/customers/ext:user:7012@example.com").json()

    assert (found["id"], found["external_id"]) == (dana, "user:7012@example.com")
    assert api.get("/v1/customers/ext:nobody").json()["code"] == "not_found"


def test_two_customers_never_share_an_id_of_the_caller(api: Caller) -> None:
    api.customer("dana")

    again = api.post("/v1/customers", {"external_id": "dana"})

    assert (again.status_code, again.json()["code"], again.json()["param"]) == (
        409,
        "external_id_taken",
        "external_id",
    )


def test_fields_that_are_left_out_stay_and_null_clears(api: Caller) -> None:
    dana = api.customer()

    renamed = api.patch(f"/v1/customers/{dana}", {"name": "D. Scully", "metadata": {"team": "x"}}).json()
    cleared = api.patch("/v1/customers/ext:dana", {"email": None}).json()

    assert (renamed["name"], renamed["email"], renamed["metadata"]) == ("D. Scully", "dana@example.com", {"team": "x"})
    assert (cleared["name"], cleared["email"], cleared["metadata"]) == ("D. Scully", None, {"team": "x"})
    assert api.patch(f"/v1/customers/{dana}", {"paused": True}).status_code == 422


def test_a_paused_customer_is_not_charged_until_resumed(api: Caller, world: World) -> None:
    dana = world.customer()
    invoice = api.invoice(dana)

    paused = api.made(f"/v1/customers/{dana}/pause")
    refused = api.post(f"/v1/invoices/{invoice}/pay")
    state = api.get(f"/v1/customers/{dana}/state").json()
    again = api.post(f"/v1/customers/{dana}/pause")
    resumed = api.made("/v1/customers/ext:dana/resume")

    assert (paused["paused"], again.status_code, resumed["paused"]) == (True, 200, False)
    assert (refused.status_code, refused.json()["code"]) == (422, "customer_paused")
    assert [each["kind"] for each in state["restrictions"]] == ["paused"]
    assert api.post(f"/v1/invoices/{invoice}/pay").status_code == 202
    world.pump()
    assert world.charges() == [10_000]


def test_an_order_that_was_queued_before_the_pause_waits_for_its_end(api: Caller, world: World) -> None:
    dana = world.customer()
    api.post(f"/v1/invoices/{api.invoice(dana)}/pay")
    api.made(f"/v1/customers/{dana}/pause")
    world.pump()
    assert world.charges() == []

    api.made(f"/v1/customers/{dana}/resume")
    world.pump()

    assert world.charges() == [10_000]


def test_the_state_of_a_customer_is_one_answer(api: Caller, world: World) -> None:
    dana = world.customer()
    api.credits(dana, "30.5")
    invoice = api.invoice(dana)

    state = api.get("/v1/customers/ext:dana/state").json()

    assert state["customer"]["id"] == dana
    assert [each["last4"] for each in state["payment_methods"]] == ["4242"]
    assert [each["available"]["quantity"] for each in state["wallets"]] == ["30.500000"]
    assert [each["id"] for each in state["open_invoices"]] == [invoice]
    assert state["amounts_due"] == [{"amount": 10_000, "currency": "USD", "formatted": "$100.00"}]
    assert (state["restrictions"], state["open_cases"]) == ([], [])


def test_a_payment_method_is_pending_until_the_provider_has_saved_it(api: Caller, world: World) -> None:
    api.customer()
    asked = api.post("/v1/payment-methods", {"customer": "ext:dana", "token": "pm_card_visa"})
    pending = api.get(f"/v1/payment-methods/{asked.json()['id']}").json()

    world.pump()

    saved = api.get(f"/v1/payment-methods/{asked.json()['id']}").json()
    assert (asked.status_code, pending["status"]) == (202, "pending")
    assert (saved["id"], saved["status"], saved["brand"], saved["default"]) == (pending["id"], "saved", "visa", True)


def test_a_payment_method_that_the_provider_refuses_says_why(api: Caller, world: World) -> None:
    api.customer()
    asked = api.made("/v1/payment-methods", {"customer": "ext:dana", "token": "pm_card_chargeDeclined"})

    world.pump()

    refused = api.get(f"/v1/payment-methods/{asked['id']}").json()
    assert refused["status"] == "refused"
    assert refused["refusal"]
    assert api.get("/v1/payment-methods").json()["data"] == []


def test_a_lot_is_worth_what_was_paid_for_it_and_lasts_as_long_as_it_says(api: Caller, world: World) -> None:
    wallet = api.wallet(api.customer())
    body = {
        "amount": "2500",
        "source": "purchase",
        "cost": {"amount": 5000, "currency": "USD"},
        "priority": 10,
        "expires_at": "2026-06-15T04:04:00+02:00",
    }

    lot = api.made(f"/v1/wallets/{wallet}/grants", body)
    world.clock.step(timedelta(days=2))

    assert (lot["amount"]["quantity"], lot["cost_basis"]["amount"], lot["priority"]) == ("2500.000000", 5000, 10)
    assert lot["expires_at"] == "2026-06-15T02:04:00.000Z"
    assert api.get(f"/v1/wallets/{wallet}").json()["available"]["quantity"] == "0.000000"
    assert [each["id"] for each in api.get(f"/v1/wallets/{wallet}/grants").json()["data"]] == [lot["id"]]


def test_a_customer_has_one_wallet_per_unit(api: Caller) -> None:
    dana = api.customer()
    api.wallet(dana)

    again = api.post("/v1/wallets", {"customer": dana, "unit": "usd-credit"})

    assert (again.status_code, again.json()["code"]) == (409, "wallet_exists")
    assert api.post("/v1/wallets", {"customer": dana, "unit": "no-unit"}).status_code == 404


def test_a_unit_is_declared_once_and_never_changes(api: Caller, world: World) -> None:
    unit = {"code": "api-call", "scale": 0}

    made, same = api.post("/v1/units", unit), api.post("/v1/units", unit)
    other = api.post("/v1/units", {"code": "usd-credit", "scale": 2, "face": {"amount": 100, "currency": "USD"}})

    assert (made.status_code, same.status_code) == (201, 200)
    assert (other.status_code, other.json()["code"]) == (409, "unit_differs")
    listed = {each["code"]: each["scale"] for each in api.get("/v1/units").json()["data"]}
    assert listed == {"api-call": 0, "usd-credit": 6}
    with world.house.database.transaction(world.tenant.id) as tx:
        assert accounts.unit(tx, "usd-credit") == USD_CREDIT


def test_an_invoice_with_a_due_date_is_collected_when_business_time_comes_there(api: Caller, world: World) -> None:
    dana = world.customer()
    line = {"description": "Pro plan", "net": 10_000, "tax": 1_900}
    body = {"customer": dana, "currency": "USD", "lines": [line], "collect_at_due": True}
    invoice = api.made("/v1/invoices", body | {"due_at": "2026-06-20T00:00:00Z"})["id"]
    api.made(f"/v1/invoices/{invoice}/finalize")
    world.pump()
    assert world.charges() == []

    moved = api.made("/v1/test/clock", {"advance": "7d"})
    world.pump()

    assert moved["ahead_s"] == 7 * 86_400
    assert moved["now"].startswith("2026-06-21T")
    assert world.charges() == [11_900]
    assert api.get(f"/v1/invoices/{invoice}").json()["status"] == "paid"


def test_time_moves_forward_only_and_by_one_measure(api: Caller) -> None:
    for body in ({}, {"advance": "2d", "advance_s": 5}, {"advance_s": 0}, {"advance_s": -1}, {"advance": "-2d"}):
        assert api.post("/v1/test/clock", body).status_code == 422, body


def test_time_stands_where_it_is_while_anybodys_live_account_is_connected(api: Caller, world: World) -> None:
    """Business time is one for all who share an installation: a test key must not reach somebody's real timers."""
    live = setup.ensure_tenant(world.house, "live", "live")
    setup.connect(world.house, live.id, setup.Connection("sk_live_x", ("whsec_live",), slug="live"))

    refused = api.post("/v1/test/clock", {"advance": "2d"})

    assert (refused.status_code, refused.json()["code"]) == (409, "clock_fixed")
    assert world.clock.offset == timedelta()


def test_only_the_description_of_an_invoice_can_be_changed(api: Caller) -> None:
    invoice = api.invoice(api.customer())

    changed = api.patch(f"/v1/invoices/{invoice}", {"description": "June"})

    assert (changed.status_code, changed.json()["description"]) == (200, "June")
    assert api.patch(f"/v1/invoices/{invoice}", {"status": "paid"}).status_code == 422


def test_a_void_invoice_owes_nothing_and_is_never_paid(api: Caller) -> None:
    dana = api.customer()
    invoice = api.invoice(dana)

    void = api.made(f"/v1/invoices/{invoice}/void")

    assert (void["status"], void["amount_due"]["amount"]) == ("void", 0)
    refused = api.post(f"/v1/invoices/{invoice}/pay")
    assert (refused.status_code, refused.json()["code"]) == (422, "invoice_not_open")


def test_any_number_explains_itself_over_the_api(api: Caller, world: World) -> None:
    dana = world.customer()
    api.credits(dana, "30")
    invoice = api.invoice(dana)
    api.post(f"/v1/invoices/{invoice}/pay")
    world.pump()

    told = api.get(f"/v1/explain/{invoice}").json()

    assert (told["object"], told["subject"]["id"]) == ("explanation", invoice)
    assert told["equation"] is not None
    assert "intent_settled" in str(told["timeline"])
    assert api.get("/v1/explain/INV-000001").json()["subject"]["id"] == invoice
    assert api.get("/v1/explain/ext:dana").json()["subject"]["id"] == dana
    assert api.get("/v1/explain/nothing").status_code == 404
