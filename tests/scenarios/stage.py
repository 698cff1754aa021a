"""The stage of a story: a simulated house whose every step the story takes itself, and the story told as text."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from counterfoil.core.books import Confirmation
from counterfoil.engine import runs
from counterfoil.engine.commands import Result
from counterfoil.engine.phases import Phase
from counterfoil.engine.runs import Wanted
from counterfoil.sim.crew import Flow, Step, Worker
from counterfoil.sim.desk import CARD_ON_FILE, Desk, Terms, read
from counterfoil.sim.judge import books_of, check_rest, check_step
from counterfoil.sim.post import Parcel, Post
from counterfoil.sim.site import Site, open_site
from counterfoil.sim.trouble import ShakyDatabase, Trouble
from counterfoil.store.database import Database, Row
from telling import Names

GOLDENS = Path(__file__).parents[1] / "goldens"
BROWSER = Terms(confirm=Confirmation.CLIENT)


@dataclass(slots=True)
class Stage:
    """One tenant, its provider, and one worker driven by hand."""

    database: Database
    site: Site
    desk: Desk
    post: Post
    worker: Worker
    commits: list[Trouble | None]
    """What goes wrong with the next commits, first come first served."""

    # --- who is there ---

    def customer(self, *cards: str) -> str:
        """A customer with saved payment methods, the last one being the default."""
        customer: str = read(self.desk.customer("dana"))["id"]
        self.run()
        for card in cards:
            self.desk.method(customer, card)
            self.run()
        self.site.pass_time(timedelta(minutes=1))
        return customer

    def credits(self, customer: str, cents: int) -> str:
        """A wallet with one lot that was bought for as much."""
        wallet: str = read(self.desk.wallet(customer))["id"]
        self.desk.grant(customer, wallet, cents)
        return wallet

    def bill(self, customer: str, minor: int) -> str:
        """An open invoice."""
        invoice: str = read(self.desk.draft(customer, minor))["id"]
        self.desk.finalize(invoice)
        return invoice

    def pay(self, *invoices: str, terms: Terms = CARD_ON_FILE) -> str:
        """Launch a payment and give its id."""
        payment: str = read(self.desk.pay(*invoices, terms=terms))["id"]
        return payment

    # --- what happens ---

    def run(self) -> None:
        """Bring the post and work until nothing is due."""
        while self.post.bring_all() + self.worker.work():
            pass

    def work(self) -> None:
        """Work until nothing is due. What the provider sends does not arrive."""
        self.worker.work()
        self.post.collect()

    def rest(self) -> None:
        """Let two sweeps pass, so that nothing more comes by itself."""
        for _ in range(2):
            self.run()
            self.site.pass_time(timedelta(hours=1, seconds=1))
        self.run()

    def reconcile(self, since: timedelta | None = None, *, everything: bool = False) -> Row:
        """Have a run made, work until it is over, and give it. What the provider sends does not arrive."""
        wanted = Wanted(self.site.clock.now() - since if since else None, everything)
        with self.database.transaction(self.site.tenant) as tx:
            run = runs.ask(tx, self.site.house, wanted)
        for _ in range(60):
            self.work()
            self.lose_post()
            (row,) = self.rows("select * from reconcile_run where tenant = %(tenant)s and id = %(id)s", id=run)
            if row["ended_at"]:
                return row
            self.site.pass_time(timedelta(seconds=20))
        raise AssertionError(f"the run does not end: {row}")

    def until(self, name: str) -> Flow:
        """Work up to a phase and give the flow that stands before it. Everything else that is due is finished."""
        for _ in range(20):
            self.worker.claim()
            for flow in list(self.worker.flows):
                while flow in self.worker.flows and flow.name != name:
                    self.worker.step(flow)
                if flow in self.worker.flows:
                    return flow
        raise AssertionError(f"nothing came to {name}")

    def finish(self, flow: Flow) -> Step:
        """Run a flow to its end."""
        step = Step.WENT_ON
        while step is Step.WENT_ON:
            step = self.worker.step(flow)
        return step

    def set_aside(self, flow: Flow) -> "Aside":
        """Let a flow stand still in another process, to go on later."""
        self.worker.flows.remove(flow)
        return Aside(self.site, flow)

    def bring(self, *kinds: str) -> None:
        """Let these events arrive, one of each kind, in this order."""
        self.post.collect()
        for kind in kinds:
            parcel = next(each for each in self.post.under_way if each.attempt.event_type == kind)
            self.post.bring(parcel)

    def parcel(self, kind: str) -> Parcel:
        """An event under way."""
        self.post.collect()
        return next(each for each in self.post.under_way if each.attempt.event_type == kind)

    def lose_post(self) -> None:
        """Lose everything that is under way, for ever."""
        self.post.collect()
        for parcel in list(self.post.under_way):
            self.post.lose(parcel, for_ever=True)

    def trouble(self, do: str, path: str = "*", **options: Any) -> None:
        """Let the next matching call to the provider go wrong."""
        match = {"path": path, "method": options.pop("method", "POST")}
        self.site.provider.control("POST", "faults", {"match": match, "do": do, "times": 1, **options})

    def intent(self, customer: str, minor: int, card: str | None = None, currency: str = "usd") -> str:
        """A payment that the host application makes, and collects when a card is named. Gives its id."""
        form = {"customer": self.customer_ref(customer), "amount": minor, "currency": currency}
        made: str = self.site.provider.ask("POST", "/v1/payment_intents", **form)["id"]
        if card:
            self.confirm(made, card)
        return made

    def confirm(self, intent: str, card: str) -> str:
        """The customer confirms a payment in the browser. Gives its status, or the refusal's code."""
        path = f"/v1/payment_intents/{intent}/confirm"
        form = {"payment_method": card, "return_url": "https://host.test"}
        answer = self.site.provider.ask("POST", path, **form)
        return str(answer.get("status") or answer["error"]["code"])

    def authenticate(self, intent: str, outcome: str = "succeed") -> None:
        """The customer answers the bank."""
        self.site.provider.control("POST", f"payment_intents/{intent}/authenticate", {"outcome": outcome})

    # --- what is seen ---

    def answer(self, result: Result) -> tuple[int, str]:
        """The status of a command's answer by now, and that of its payment."""
        now = self.desk.look(result)
        return now.answer.status, read(now)["status"]

    def rows(self, sql: str, **values: Any) -> list[Row]:
        """Look into the books."""
        with self.database.transaction(self.site.tenant) as tx:
            return tx.rows(sql, **values)

    def invoice(self, invoice: str) -> Row:
        (row,) = self.rows("select * from invoice where tenant = %(tenant)s and id = %(id)s", id=invoice)
        return row

    def legs(self, payment: str) -> list[Row]:
        sql = "select * from leg where tenant = %(tenant)s and payment = %(id)s order by position"
        return self.rows(sql, id=payment)

    def statuses(self, payment: str) -> list[str]:
        return [f"{leg['kind']} {leg['amount_minor']} {leg['status']}" for leg in self.legs(payment)]

    def intent_of(self, payment: str) -> str:
        """The provider's id of the newest provider leg."""
        return str([leg["provider_ref"] for leg in self.legs(payment) if leg["provider_ref"]][-1])

    def reasons(self) -> Counter[str]:
        """How often each reason was given for news of the provider."""
        sql = """
            select d.reason, count(*) as n from decision d
            join inbox i on i.tenant = d.tenant and i.id = d.inbox
            where d.tenant = %(tenant)s and i.source <> 'api' group by d.reason
        """
        return Counter({row["reason"]: row["n"] for row in self.rows(sql)})

    def events(self, kind: str) -> int:
        """How many of our own events of a kind were made."""
        return len(self.rows("select id from event where tenant = %(tenant)s and kind = %(kind)s", kind=kind))

    def questions(self) -> list[str]:
        """What persons are asked."""
        sql = "select question from review_case where tenant = %(tenant)s order by opened_at, id"
        return [row["question"] for row in self.rows(sql)]

    def customer_ref(self, customer: str) -> str:
        (row,) = self.rows("select provider_ref from customer where tenant = %(tenant)s and id = %(id)s", id=customer)
        return str(row["provider_ref"])

    def charged(self) -> list[int]:
        """The amounts that the provider took, oldest first."""
        return [each["amount"] for each in self.site.provider.charges()][::-1]

    def requests(self, path: str) -> list[dict[str, Any]]:
        """The requests that the provider got at a path."""
        return [each for each in self.site.provider.sandbox.requests if each["path"].startswith(path)]

    def standing(self) -> list[Row]:
        """The books, as they must be whatever the order of the news was."""
        return books_of(self.database, self.site)

    def sound(self) -> bool:
        """Say whether every invariant holds at this moment."""
        breaches = check_step(self.database, self.site)
        assert not breaches, breaches
        return True

    def at_rest(self) -> bool:
        """Say whether every invariant holds and our view is the provider's."""
        breaches = check_rest(self.database, self.site)
        assert not breaches, breaches
        return True

    # --- the story ---

    def story(self) -> str:
        """What was decided about the provider's news and the commands, the legs, the journal and the charges."""
        lines = [self._step(row) for row in self.rows(STEPS)] + [""]
        lines += [self._leg(row) for row in self.rows(LEGS)] + [""]
        lines += [self._posting(row) for row in self.rows(POSTINGS)] + [""]
        lines += [f"the provider charged {amount}" for amount in self.charged()]
        return Names()("\n".join(lines)) + "\n"

    def _step(self, row: Row) -> str:
        times = f" ×{row['deliveries']}" if row["deliveries"] > 1 else ""
        told = f"{row['outcome']} {row['reason']}: {row['sentence']}" if row["reason"] else row["status"]
        return f"{row['source']} {row['kind']}{times} → {told}"

    def _leg(self, row: Row) -> str:
        return f"{row['number']} {row['invoice_status']}: {row['kind']} {row['amount_minor']} {row['status']}"

    def _posting(self, row: Row) -> str:
        return f"{row['entry']}: {row['debit']} ← {row['credit']} {row['amount']} {row['unit']}"


STEPS = """
    select i.source, i.kind, i.deliveries, i.status, d.outcome, d.reason, d.sentence from inbox i
    left join decision d on d.tenant = i.tenant and d.inbox = i.id
    where i.tenant = %(tenant)s and coalesce(i.subject_kind, '') not in ('customer', 'payment_method')
        and i.kind not like 'CreateCustomer%%' and i.kind not like 'AttachMethod%%'
    order by d.decided_at, d.id, i.id
"""
LEGS = """
    select i.number, i.status as invoice_status, l.kind, l.amount_minor, l.status from invoice i
    join allocation a on a.tenant = i.tenant and a.invoice = i.id
    join leg l on l.tenant = a.tenant and l.id = a.leg
    where i.tenant = %(tenant)s order by i.number, l.position
"""
POSTINGS = "select entry, debit, credit, amount, unit from posting where tenant = %(tenant)s order by position, n"


@dataclass(slots=True)
class Aside:
    """A flow in another process: it goes on when the story says so."""

    site: Site
    flow: Flow

    def step(self) -> Phase | None:
        """Take one phase. Raises what the phase raises."""
        following = self.flow.phase.run(self.site.house)
        if following is not None:
            self.flow.phase = following
        return following

    def finish(self) -> None:
        """Take the rest of the flow."""
        while self.step() is not None:
            pass


@contextmanager
def open_stage(dsn: str, pool: int = 4) -> Iterator[Stage]:
    """Set the stage in a database of its own."""
    database = Database(dsn, size=pool)
    commits: list[Trouble | None] = []
    site = open_site(database, 1)
    shaky = ShakyDatabase(database, lambda: commits.pop(0) if commits else None)
    site = replace(site, house=replace(site.house, database=shaky))
    yield Stage(database, site, Desk(site), Post(site), Worker(site.house), commits)
    database.close()


def assert_golden(name: str, text: str) -> None:
    """Compare a story with the one on file. `COUNTERFOIL_GOLDENS=write` writes it there."""
    path = GOLDENS / f"{name}.txt"
    if os.environ.get("COUNTERFOIL_GOLDENS") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
