"""Packs and purchases over HTTP: what is sold, on which terms, and what is refused before anybody is asked to pay."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from behaviours import behaviour
from counterfoil.sandbox.wire import Request
from doors.api.caller import Caller
from houses import STRIPE_KEY, World

FOUR = json.loads((Path(__file__).parents[3] / "examples" / "packs.json").read_text())


@pytest.fixture
def dana(api: Caller, world: World) -> str:
    """A customer with a card and a wallet in credits, where the four packs are on sale."""
    customer = world.customer()
    assert api.post("/v1/packs", FOUR).status_code == 200
    api.post("/v1/wallets", {"customer": customer, "unit": "credits"})
    return customer


def buy(api: Caller, customer: str, **order: Any) -> Any:
    return api.post("/v1/purchases", {"customer": customer, "unit": "credits", **order})


def refund_at_the_provider(world: World, charge: str, minor: int) -> None:
    """A person refunds at the provider's dashboard."""
    form = urlencode({"charge": charge, "amount": minor}).encode()
    with world.lock:
        answer = world.sandbox.handle(Request("POST", "/v1/refunds", {"Authorization": f"Bearer {STRIPE_KEY}"}, form))
    assert answer.status == 200, answer.body


def asked(world: World) -> int:
    """How many objects of money were made at the provider."""
    paths = ("/v1/payment_intents", "/v1/invoices", "/v1/checkout/sessions")
    return sum(each["path"].startswith(paths) for each in world.sandbox.requests)


@behaviour("R-CW-8")
@pytest.mark.parametrize(("size", "cents"), [("1000", 2000), ("2500", 5000), ("6000", 10_000), ("12000", 20_000)])
def test_packs_are_a_closed_catalogue(api: Caller, world: World, dana: str, size: str, cents: int) -> None:
    made = buy(api, dana, credits=size).json()
    refused = buy(api, dana, credits="500")

    assert (made["total"]["amount"], made["credits"]["quantity"]) == (cents, f"{size}.000000")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_option")
    world.pump()
    assert world.charges() == [cents]


@behaviour("R-CW-9")
@pytest.mark.parametrize(
    ("order", "status", "code"),
    [
        ({}, 422, "invalid_credits"),
        ({"credits": "0"}, 422, "invalid_credits"),
        ({"credits": "-1000"}, 422, "invalid_credits"),
        ({"credits": "many"}, 422, "invalid_credits"),
        ({"credits": "1000.0000001"}, 422, "invalid_credits"),
        ({"pack": "pack-pro", "plan": "free"}, 422, "plan_not_eligible"),
        ({"pack": "pack-pro"}, 422, "plan_not_eligible"),
        ({"pack": "pack-77"}, 422, "invalid_option"),
        ({"pack": "pack-1000", "currency": "EUR"}, 422, "invalid_option"),
        ({"pack": "pack-1000", "unit": "usd-credit"}, 404, "not_found"),
        ({"pack": "pack-1000", "payment_method": "pmeth_00000000000000000000000099"}, 404, "not_found"),
    ],
)
def test_bad_input_is_refused_before_anything_is_made_at_the_provider(
    api: Caller, world: World, dana: str, order: dict[str, Any], status: int, code: str
) -> None:
    pro = {"code": "pack-pro", "unit": "credits", "credits": "9", "prices": [{"amount": 1, "currency": "USD"}]}
    api.post("/v1/packs", {"packs": [{**pro, "plans": ["pro"]}]})

    answer = buy(api, dana, **order)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    world.pump()
    assert asked(world) == 0
    assert api.get("/v1/purchases").json()["data"] == []
    assert api.get("/v1/invoices").json()["data"] == []


@behaviour("R-CW-9")
def test_who_cannot_pay_is_told_so_before_anything_is_made(api: Caller, world: World, dana: str) -> None:
    bare = api.customer("bare")
    api.post("/v1/wallets", {"customer": bare, "unit": "credits"})
    no_method = buy(api, bare, pack="pack-1000")
    api.post("/v1/packs", {"policy": {"needs_provider_customer": True}})
    stranger = api.customer("stranger")
    api.post("/v1/wallets", {"customer": stranger, "unit": "credits"})

    unknown = buy(api, stranger, pack="pack-1000")

    assert (no_method.status_code, no_method.json()["code"]) == (402, "no_payment_method")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "stripe_customer_not_configured")
    assert asked(world) == 0


@behaviour("R-LG-20")
def test_the_gates_are_looked_at_before_anything_else(api: Caller, world: World, dana: str) -> None:
    """A stopped shop, a risk, an address that is nobody's: before a bad order, a missing card, or a charge."""
    standing = {"email_verified": False, "risk": "chargebacks"}
    api.post("/v1/packs", {"policy": {"stopped": True, "needs_verified_email": True}})
    put(api, dana, standing)

    def refused() -> tuple[int, str]:
        answers = [buy(api, dana, pack="pack-1000"), buy(api, dana, pack="pack-1000", collector="provider")]
        codes = {(each.status_code, each.json()["code"]) for each in answers}
        assert len(codes) == 1
        return codes.pop()

    assert refused() == (422, "selling_stopped")
    api.post("/v1/packs", {"policy": {"needs_verified_email": True}})
    assert refused() == (422, "customer_flagged")
    put(api, dana, standing | {"risk": None})
    assert refused() == (422, "email_not_verified")
    assert asked(world) == 0
    assert api.get("/v1/purchases").json()["data"] == []

    put(api, dana, {"email_verified": True, "risk": None})
    world.pump()
    assert buy(api, dana, pack="pack-1000").status_code in (201, 202)
    world.pump()
    assert world.charges() == [2000]


def put(api: Caller, customer: str, standing: dict[str, Any]) -> None:
    answer = api.client.put(
        f"/v1/customers/{customer}/standing",
        json=standing,
        headers={**api.authorization, "Idempotency-Key": "-".join(map(str, standing.values()))},
    )
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["email_verified"], shown["risk"]) == (standing["email_verified"], standing["risk"])


@behaviour("R-LG-20")
def test_a_card_that_is_declined_answers_402(api: Caller, world: World, dana: str) -> None:
    api.post("/v1/payment-methods", {"customer": dana, "token": "pm_card_chargeCustomerFail", "default": True})
    world.pump()
    order = {"pack": "pack-1000", "external_id": "top-up-8"}
    buy(api, dana, **order)
    world.pump()

    answer = buy(api, dana, **order)

    assert (answer.status_code, answer.json()["status"]) == (402, "failed")
    assert world.charges() == []


@behaviour("R-LG-19")
def test_custom_amounts_are_whole_units_within_bounds_and_a_fee_stands_on_top(
    api: Caller, world: World, dana: str
) -> None:
    """5 to 5,000 dollars; 5 % on top, and 1.5 % more for a card from abroad. It is never credited. All of it is data of
    the policy."""
    rule = {"unit": "credits", "price": {"amount": 100, "currency": "USD"}, "least": 5, "most": 5000, "fee_bp": 500}
    abroad = {"home_countries": ["US"], "foreign_card_bp": 150}
    api.post("/v1/packs", {"policy": {"custom": [rule], **abroad}})

    refused = [buy(api, dana, credits=each) for each in ("4", "5001", "50.5")]
    made = buy(api, dana, credits="50")

    assert {(each.status_code, each.json()["code"]) for each in refused} == {(422, "invalid_option")}
    assert [made.json()[name]["amount"] for name in ("price", "fee", "total")] == [5000, 250, 5250]
    world.pump()
    held = api.get(f"/v1/purchases/{made.json()['id']}").json()
    lot = api.get(f"/v1/grants/{held['grant']}").json()
    assert (lot["amount"]["quantity"], lot["cost_basis"]["amount"]) == ("50.000000", 5000)
    lines = api.get(f"/v1/invoices/{held['invoice']}").json()["lines"]
    assert [(each["kind"], each["net"]["amount"]) for each in lines] == [("credit_purchase", 5000), ("fee", 250)]
    assert world.charges() == [5250]
    card = api.post("/v1/payment-methods", {"customer": dana, "token": "pm_card_de"}).json()["id"]
    world.pump()
    foreign = buy(api, dana, credits="50", payment_method=card)
    assert [foreign.json()[name]["amount"] for name in ("price", "fee", "total")] == [5000, 325, 5325]
    world.pump()
    assert sorted(world.charges()) == [5250, 5325]
    brought = api.get(f"/v1/grants/{api.get('/v1/purchases/' + foreign.json()['id']).json()['grant']}").json()
    assert brought["amount"]["quantity"] == "50.000000"


@behaviour("R-LG-21")
def test_what_one_customer_buys_in_a_day_is_capped_and_a_failure_gives_its_share_back(
    api: Caller, world: World, dana: str
) -> None:
    api.post("/v1/packs", {"policy": {"caps": [{"amount": 7000, "currency": "USD"}]}})
    first = buy(api, dana, pack="pack-1000")
    world.pump()
    under_way = buy(api, dana, pack="pack-2500")

    refused = buy(api, dana, pack="pack-1000")

    assert first.status_code == under_way.status_code == 202
    assert (refused.status_code, refused.json()["code"]) == (422, "purchase_cap_reached")
    api.post(f"/v1/purchases/{first.json()['id']}/void", {})
    assert buy(api, dana, pack="pack-1000").json()["code"] == "purchase_cap_reached"
    payment = under_way.json()["payment"]["id"]
    assert payment
    world.pump()
    world.clock.step(timedelta(days=1))
    assert buy(api, dana, pack="pack-1000").status_code == 202


@behaviour("R-LG-20")
def test_a_purchase_has_one_name_of_yours(api: Caller, world: World, dana: str) -> None:
    order = {"pack": "pack-1000", "external_id": "top-up-7"}
    first = buy(api, dana, **order)
    world.pump()

    again, other = buy(api, dana, **order), buy(api, dana, pack="pack-2500", external_id="top-up-7")

    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert (other.status_code, other.json()["code"]) == (409, "external_id_taken")
    assert len(world.charges()) == 1


def test_a_new_version_changes_nothing_that_was_bought_before(api: Caller, dana: str) -> None:
    first = buy(api, dana, pack="pack-1000").json()
    dearer = {
        "code": "pack-1000",
        "unit": "credits",
        "credits": "1000",
        "prices": [{"amount": 2500, "currency": "USD"}],
    }

    declared = api.post("/v1/packs", {"packs": [dearer]}).json()
    again = api.post("/v1/packs", {"packs": [dearer]}).json()

    assert (declared["added"], again["added"]) == (["pack-1000"], [])
    assert buy(api, dana, pack="pack-1000").json()["price"]["amount"] == 2500
    assert api.get(f"/v1/purchases/{first['id']}").json()["price"]["amount"] == 2000
    assert [each["version"] for each in api.get("/v1/packs/pack-1000").json()["data"]] == [2, 1]


def test_a_trial_shows_what_the_purchase_would_do_and_leaves_nothing(api: Caller, world: World, dana: str) -> None:
    order = {"customer": dana, "unit": "credits", "pack": "pack-1000"}

    preview = api.post("/v1/purchases?dry_run=true", order).json()

    assert (preview["object"], preview["reason"]) == ("preview", "purchase_made")
    assert "purchase.initiated" in preview["messages"]
    assert api.get("/v1/purchases").json()["data"] == []
    assert buy(api, dana, pack="pack-1000").json()["status"] == "pending"
    world.pump()
    assert api.get("/v1/invoices").json()["data"][0]["number"] == "INV-000001"


def test_a_purchase_explains_itself(api: Caller, world: World, dana: str) -> None:
    made = buy(api, dana, pack="pack-2500").json()
    world.pump()

    told = api.get(f"/v1/explain/{made['id']}").json()

    assert told["finding"].startswith("2500.00 credits for 50.00 USD: it is paid; its credits were given")
    assert [each["adds_up"] for each in (told["equation"], *told["more_equations"])] == [True, True]
    assert {"purchase.initiated"} <= {each["kind"] for each in api.get("/v1/events").json()["data"]}
    assert told["timeline"]


def test_the_providers_own_invoice_collects_a_purchase_where_it_is_asked_to(
    api: Caller, world: World, dana: str
) -> None:
    made = buy(api, dana, pack="pack-2500", collector="provider", external_id="theirs-1")
    assert (made.status_code, made.json()["collector"]) == (202, "provider")

    world.pump()

    held = api.get(f"/v1/purchases/{made.json()['id']}").json()
    again = buy(api, dana, pack="pack-2500", collector="provider", external_id="theirs-1")
    assert (held["status"], held["paid"]["card"]["amount"]) == ("settled", 5000)
    assert (again.status_code, again.json()["id"]) == (201, held["id"])
    assert world.charges() == [5000]
    later = buy(api, dana, pack="pack-2500", collector="provider", invoice_at="2999-01-01T00:00:00Z")
    assert (later.status_code, later.json()["param"]) == (422, "collector")


def test_what_the_provider_collects_is_given_up_there_first(api: Caller, world: World) -> None:
    dana = world.customer(token="pm_card_chargeCustomerFail")
    api.post("/v1/packs", FOUR)
    api.post("/v1/wallets", {"customer": dana, "unit": "credits"})
    made = buy(api, dana, pack="pack-1000", collector="provider").json()

    answer = api.post(f"/v1/purchases/{made['id']}/cancel", {})
    world.pump()

    assert answer.status_code == 200
    assert api.get(f"/v1/purchases/{made['id']}").json()["status"] == "canceled"
    assert world.charges() == []


@behaviour("R-OM-14")
def test_the_lines_of_a_purchase_are_its_own(api: Caller, world: World, dana: str) -> None:
    """They can't be written, changed, canceled or split but by the purchase itself."""
    later = buy(api, dana, pack="pack-1000", invoice_at="2999-01-01T00:00:00Z").json()
    now = buy(api, dana, pack="pack-1000").json()
    (line,) = [each for each in api.get("/v1/pending-lines").json()["data"] if each["purchase"] == later["id"]]
    forged = {"kind": "credit_purchase", "description": "1,000 credits", "net": 1}
    body = {"customer": dana, "currency": "USD", "lines": [forged]}

    canceled = api.post(f"/v1/pending-lines/{line['id']}/cancel", {})
    changed = api.patch(f"/v1/invoices/{now['invoice']}", {"description": "x", "lines": []})
    drafted = api.post("/v1/invoices", body)

    assert (canceled.status_code, canceled.json()["code"]) == (409, "line_managed")
    assert (changed.status_code, changed.json()["errors"][0]["param"]) == (422, "lines")
    assert (drafted.status_code, drafted.json()["errors"][0]["param"]) == (422, "lines[0].kind")
    api.post(f"/v1/purchases/{later['id']}/cancel", {})
    assert api.get(f"/v1/pending-lines/{line['id']}").json()["status"] == "canceled"


OPTIONAL: dict[str, tuple[Any, Any]] = {
    "description": ("July", ""),
    "invoice_description": ("July", ""),
    "features": (["chat"], []),
    "expires_after_s": (60, None),
    "priority": (7, None),
    "plan": ("pro", None),
    "external_id": ("mine", None),
    "currency": ("USD", None),
    "invoice_at": ("2999-01-01T00:00:00Z", None),
    "payment_method": (None, None),
    "tax": (100, 0),
}
WRONG: dict[str, Any] = {
    "description": "x" * 256,
    "features": ["not a word"],
    "expires_after_s": 0,
    "priority": -1,
    "plan": "",
    "external_id": "",
    "currency": "usd",
    "invoice_at": "tomorrow",
    "tax": -1,
    "status": "paid",
    "collector": "",
    "grant_timing": None,
}


@behaviour("R-OM-15")
@pytest.mark.parametrize("name", OPTIONAL)
def test_what_is_optional_may_be_there_empty_or_left_out(api: Caller, dana: str, name: str) -> None:
    given, empty = OPTIONAL[name]

    for order in ({name: given}, {name: empty}, {}):
        assert buy(api, dana, pack="pack-1000", **order).status_code in (201, 202), (name, order)


@behaviour("R-OM-15")
def test_what_is_optional_is_checked_where_it_is_there(api: Caller, dana: str) -> None:
    for name, wrong in WRONG.items():
        answer = buy(api, dana, pack="pack-1000", **{name: wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), name
        assert answer.json()["errors"][0]["param"].startswith(name)
    assert api.get("/v1/purchases").json()["data"] == []


def test_a_full_refund_takes_all_credits_back_also_those_that_were_spent(api: Caller, world: World, dana: str) -> None:
    """INC-17: 105 were paid for 100, 30 of them spent; all of the 105 go back in two parts. The wallet owes 30, which
    stops spending until they are covered."""
    rule = {"unit": "credits", "price": {"amount": 100, "currency": "USD"}, "least": 5, "most": 5000, "fee_bp": 500}
    api.post("/v1/packs", {"policy": {"custom": [rule]}})
    made = buy(api, dana, credits="100").json()
    world.pump()
    wallet = made["wallet"]
    api.made("/v1/spends", {"wallet": wallet, "amount": "30"})
    (charge,) = [line["object"] for line in world.sandbox.journal() if line["kind"] == "charge"]

    seen = []
    for minor in (5250, 5250):
        refund_at_the_provider(world, charge, minor)
        world.pump()
        held = api.get(f"/v1/wallets/{wallet}").json()
        seen.append([held[name]["quantity"].rstrip("0").rstrip(".") for name in ("balance", "debt")])
    stopped = api.post("/v1/spends", {"wallet": wallet, "amount": "1"})
    found = api.get(f"/v1/explain/{made['id']}").json()["finding"]
    api.post(f"/v1/wallets/{wallet}/grants", {"source": "promotional", "amount": "31"})
    covered = api.post("/v1/spends", {"wallet": wallet, "amount": "1"})

    assert seen == [["20", "0"], ["-30", "30"]]
    assert (stopped.status_code, stopped.json()["code"]) == (402, "wallet_in_debt")
    assert "105.00 USD were paid back" in found
    assert covered.status_code == 201


def test_a_fee_is_a_line_of_its_own_on_the_provider_s_invoice_also_in_yen_and_in_silence(
    api: Caller, world: World, dana: str
) -> None:
    """A currency without cents, two lines on one draft, and not one event that arrives."""
    world.control("POST", "faults", {"match": {"event": "*"}, "do": "drop", "times": 1000})
    pack = {"code": "jp", "unit": "credits", "credits": "1000", "prices": [{"amount": 3000, "currency": "JPY"}]}
    api.post("/v1/packs", {"packs": [{**pack, "fee_bp": 333}]})

    made = buy(api, dana, pack="jp", collector="provider").json()
    world.pump()

    held = api.get(f"/v1/purchases/{made['id']}").json()
    assert [held[name]["amount"] for name in ("price", "fee", "total")] == [3000, 100, 3100]
    assert (held["status"], held["paid"]["card"]["amount"], world.charges()) == ("settled", 3100, [3100])
    assert api.get(f"/v1/grants/{held['grant']}").json()["cost_basis"]["amount"] == 3000
