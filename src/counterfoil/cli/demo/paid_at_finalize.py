"""`paid-at-finalize`: a downgrade left a credit at the provider, so that the top-up's invoice is paid the moment it is
finalized. Nothing is left to charge, asking for it fails, and the credits have to be given all the same.
"""

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from counterfoil.cli import stand_in
from counterfoil.cli.demo import scene
from counterfoil.cli.demo.ending import Ending, ended
from counterfoil.cli.demo.waiting import until
from counterfoil.cli.serving import progress

if TYPE_CHECKING:
    from counterfoil.cli.demo.stage import Stage

NAME: Final = "paid-at-finalize"
CREDITS: Final = 2_500
PRICE: Final = 5_000
SMALL: Final = 1_900
PLANS: Final = (7_900, 8_900, 9_900)
"""What the plan costs a month before the downgrade: the difference, and so the credit, is above the price."""
NAIVE_KEY: Final = "sk_test_naive_top_up"


def play(stage: "Stage", seed: int) -> Ending:
    """Play the story to its end, and read what came of it."""
    plan = plan_of(seed)
    mark = stage.house.new_id("inbox")
    dana = scene.customer(stage, "Dana", card="pm_card_visa")
    wallet = scene.wallet(stage, dana)
    ref = stage.caller.get(f"/v1/customers/{dana}")["provider_ref"]
    progress(
        f"Dana moves from a plan of {_money(plan)} to one of {_money(SMALL)}; the provider credits the difference …"
    )
    with stage.sandbox.locked() as core:
        credit = downgrade(_asker(core), ref, plan)
    line = len(stage.journal())
    progress(f"She buys {CREDITS} credits for {_money(PRICE)} by an invoice of the provider …")
    bought = _buy(stage, dana, wallet)
    until(lambda: _purchase(stage, bought)["fulfilled_at"], "the credits are given")
    progress("Waiting for the last of the news …")
    stage.wait_for_rest(mark)
    with stage.sandbox.locked() as core:
        left = -int(stand_in.ask(core, "GET", f"/v1/customers/{ref}")["balance"])
        pays = [each for each in core.requests if each["method"] == "POST" and each["path"].endswith("/pay")]
    purchase, charged = _purchase(stage, bought), sum(each["amount"] for each in stage.charges(line))
    lots = stage.caller.get(f"/v1/wallets/{wallet}/grants")["data"]
    paid = {name: each["amount"] for name, each in purchase["paid"].items()}
    available = scene.available(stage, wallet)
    return ended(
        stage,
        NAME,
        seed,
        facts={
            "credit_before": credit,
            "price": PRICE,
            "paid": {"balance": paid["balance"], "card": paid["card"]},
            "charged": charged,
            "credit_after": left,
            "purchase": purchase["status"],
            "lots": len(lots),
            "available": available,
        },
        done=(
            f"The downgrade left {_money(credit)} of credit with the provider. The invoice of {_money(PRICE)} was paid "
            "from it when it was finalized: nothing was left to charge.",
            f"The purchase is {purchase['status']}: {_money(paid['balance'])} by the balance, {_money(paid['card'])} "
            f"by the card. The credits were given once: {available}.",
            f"{_money(left)} of credit are left at the provider, and in the books.",
        ),
        survived=("an invoice that was paid before anybody could pay it", "every event of it, the late ones too"),
        about=bought,
        pages=(f"/purchases/{bought}", f"/wallets/{wallet}", f"/customers/{dana}"),
        checks={
            f"the card was charged {_money(charged)}": charged == 0,
            f"the invoice was asked to be paid {len(pays)} times": not pays,
            f"the balance paid {_money(paid['balance'])}": (paid["balance"], paid["card"]) == (PRICE, 0),
            f"{_money(left)} are left of {_money(credit)}": left == credit - PRICE,
            f"the purchase is {purchase['status']}": purchase["status"] == "settled",
            f"{len(lots)} lots were given": len(lots) == 1,
            f"{available} credits can be spent": available == str(CREDITS),
        },
    )


def plan_of(seed: int) -> int:
    """Say what the plan costs before the downgrade."""
    return random.Random(f"{NAME} {seed}").choice(PLANS)  # noqa: S311 -- a story to be told again, no secret


def downgrade(ask: Any, customer: str, plan: int) -> int:
    """Subscribe to a plan and move down at once. Gives the credit that the provider owes the customer for it."""
    product = ask("POST", "/v1/products", {"name": "Plan"})["id"]
    recurring = {"product": product, "currency": "usd", "recurring[interval]": "month"}
    large, small = (ask("POST", "/v1/prices", recurring | {"unit_amount": each})["id"] for each in (plan, SMALL))
    subscription = ask("POST", "/v1/subscriptions", {"customer": customer, "items[0][price]": large})
    item = subscription["items"]["data"][0]["id"]
    lower = {"items[0][id]": item, "items[0][price]": small, "proration_behavior": "always_invoice"}
    ask("POST", f"/v1/subscriptions/{subscription['id']}", lower)
    return -int(ask("GET", f"/v1/customers/{customer}")["balance"])


def _asker(core: Any) -> Any:
    return lambda method, path, body=None: stand_in.ask(core, method, path, body)


def _buy(stage: "Stage", customer: str, wallet: str) -> str:
    """Buy by the provider's own invoice, as who knows of the balance there has to."""
    price = {"amount": PRICE, "currency": "USD"}
    wanted = {"customer": customer, "wallet": wallet, "credits": str(CREDITS), "price": price, "collector": "provider"}
    return str(stage.caller.post("/v1/purchases", wanted, key=f"demo-top-up-{wallet}")["id"])


def _purchase(stage: "Stage", purchase: str) -> Any:
    return stage.caller.get(f"/v1/purchases/{purchase}")


# --- how it usually goes ---


@dataclass(frozen=True, slots=True)
class Naive:
    """What a usual top-up made of it: it finalizes, asks for the payment, and takes the error for a refusal."""

    seed: int
    credit_before: int
    credit_after: int
    error: str
    credits_given: int

    @property
    def damage(self) -> tuple[str, ...]:
        """Say what is wrong in the end."""
        taken = self.credit_before - self.credit_after
        lost = f"the customer paid {_money(taken)} and got no credits"
        return (lost, "the books say that the payment failed") if taken and not self.credits_given else ()

    def as_json(self) -> str:
        """Say it to a machine, in one line."""
        told = {
            "scenario": NAME,
            "handler": "naive",
            "seed": self.seed,
            "ok": not self.damage,
            "credit_before": self.credit_before,
            "credit_after": self.credit_after,
            "error": self.error,
            "credits_given": self.credits_given,
            "damage": list(self.damage),
        }
        return json.dumps(told, ensure_ascii=False)

    def lines(self) -> tuple[str, ...]:
        """Say it to people."""
        return (
            f"The downgrade left {_money(self.credit_before)} of credit. The invoice of {_money(PRICE)} was finalized, "
            "and the provider paid it from that.",
            f"The handler asked for the payment and was told: {self.error}. It took that for a refused card.",
            f"{_money(self.credit_after)} of credit are left; {self.credits_given} credits were given.",
        )


def play_naive(seed: int) -> Naive:
    """Let a usual top-up meet the same customer, on a sandbox account of its own."""
    from counterfoil.sandbox.server import SandboxServer

    with SandboxServer() as server, server.locked() as core:

        def ask(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
            return stand_in.ask(core, method, path, body, NAIVE_KEY)

        customer = ask("POST", "/v1/customers", {"email": "dana@example.com"})["id"]
        card = ask("POST", "/v1/payment_methods/pm_card_visa/attach", {"customer": customer})["id"]
        ask("POST", f"/v1/customers/{customer}", {"invoice_settings[default_payment_method]": card})
        before = downgrade(ask, customer, plan_of(seed))
        error = _top_up_as_usual(core, ask, customer)
        after = -int(ask("GET", f"/v1/customers/{customer}")["balance"])
        return Naive(seed, before, after, error, 0 if error else CREDITS)


def _top_up_as_usual(core: Any, ask: Any, customer: str) -> str:
    """Bill, finalize, pay; give credits when that went well. Gives what went wrong."""
    from counterfoil.sandbox.wire import Request

    draft = {"customer": customer, "auto_advance": "false", "pending_invoice_items_behavior": "exclude"}
    invoice = ask("POST", "/v1/invoices", draft)["id"]
    line = {"customer": customer, "invoice": invoice, "amount": PRICE, "currency": "usd"}
    ask("POST", "/v1/invoiceitems", line)
    ask("POST", f"/v1/invoices/{invoice}/finalize", {"auto_advance": "false"})
    headers = {"Authorization": f"Bearer {NAIVE_KEY}"}
    answer = core.handle(Request("POST", f"/v1/invoices/{invoice}/pay", headers, b""))
    return "" if answer.status == 200 else str(answer.json()["error"]["message"])


def _money(minor: int) -> str:
    return f"${minor / 100:,.2f}"
