"""What happened, as it can be told: stored news and decisions turned into steps of a story, and the journal into words.

Sentences come from the decisions as they were stored; nothing is reasoned anew here. A step that changed nothing is as
much a part of the story as one that moved money: it answers "did you even see it?".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from counterfoil.core.effects import Outcome

Described = Mapping[str, Any]
"""One effect as it is stored in a decision: what `engine/trace.py` wrote."""


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of news and, once it is decided, its decision.

    `ref` is what the news named: a provider's object, an order, a subject of a timer. `deliveries` counts how often the
    same news came. The fields from `decision` on are None while it waits.
    """

    news: str
    source: str
    kind: str
    ref: str | None
    occurred_at: datetime
    received_at: datetime
    deliveries: int = 1
    waiting_for: str | None = None
    decision: str | None = None
    outcome: str | None = None
    rule: str | None = None
    reason: str | None = None
    sentence: str | None = None
    decided_at: datetime | None = None
    effects: tuple[Described, ...] = ()
    about: tuple[str, ...] = ()

    @property
    def at(self) -> datetime:
        """When it took effect: when it was decided, or when it came while it still waits."""
        return self.decided_at or self.received_at


class EffectClass(StrEnum):
    """What a step did, in the three kinds that a timeline shows."""

    MONEY = "money"
    STATE = "state"
    NONE = "none"


def effect_class(effects: Iterable[Described]) -> EffectClass:
    """Say whether a decision moved value, changed something else, or changed nothing."""
    kinds = {each["effect"] for each in effects}
    if "post" in kinds:
        return EffectClass.MONEY
    return EffectClass.STATE if kinds else EffectClass.NONE


def title(step: Step) -> str:
    """Name a step for a person: what brought the news, and what it was."""
    match step.source:
        case "reply":
            verb, _, result = step.kind.partition(".")
            return f"{VERBS.get(verb, verb)}: {REPLIES.get(result, result)}"
        case "poll" if step.kind.endswith(".looked_at"):
            return f"Looked at {step.kind.removesuffix('.looked_at').replace('_', ' ')}"
        case "timer":
            return TIMERS.get(step.kind, step.kind)
        case _:
            return step.kind


VERBS: Final = {
    "CreateCustomer": "Create the customer",
    "UpdateCustomer": "Update the customer",
    "AttachMethod": "Save the payment method",
    "CreateIntent": "Create the payment",
    "ConfirmIntent": "Confirm the payment",
    "CancelIntent": "Cancel the payment",
    "CreateCheckout": "Open the hosted page",
    "ExpireCheckout": "Close the hosted page",
    "CreateSetup": "Set up a way to pay",
    "CancelSetup": "Give the setup up",
    "SetDefaultMethod": "Make a payment method the default",
    "CreateInvoice": "Draft the invoice",
    "AddInvoiceLine": "Add the line to the invoice",
    "FinalizeInvoice": "Finalize the invoice",
    "PayInvoice": "Pay the invoice",
    "VoidInvoice": "Void the invoice",
    "DeleteDraft": "Drop the draft",
    "CreateRefund": "Give money back",
}
REPLIES: Final = {
    "done": "the provider did it",
    "refused": "the provider refused",
    "unfinished": "the provider asked to try again",
    "unknown": "the reply was lost",
}
TIMERS: Final = {
    "collect": "Due date reached",
    "release-credits": "Time to give reserved credits back",
    "end-grant": "End of a lot",
    "begin-grant": "Start of a lot",
    "recognise": "Hour of recognition",
    "low-balance": "Little is left",
    "give-up-purchase": "Time to give an unpaid purchase up",
    "abandon-purchase": "Time to take an unpaid invoice back",
    "gather-lines": "Invoice date reached",
    "recheck": "Look whether a status is what the legs say",
    "auto-topup": "Look whether credits are bought again",
}


# --- what moved ---


@dataclass(frozen=True, slots=True)
class Moved:
    """An amount that a step moved: minor units of a currency, or scaled units of a service unit. Negative: taken back.

    `kind` is a word of MOVEMENTS or "settled", when one step moved several amounts of one unit.
    """

    kind: str
    unit: str
    amount: int
    entry: str = ""


MOVEMENTS: Final = {
    ("grant", "issued"): "granted",
    ("grant", "expired"): "expired",
    ("grant", "voided"): "taken_back",
    ("grant", "covered"): "debt_covered",
    ("grant", "recognised"): "recognised",
    ("grant", "clawed"): "taken_back",
    ("wallet", "forgiven"): "debt_forgiven",
    ("spend", "corrected"): "corrected",
    ("invoice", "finalized"): "billed",
    ("invoice", "voided"): "voided",
    ("invoice", "written_off"): "written_off",
    ("invoice", "reinstated"): "owed_again",
    ("leg", "recovered"): "owed_again",
    ("grant", "reversed"): "taken_back",
    ("purchase", "authorized"): "promised",
    ("purchase", "settled"): "collected_elsewhere",
    ("purchase", "canceled"): "voided",
    ("leg", "settled"): "collected",
    ("leg", "returned"): "returned",
    ("spend", ""): "credits_used",
    ("fee", ""): "fee",
    ("suspense", "received"): "in_suspense",
    ("balance", ""): "balance_moved",
    ("refund", "paid"): "refunded",
    ("refund", "returned"): "refund_came_back",
    ("refund", "price"): "price_given_back",
    ("refund", "undone"): "price_kept",
    ("grant", "restored"): "given_again",
    ("credit_note", ""): "credited",
    ("dispute", ""): "contested",
    ("dispute", "lost"): "dispute_lost",
    ("dispute", "overturned"): "dispute_overturned",
    ("dispute", "price"): "price_given_back",
}
"""What an entry is, by the kind of its key and the word after its subject. Credits that pay are `credits_used`."""


def movement(entry: str, postings: Iterable[Described]) -> str:
    """Name what an entry did, from its key and, for a leg, from what it paid with."""
    kind, *rest = entry.split(":")
    step = rest[1] if len(rest) > 1 else ""
    word = MOVEMENTS.get((kind, step), kind)
    used_credits = any(each["credit"] == "used" for each in postings)
    return "credits_used" if word == "collected" and used_credits else word


def moved(step: Step) -> tuple[Moved, ...]:
    """Give what each entry of a step moved, in the order it was posted."""
    return tuple(_moved(each) for each in step.effects if each["effect"] == "post")


def _moved(post: Described) -> Moved:
    postings = post["postings"]
    word = movement(post["entry"], postings)
    if word == "granted":
        return _sum(word, post, [each for each in postings if each["debit"] == "issued"])
    if word in ("expired", "taken_back"):
        ended = _sum(word, post, [each for each in postings if each["debit"].startswith("grant:")])
        return replace(ended, amount=-ended.amount)
    owed = [each for each in postings if "receivable:" in each["debit"] + each["credit"]]
    summed = _sum(word, post, postings if word == "collected" else owed or postings)
    return replace(summed, amount=-summed.amount) if word in ("voided", "returned") else summed


def _sum(word: str, post: Described, postings: list[Described]) -> Moved:
    unit = postings[0]["unit"] if postings else ""
    return Moved(word, unit, sum(each["amount"] for each in postings if each["unit"] == unit), post["entry"])


def main_movement(movements: Iterable[Moved]) -> Moved | None:
    """Give the one amount that stands for a step: what was settled in all, else its only movement. Fees come last."""
    several = tuple(movements)
    main = tuple(each for each in several if each.kind != "fee") or several
    if not main or len({each.unit for each in main}) > 1:
        return main[0] if main else None
    kind = main[0].kind if len({each.kind for each in main}) == 1 else "settled"
    return Moved(kind, main[0].unit, sum(each.amount for each in main))


# --- who paid what ---


def attribute(steps: Iterable[Step]) -> dict[tuple[str, str], int]:
    """Say how much each leg paid of each invoice, in minor units, from the decisions that paid them.

    A decision posts a leg's entry first and then counts it on its invoices, so what an invoice gains belongs to the
    entry before it. A leg that was returned paid nothing in the end.
    """
    paid: dict[tuple[str, str], int] = {}
    for step in sorted(steps, key=lambda each: (each.at, each.decision or "")):
        leg = ""
        for effect in step.effects:
            if effect["effect"] == "post" and effect["entry"].startswith("leg:"):
                leg = effect["entry"].split(":")[1]
                if effect["entry"].endswith(":returned"):
                    paid = {key: minor for key, minor in paid.items() if key[0] != leg}
            gained = _gained(effect)
            if leg and gained > 0:
                paid[leg, effect["id"]] = paid.get((leg, effect["id"]), 0) + gained
    return paid


def _gained(effect: Described) -> int:
    if effect["effect"] != "change" or effect["subject"] != "invoice" or "from" not in effect:
        return 0
    before, after = effect["from"].get("paid_minor"), effect["to"].get("paid_minor")
    return 0 if before is None or after is None else int(after) - int(before)


# --- how often ---


def tally(steps: Iterable[Step]) -> dict[str, int]:
    """Count a story: its news, how often they came in all, and how they came out."""
    told = tuple(steps)
    counts = {"notices": len(told), "deliveries": sum(each.deliveries for each in told)}
    outcomes = [each.outcome or Outcome.WAITING for each in told]
    return counts | {str(word): outcomes.count(word) for word in Outcome}


# --- the journal in words ---

ACCOUNT_NAMES: Final = {
    "clearing": "Money at the provider",
    "clearing_external": "Money received outside the provider",
    "bank": "Bank",
    "receivable": "Owed by the customer",
    "customer_balance": "Customer's balance with us",
    "customer_balance_provider": "Customer's balance at the provider",
    "deferred_revenue": "Deferred revenue",
    "revenue": "Revenue",
    "fee_revenue": "Fee revenue",
    "breakage": "Breakage",
    "promotion_cost": "Promotion cost",
    "tax_payable": "Tax payable",
    "provider_fees": "Provider's fees",
    "refund_due": "Refund due",
    "disputed": "Disputed",
    "dispute_losses": "Dispute losses",
    "bad_debt": "Bad debt",
    "exchange": "Exchange",
    "suspense": "Suspense",
    "opening": "Opening",
    "issued": "Credits issued",
    "grant": "Credits in the lot",
    "debt": "Credit debt",
    "used": "Credits used",
    "expired": "Credits expired",
    "overage_written_off": "Overage written off",
}

ENTRY_TITLES: Final = {
    "granted": "Credits granted",
    "expired": "Credits expired",
    "taken_back": "Credits taken back",
    "billed": "Invoice finalized",
    "voided": "Invoice voided",
    "written_off": "Debt written off",
    "owed_again": "Written-off debt counts again",
    "collected": "Collected by the provider",
    "promised": "Payment promised",
    "collected_elsewhere": "Collected elsewhere",
    "credits_used": "Paid by credits",
    "returned": "Credits returned",
    "fee": "Provider's fee",
    "in_suspense": "Money without a known purpose",
    "balance_moved": "Balance at the provider moved",
    "refunded": "Refund paid",
    "refund_came_back": "Refund came back",
    "price_given_back": "Price given back",
    "price_kept": "Price counts again",
    "given_again": "Credits given again",
    "credited": "Credit note issued",
    "contested": "Contested money moved",
    "dispute_lost": "Dispute lost",
    "dispute_overturned": "Won after all",
    "recognised": "Revenue recognised",
    "debt_covered": "Debt covered",
    "debt_forgiven": "Debt forgiven",
    "corrected": "Use corrected",
}


def account_name(account: str) -> str:
    """Name an account for a person; whose it is stands beside it."""
    return ACCOUNT_NAMES[account.partition(":")[0]]


def entry_title(entry: str, postings: Iterable[Described]) -> str:
    """Name an entry for a person."""
    word = movement(entry, postings)
    return ENTRY_TITLES.get(word, word)
