"""`either-first`: credits and a card pay one invoice; the news about it comes twice and in the wrong order, and the
worker is killed between the charge and its booking.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from counterfoil.cli.demo.outcome import Leg, Outcome
from counterfoil.cli.demo.stage import Stage
from counterfoil.cli.demo.sums import Sums
from counterfoil.cli.demo.tape import Kill, Tape
from counterfoil.cli.demo.waiting import until
from counterfoil.cli.serving import progress

if TYPE_CHECKING:
    from counterfoil.store.database import Row

NAME: Final = "either-first"
CONFIRM: Final = "/v1/payment_intents/*/confirm"


@dataclass(frozen=True, slots=True)
class Cast:
    """Whom the story is about."""

    customer: str
    invoice: str
    number: str
    payment: str


def play(stage: Stage, tape: Tape, sums: Sums) -> Outcome:
    """Play the story to its end, and read what came of it."""
    mark, line = stage.house.new_id("inbox"), len(stage.journal())
    customer, invoice = introduce(stage, sums)
    for rule in (*tape.notices(stage.account), *tape.charge(stage.account, CONFIRM)):
        stage.trouble(rule)
    progress(f"Paying {_money(sums.total)}: {_money(sums.credits)} by credits, {_money(sums.card)} by card …")
    payment = stage.caller.post("/v1/payments", {"invoices": [invoice["id"]]}, key=f"demo-{mark}")
    cast = Cast(customer, invoice["id"], invoice["number"], payment["id"])
    seen = kill_between_charge_and_booking(stage, tape, cast, line)
    stage.relieve()
    progress("Starting the worker again …")
    stage.worker.restart()
    until(lambda: _payment(stage, cast)["status"] == "succeeded", "the payment succeeds")
    progress("Waiting for the last of the news …")
    stage.wait_for_rest(mark)
    return read(stage, tape, sums, cast, line, seen)


def introduce(stage: Stage, sums: Sums) -> tuple[str, dict[str, Any]]:
    """Bring in a customer with a saved card and credits, and finalize the invoice to be paid."""
    call = stage.caller
    mark = stage.house.new_id("customer")[-6:]
    progress("A customer with a saved card and prepaid credits gets an invoice …")
    customer = call.post("/v1/customers", {"name": f"Dana {mark}", "email": f"dana-{mark}@example.com"})["id"]
    card = {"customer": customer, "token": "pm_card_visa", "default": True}
    method = call.post("/v1/payment-methods", card)["id"]
    if sums.credits:
        wallet = call.post("/v1/wallets", {"customer": customer, "unit": "usd-credit"})["id"]
        cost = {"amount": sums.credits, "currency": "USD"}
        lot = {"amount": f"{sums.credits / 100:.2f}", "source": "purchase", "cost": cost}
        call.post(f"/v1/wallets/{wallet}/grants", lot, key=f"demo-grant-{wallet}")
    lines = [{"kind": "flat_fee", "description": "Pro plan", "net": sums.total}]
    draft = call.post("/v1/invoices", {"customer": customer, "currency": "USD", "lines": lines})["id"]
    invoice: dict[str, Any] = call.post(f"/v1/invoices/{draft}/finalize", key=f"demo-finalize-{draft}")
    until(lambda: call.get(f"/v1/payment-methods/{method}")["status"] == "saved", "the card is saved")
    return customer, invoice


def kill_between_charge_and_booking(stage: Stage, tape: Tape, cast: Cast, line: int) -> dict[str, Any]:
    """Kill the worker when the provider has charged and nobody has booked it. Gives what both sides said then."""
    until(lambda: stage.charges(line), "the provider charges the card")
    if tape.kill is not Kill.REPLY_UNDER_WAY:
        until(stage.looks, "the worker looks the payment up")
    stage.worker.kill()
    seen = {"invoice": stage.caller.get(f"/v1/invoices/{cast.invoice}"), "charges": len(stage.charges(line))}
    progress(
        f"Killed the worker {tape.kill}: {seen['charges']} charge, and the invoice is {seen['invoice']['status']}."
    )
    return seen


def read(stage: Stage, tape: Tape, sums: Sums, cast: Cast, line: int, seen: dict[str, Any]) -> Outcome:
    """Read the ending from the database and from the provider's journal."""
    from counterfoil.engine import explain

    invoice = stage.caller.get(f"/v1/invoices/{cast.invoice}")
    legs = tuple(Leg(each["kind"], each["amount"]["amount"]) for each in _payment(stage, cast)["legs"])
    told = explain.explain(stage.house, stage.tenant, cast.invoice)
    notices = [step for step in told["timeline"] if is_notice(step) or settles(step)]
    outcomes = [step["outcome"] for step in notices if step["decision"]]
    trial, breaches = books(stage)
    charges = stage.charges(line)
    balanced = bool(trial) and all(row["debit"] == row["credit"] for row in totals(trial)) and not breaches
    outcome = Outcome(
        scenario=NAME,
        seed=tape.seed,
        provider_charges=len(charges),
        invoice_status=invoice["status"],
        amount_due=invoice["amount_due"]["amount"],
        legs=legs,
        notices=len(notices),
        decisions=len(outcomes),
        applied=outcomes.count("applied"),
        no_effect=outcomes.count("no_effect"),
        restarts=stage.worker.restarts,
        journal_balanced=balanced,
        shown={
            "explanation": told,
            "notices": notices,
            "arrivals": arrivals(stage, cast),
            "trial": trial,
            "charges": charges,
            "cast": cast,
            "seen": seen,
            "tape": tape,
        },
    )
    return judged(outcome, sums, breaches)


def is_notice(step: dict[str, Any]) -> bool:
    """Say whether a step of a timeline is an event that the provider sent, or that a sweep found in its list."""
    return step["source"] == "webhook" or (step["source"] == "poll" and not step["kind"].endswith(".looked_at"))


def settles(step: dict[str, Any]) -> bool:
    """Say whether a step booked the provider's money: a look of our own may have come before every event."""
    return step["reason"] in ("intent_settled", "late_success")


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event of the provider as it came in: how many of the payment's events were made before it, from 1."""

    made: int
    kind: str
    deliveries: int


def arrivals(stage: Stage, cast: Cast) -> tuple[Arrival, ...]:
    """Give the events of the payment in the order in which they came in."""
    from counterfoil.store import census

    leg = next(each for each in _payment(stage, cast)["legs"] if each["kind"] == "provider")
    made = stage.events_of(leg["provider_ref"])
    with stage.house.database.transaction(stage.tenant) as tx:
        rows = census.deliveries(tx)
    came = ((row["identity"].rpartition(":")[2], row["deliveries"]) for row in rows)
    return tuple(Arrival(list(made).index(ref) + 1, made[ref], count) for ref, count in came if ref in made)


def judged(outcome: Outcome, sums: Sums, breaches: tuple[str, ...]) -> Outcome:
    """Say what is not as it has to be, if anything is."""
    from dataclasses import replace

    credit = (Leg("credit", sums.credits),) if sums.credits else ()
    seen = outcome.shown["seen"]
    checks = {
        f"the provider charged {outcome.provider_charges} times": outcome.provider_charges == 1,
        "the provider charged another amount": [each["amount"] for each in outcome.shown["charges"]] == [sums.card],
        f"the invoice is {outcome.invoice_status}": outcome.invoice_status == "paid" and outcome.amount_due == 0,
        f"the legs are {outcome.legs}": outcome.legs == (*credit, Leg("provider", sums.card)),
        "a notice has no decision": outcome.decisions == outcome.notices > 0,
        "it was booked before the worker was killed": seen["invoice"]["status"] == "open" and seen["charges"] == 1,
        "the journal does not balance": outcome.journal_balanced,
    }
    reasons = tuple(what for what, holds in checks.items() if not holds)
    return replace(outcome, reasons=(*reasons, *breaches))


def books(stage: Stage) -> "tuple[list[Row], tuple[str, ...]]":
    """Give the trial balance of the whole journal, and what the audit finds broken."""
    from counterfoil.store import audit, journal

    with stage.house.database.snapshot(stage.tenant) as tx:
        trial = journal.trial_balance(tx)
        report = audit.audit(tx)
    return trial, tuple(f"{each.invariant}: {each.subject} {each.detail}" for each in report.breaches)


def totals(trial: "list[Row]") -> list[dict[str, Any]]:
    """Add a trial balance up, per unit."""
    units = sorted({row["unit"] for row in trial})
    return [
        {"unit": unit} | {side: sum(row[side] for row in trial if row["unit"] == unit) for side in ("debit", "credit")}
        for unit in units
    ]


def _payment(stage: Stage, cast: Cast) -> Any:
    return stage.caller.get(f"/v1/payments/{cast.payment}")


def _money(minor: int) -> str:
    return f"${minor / 100:,.2f}"
