"""The console on a socket, for browsers, and the books that its pages are looked at with."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import uvicorn

from counterfoil.console.app import create_console
from counterfoil.core.agreed import Consent, Step, Trigger
from counterfoil.core.agreed import Terms as AutoTerms
from counterfoil.core.books import GrantSource, LineKind
from counterfoil.core.bought import Collector, Settlement
from counterfoil.core.ids import InvoiceId, WalletId
from counterfoil.core.invoicing import NewLine
from counterfoil.core.launch import Launch
from counterfoil.core.money import Money
from counterfoil.core.wallets import Issue, Terms
from counterfoil.engine import auto_topups, operations, purchases
from counterfoil.engine.flush import Held
from counterfoil.engine.house import House
from counterfoil.engine.spends import HoldRequest, SettleRequest, Spender, SpendRequest
from counterfoil.sandbox.wire import Request
from counterfoil.store.spends import Spend
from houses import ONE_CREDIT, STRIPE_KEY, World, body_of
from stories import EitherFirst, a_customer, billed, either_first, funded

SCRIPT = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@dataclass(frozen=True, slots=True)
class Shown:
    """A served console with a story in it. `ids` name one subject of each kind of page."""

    url: str
    world: World
    story: EitherFirst
    ids: dict[str, str]


@contextmanager
def served(house: House) -> Iterator[str]:
    """Serve the console on a free port and give its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_console(house), log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="console")
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def furnish(world: World) -> tuple[EitherFirst, dict[str, str]]:
    """Fill the books: a story that ended well, one with a refused card, money that nobody asked for, and a vandal."""
    story = either_first(world)
    world.clock.step(timedelta(hours=2))
    refused = with_refused_card(world)
    odd = with_lots_of_every_kind(world, refused)
    world.clock.step(timedelta(hours=1))
    stranger = money_of_a_stranger(world)
    vandal = with_scripts_for_names(world)
    world.clock.step(timedelta(hours=1))
    bought = bought_with_a_balance(world, story.customer, story.wallet)
    return story, {"refused": refused, "odd": odd, "bought": bought, "stranger": stranger, "vandal": vandal}


def with_refused_card(world: World) -> str:
    """Erin's invoice: credits are reserved, the card was refused."""
    erin = a_customer(world, "Erin", token="pm_card_chargeCustomerFail")
    funded(world, erin, 12)
    invoice = billed(world, erin, 4_900, "Team plan, July")
    operations.pay(world.ask("POST /v1/payments", "erin-1"), Launch((InvoiceId(invoice),)))
    world.pump()
    return invoice


def with_lots_of_every_kind(world: World, invoice: str) -> str:
    """Erin's wallet gets lots that expire, that are kept for a feature, and one that is taken back: its id."""
    with world.house.database.snapshot(world.tenant.id) as tx:
        row = tx.one(
            """
            select w.id, w.customer from wallet w join invoice i on i.tenant = w.tenant and i.customer = w.customer
            where w.tenant = %(tenant)s and i.id = %(id)s
            """,
            id=invoice,
        )
    assert row is not None
    wallet, erin, now = WalletId(row["id"]), row["customer"], world.clock.now()
    lots = (
        Issue(wallet, GrantSource.PROMOTIONAL, 5 * ONE_CREDIT, 0, None, now, expires_at=now + timedelta(minutes=30)),
        Issue(wallet, GrantSource.PROMOTIONAL, 20 * ONE_CREDIT, 0, None, now, features=("images", "video")),
        Issue(wallet, GrantSource.ALLOWANCE, 9 * ONE_CREDIT, 0, None, now, pool="plan:pro"),
        Issue(wallet, GrantSource.PURCHASE, 40 * ONE_CREDIT, 3_600, "USD", now, expires_at=now + timedelta(days=90)),
    )
    route = "POST /v1/wallets/{wallet}/grants"
    made = [body_of(operations.issue_grant(world.ask(route), erin, each))["id"] for each in lots]
    body_of(operations.void_grant(world.ask("POST /v1/grants/{grant}/void"), made[1]))
    body_of(operations.issue_grant(world.ask(route), erin, lots[1]))
    fills_itself(world, wallet)
    used_up_in_small_pieces(world, wallet)
    world.clock.step(timedelta(minutes=31))
    world.pump()
    return str(wallet)


def fills_itself(world: World, wallet: str) -> None:
    """It buys ten dollars' worth below one, and the use of a plan leaves it alone."""
    asked = world.ask("PUT /v1/wallets/auto-topup")
    consent = Consent("user-1", world.clock.now(), "2026-01")
    step = Step(quantity=10 * ONE_CREDIT, price_minor=1_000)
    terms = AutoTerms(Trigger.THRESHOLD, step, "USD", 5_000, 20_000, consent, below=ONE_CREDIT)
    body_of(auto_topups.set_auto_topup(asked, wallet, lambda unit: terms))
    body_of(operations.change_wallet(world.ask("PATCH /v1/wallets"), wallet, Terms(overflow=False)))


def used_up_in_small_pieces(world: World, wallet: str) -> None:
    """Thirty uses, some of them of a feature that has a lot of its own."""
    uses = [
        SpendRequest(key=f"use-{number}", wallet=wallet, amount="0.85", feature="images" if number % 3 else "chat")
        for number in range(30)
    ]
    holds = [HoldRequest(key=f"hold-{number}", wallet=wallet, amount="4", feature="chat") for number in range(3)]
    tenant = world.tenant.id
    with Spender(world.house) as spender:
        answers = spender.spend_all(tenant, uses).result()
        settled, released, _ = (spender.hold(tenant, each).result() for each in holds)
        assert isinstance(settled, Held)
        assert isinstance(released, Held)
        spender.settle(tenant, settled.hold.id, SettleRequest(amount="1.5")).result()
        spender.release(tenant, released.hold.id).result()
    assert all(isinstance(each, Spend) for each in answers)


def bought_with_a_balance(world: World, customer: str, wallet: str) -> str:
    """Dana has 20 dollars of credit at the provider and buys credits for 50: the purchase's id."""
    held = person_of(world, customer)["customer"]
    stripe(world, f"/v1/customers/{held}/balance_transactions", "amount=-2000&currency=usd&description=Downgrade")
    wanted = purchases.NewPurchase(
        customer=customer,
        settlement=Settlement.INVOICE,
        collector=Collector.PROVIDER,
        wallet=wallet,
        credits="50",
        price=Money(5_000, "USD"),
        description="50 credits",
    )
    purchase: str = body_of(purchases.buy(world.ask("POST /v1/purchases", "top-up-1"), wanted))["id"]
    world.pump()
    return purchase


def money_of_a_stranger(world: World) -> str:
    """A payment that somebody made at the provider and told us nothing about: its id there."""
    frank = a_customer(world, "Frank")
    held = person_of(world, frank)
    form = f"amount=1234&currency=usd&customer={held['customer']}&payment_method={held['method']}"
    made = stripe(world, "/v1/payment_intents", f"{form}&confirm=true&off_session=true")
    world.pump()
    world.clock.step(timedelta(minutes=2))
    world.pump()
    return str(made["id"])


def with_scripts_for_names(world: World) -> str:
    """Mallory, whose name, metadata and invoice line are markup."""
    wanted = operations.NewCustomer(name=SCRIPT, email="mallory@example.com", metadata={"note": SCRIPT})
    mallory: str = body_of(operations.create_customer(world.ask("POST /v1/customers"), wanted))["id"]
    world.pump()
    lines = (NewLine(LineKind.GOODS, SCRIPT, 100),)
    draft = operations.NewInvoice(mallory, "USD", lines, description=SCRIPT)
    invoice: str = body_of(operations.create_invoice(world.ask("POST /v1/invoices"), draft))["id"]
    body_of(operations.finalize_invoice(world.ask("POST /v1/invoices/{invoice}/finalize"), invoice))
    return mallory


def person_of(world: World, customer: str) -> dict[str, str]:
    """The provider's ids of a customer and its card."""
    with world.house.database.snapshot(world.tenant.id) as tx:
        row = tx.one(
            """
            select c.provider_ref as customer, m.provider_ref as method
            from customer c join method m on m.tenant = c.tenant and m.customer = c.id
            where c.tenant = %(tenant)s and c.id = %(id)s
            """,
            id=customer,
        )
    assert row is not None
    return dict(row)


def stripe(world: World, path: str, form: str) -> Any:
    """What the host application asks of the provider behind our back."""
    request = Request("POST", path, {"Authorization": f"Bearer {STRIPE_KEY}"}, form.encode())
    with world.lock:
        answer = world.sandbox.handle(request)
    assert answer.status == 200, answer
    return answer.json()
