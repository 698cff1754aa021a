"""What must happen sometimes: a world that never meets a trouble proves nothing about it."""

from collections import Counter
from enum import StrEnum
from typing import Final

from counterfoil.core.effects import Reason
from counterfoil.sim.site import Site
from counterfoil.store import census
from counterfoil.store.database import Database


class Mark(StrEnum):
    """Things that a long run has to have met at least once."""

    DUPLICATE = "an event came twice"
    DUPLICATE_AS_NEW = "an event came again under a new id"
    REORDER = "an event overtook an earlier one"
    LOST_FOR_EVER = "an event was lost for ever"
    HEALED_BY_SWEEP = "a sweep found what no webhook brought"
    STALE_SIGNATURE = "a webhook came too late to be believed, and again"
    KEY_REPLAYED = "the provider replayed a key"
    COMMAND_REPLAYED = "a command was sent twice"
    UNKNOWN = "a reply was lost"
    STORED_ERROR = "a stored error was settled by looking"
    CRASH = "a worker died with work in its hands"
    CRASH_BEFORE_BOOKING = "a worker died between the charge and its booking"
    LEASE_LOST = "a zombie was fenced off"
    ACKNOWLEDGEMENT_LOST = "a commit took effect and nobody was told"
    TOGETHER = "flows took a phase together"
    SUPERSEDED = "a look was overtaken by a newer one"
    REFUSED = "a card was refused"
    LATE_SUCCESS = "a payment succeeded after it was refused or given up"
    NEEDS_ACTION = "a customer had to act"
    PROCESSING = "a bank debit took its time"
    COLLECTOR_SWITCHED = "one collector made way for the next"
    PAID_BY_CREDITS = "credits paid all of it"
    CREDITS_RELEASED = "reserved credits went back"
    DUPLICATE_PAYMENT = "an invoice was paid twice"
    STRANGER = "money came that nobody asked for"
    CLAIMED = "a payment of the host application was claimed"
    MISMATCH = "a claimed payment did not fit"
    LOT_ENDED = "a lot of credits expired"
    LOT_VOIDED = "a lot of credits was taken back"
    USE_REPLAYED = "a use was sent again and not paid for twice"
    USE_REFUSED = "a use was refused for want of credits"
    PLAN_USED_UP = "a plan was used up, and other credits were not touched"
    SHARED_FLUSH = "uses shared a flush"
    SEVERAL_LOTS = "a use drew from several lots"
    IN_DEBT = "a use was owed"
    HOLD_SETTLED = "a hold was settled"
    HOLD_RELEASED = "a hold was let go"
    HOLD_EXPIRED = "a hold expired"
    CORRECTED = "a use was taken back"
    RECOGNISED = "an hour's use was recognised"
    TOLD_LOW = "somebody was told that little is left"
    BOUGHT = "a purchase was paid by its invoice and brought its credits"
    BILLED_LATER = "a line waited for its date and was billed"
    PURCHASE_REFUSED = "a purchase was refused by the card"
    PAID_ELSEWHERE = "a purchase was collected by somebody else"
    EARLY_TAKEN_BACK = "credits that were given early were taken back"
    PURCHASE_VOIDED = "a paid purchase was taken back"
    VOIDED = "an invoice was taken back"
    CANCELED = "a payment was given up"
    PAID_AT_FINALIZE = "finalize came back paid"
    PAID_ALREADY = "pay said already paid"
    TOP_UP_PAID = "a provider's invoice was paid"
    TOP_UP_VOIDED = "a top-up was declined or given up, and voided"
    FILLED_ITSELF = "a wallet filled itself"
    FILLING_PUT_OFF = "a wallet could not fill itself and will try again"
    BALANCE_MOVED = "a customer's balance at the provider moved"
    TOLD_AGAIN = "a host application had to be told again"
    TOLD_TWICE = "a host application was told twice"


BY_REASON: Final = {
    Reason.OUTCOME_UNKNOWN: Mark.UNKNOWN,
    Reason.SUPERSEDED: Mark.SUPERSEDED,
    Reason.INTENT_REFUSED: Mark.REFUSED,
    Reason.LATE_SUCCESS: Mark.LATE_SUCCESS,
    Reason.INTENT_NEEDS_ACTION: Mark.NEEDS_ACTION,
    Reason.PAID_BY_CREDITS: Mark.PAID_BY_CREDITS,
    Reason.DUPLICATE_PAYMENT: Mark.DUPLICATE_PAYMENT,
    Reason.MONEY_UNEXPLAINED: Mark.STRANGER,
    Reason.PAYMENT_CLAIMED: Mark.CLAIMED,
    Reason.AMOUNT_MISMATCH: Mark.MISMATCH,
    Reason.CUSTOMER_MISMATCH: Mark.MISMATCH,
    Reason.AUTO_TOPUP_DONE: Mark.FILLED_ITSELF,
    Reason.AUTO_TOPUP_FAILED: Mark.FILLING_PUT_OFF,
    Reason.GRANT_ENDED: Mark.LOT_ENDED,
    Reason.GRANT_VOIDED: Mark.LOT_VOIDED,
    Reason.SPEND_CORRECTED: Mark.CORRECTED,
    Reason.REVENUE_RECOGNISED: Mark.RECOGNISED,
    Reason.LOW_BALANCE: Mark.TOLD_LOW,
    Reason.INVOICE_VOIDED: Mark.VOIDED,
    Reason.INTENT_CANCELED: Mark.CANCELED,
    Reason.PAID_AT_FINALIZE: Mark.PAID_AT_FINALIZE,
    Reason.PAID_ALREADY: Mark.PAID_ALREADY,
    Reason.PROVIDER_INVOICE_PAID: Mark.TOP_UP_PAID,
    Reason.PROVIDER_INVOICE_GONE: Mark.TOP_UP_VOIDED,
    Reason.BALANCE_MOVED: Mark.BALANCE_MOVED,
}
"""Marks that a stored decision proves."""


def read_marks(database: Database, site: Site, marks: Counter[Mark]) -> None:
    """Add what the books of a world and its provider prove."""
    with database.snapshot(site.tenant) as tx:
        for reason, times in census.reasons(tx).items():
            mark = BY_REASON.get(Reason(reason))
            if mark:
                marks[mark] += times
        news = census.deliveries(tx)
        marks[Mark.COLLECTOR_SWITCHED] += census.switched_collectors(tx)
        marks[Mark.CREDITS_RELEASED] += census.released_credits(tx)
        spent = census.spent(tx)
        bought = census.bought(tx)
        marks[Mark.TOLD_AGAIN] += census.told_again(tx)
    marks[Mark.TOLD_TWICE] += site.host.repeats
    for mark in (
        Mark.SEVERAL_LOTS,
        Mark.IN_DEBT,
        Mark.HOLD_SETTLED,
        Mark.HOLD_RELEASED,
        Mark.HOLD_EXPIRED,
    ):
        marks[mark] += spent[mark.name.lower()]
    for name, times in bought.items():
        marks[Mark[name.upper()]] += times
    marks[Mark.DUPLICATE] += sum(each["deliveries"] > 1 and each["source"] == "webhook" for each in news)
    marks[Mark.HEALED_BY_SWEEP] += sum(each["deliveries"] == 1 and each["source"] == "poll" for each in news)
    marks[Mark.PROCESSING] += sum(line["kind"] == "debit" for line in site.provider.sandbox.journal())
    requests = site.provider.sandbox.requests
    marks[Mark.KEY_REPLAYED] += sum(each["replayed"] and each["status"] < 500 for each in requests)
    marks[Mark.STORED_ERROR] += sum(bool(each["rules"]) and each["status"] == 500 for each in requests)
