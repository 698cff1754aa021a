"""Answers about papers: documents, the seller, and number series."""

from typing import Literal, TypeAlias

from counterfoil.api.schemas import Answer, Money, Time, Units


class Document(Answer):
    """A paper as it was given out. `sha256` is the hash of its bytes, in hexadecimal; `size` counts them."""

    id: str
    object: Literal["document"]
    kind: str
    number: str
    subject: str
    customer: str
    language: str
    sha256: str
    size: int
    created_at: Time


class Seller(Answer):
    """Who sells, as new documents say it. Version 0 is nothing said yet."""

    object: Literal["seller"]
    version: int
    name: str
    address: list[str]
    tax_id: str
    email: str | None
    colour: str
    note: str


class NumberSeries(Answer):
    """A series: what its numbers begin with now, and the last place that was given out."""

    object: Literal["number_series"]
    series: str
    prefix: str
    last: int


class ClosedMonth(Answer):
    """A month that is closed, and how many postings it has."""

    object: Literal["closed_month"]
    month: str
    ends_at: Time
    closed_at: Time
    postings: int


Amount: TypeAlias = Money | Units


class AccountBalance(Answer):
    """An account of the trial balance, debits less credits: opening + debits − credits = closing."""

    account: str
    unit: str
    opening: Amount
    debits: Amount
    credits: Amount
    closing: Amount
    entries: str


class UnitTotal(Answer):
    """What all accounts of one unit come to. `fits` says that debits are credits and that everything closes to zero."""

    unit: str
    debits: Amount
    credits: Amount
    fits: bool


class RollLine(Answer):
    """One line of a roll-forward, signed."""

    line: str
    amount: Amount


class RollForward(Answer):
    """How credits or deferred revenue of one unit moved: opening + lines = closing, which `fits` says."""

    kind: Literal["credits", "deferred_revenue"]
    unit: str
    opening: Amount
    lines: list[RollLine]
    closing: Amount
    fits: bool


class MonthFigures(Answer):
    """A month: its trial balance and its roll-forwards."""

    object: Literal["month"]
    month: str
    starts_at: Time
    ends_at: Time
    status: Literal["open", "closed"]
    closed_at: Time | None
    trial_balance: list[AccountBalance]
    totals: list[UnitTotal]
    roll_forwards: list[RollForward]
    postings: int


class MonthPosting(Answer):
    """A posting of a month."""

    object: Literal["posting"]
    entry: str
    n: int
    debit: str
    credit: str
    amount: Amount
    subject: str
    decision: str
    occurred_at: Time
    effective_at: Time
    recorded_at: Time


class MonthEntries(Answer):
    """A page of postings. `next_after` goes on after it, null when it is the last."""

    data: list[MonthPosting]
    next_after: int | None
