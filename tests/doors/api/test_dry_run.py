"""A dry run says what the real run would decide, and leaves nothing behind."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from doors.api.caller import Caller
from doors.api.test_story import everything_stored
from houses import World

Prepared = tuple[str, Any]
Preparation = Callable[[Caller, World], Prepared]


def grant(api: Caller, world: World) -> Prepared:
    wallet = api.wallet(api.customer())
    return f"/v1/wallets/{wallet}/grants", {
        "amount": "30",
        "source": "purchase",
        "cost": {"amount": 3000, "currency": "USD"},
    }


def finalize(api: Caller, world: World) -> Prepared:
    return f"/v1/invoices/{api.draft(api.customer())}/finalize", None


def void(api: Caller, world: World) -> Prepared:
    return f"/v1/invoices/{api.invoice(api.customer())}/void", None


def pay_with_credits_and_card(api: Caller, world: World) -> Prepared:
    dana = world.customer()
    api.credits(dana, "30")
    return f"/v1/invoices/{api.invoice(dana)}/pay", None


def pay_with_credits_alone(api: Caller, world: World) -> Prepared:
    dana = api.customer()
    api.credits(dana, "200")
    return "/v1/payments", {"invoices": [api.invoice(dana)]}


def pay_with_nothing(api: Caller, world: World) -> Prepared:
    return "/v1/payments", {"invoices": [api.invoice(api.customer())]}


def cancel(api: Caller, world: World) -> Prepared:
    dana = world.customer(token=None)
    api.credits(dana, "30")
    invoice = api.invoice(dana)
    payment = api.post("/v1/payments", {"invoices": [invoice], "confirm": "client"}).json()["id"]
    world.pump()
    return f"/v1/payments/{payment}/cancel", None


MONEY = [grant, finalize, void, pay_with_credits_and_card, pay_with_credits_alone, pay_with_nothing, cancel]


@pytest.mark.parametrize("prepare", MONEY)
def test_a_dry_run_equals_the_first_decision_of_the_real_run(api: Caller, world: World, prepare: Preparation) -> None:
    path, body = prepare(api, world)
    before = counted(world)

    dry = api.post(f"{path}?dry_run=true", body).json()
    after_dry = counted(world)
    real = api.post(path, body, key="real")

    assert after_dry == before
    decision = api.get("/v1/decisions", limit=1).json()["data"][0]
    assert (dry["object"], dry["reason"], dry["rule"]) == ("preview", decision["reason"], decision["rule"])
    assert anonymous(dry["effects"]) == anonymous(decision["effects"])
    assert anonymous(dry["sentence"]) == anonymous(decision["sentence"])
    entries = [each for each in decision["effects"] if each["effect"] == "post"]
    assert anonymous(dry["entries"]) == anonymous(entries)
    told = [each["kind"] for each in decision["effects"] if each["effect"] == "notify"]
    assert dry["messages"] == told
    assert real.status_code < 500


def test_a_dry_run_uses_no_key_up(api: Caller) -> None:
    invoice = api.draft(api.customer())
    api.post(f"/v1/invoices/{invoice}/finalize?dry_run=true", key="k")

    real = api.post(f"/v1/invoices/{invoice}/finalize", key="k")

    assert (real.status_code, real.json()["number"]) == (200, "INV-000001")


def test_a_dry_run_replays_nothing(api: Caller) -> None:
    """Asked again under a key that was used, it still says what would happen now."""
    invoice = api.draft(api.customer())
    api.made(f"/v1/invoices/{invoice}/finalize", key="k")

    dry = api.post(f"/v1/invoices/{invoice}/finalize?dry_run=true", key="k")

    assert (dry.json()["object"], dry.json()["reason"]) == ("preview", "invoice_not_draft")
    assert "Idempotency-Replayed" not in dry.headers


def test_a_dry_run_sends_nothing_to_the_provider(api: Caller, world: World) -> None:
    invoice = api.invoice(world.customer())

    api.post(f"/v1/invoices/{invoice}/pay?dry_run=true")
    world.pump()

    assert world.charges() == []


def test_a_misspelt_dry_run_is_refused_and_not_done_for_real(api: Caller) -> None:
    invoice = api.draft(api.customer())

    answer = api.post(f"/v1/invoices/{invoice}/finalize?dryrun=true")

    assert (answer.status_code, answer.json()["errors"][0]["param"]) == (422, "dryrun")
    assert api.get(f"/v1/invoices/{invoice}").json()["status"] == "draft"


def counted(world: World) -> str:
    """Everything that is stored, without what reading by itself moves."""
    return everything_stored(world)


def anonymous(value: Any) -> Any:
    """The same value with ids of our own numbered by their first appearance, and without times."""
    text = json.dumps(value, sort_keys=True)
    seen: dict[str, str] = {}
    names = re.compile(r"\b([a-z]+)_[0-9a-hjkmnp-tv-z]{26}")
    text = names.sub(lambda found: seen.setdefault(found.group(), f"{found.group(1)}-{len(seen)}"), text)
    return json.loads(re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(\+00:00|Z)", "at", text))
