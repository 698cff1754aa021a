"""Month end: which months may be closed, the trial balance, and how what is owed rolled forward.

A month is a calendar month in UTC. Everything is read from the journal and from nothing else: movements are put under
their lines here, so that opening + movements = closing for whatever history there was.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from counterfoil.core.effects import Act, Decision, Reason, Refuse, Skip, Why
from counterfoil.core.journal import MONEY_ACCOUNTS

RULE: Final = "close-month@1"
GRACE: Final = timedelta(hours=1)
"""How long after its end a month stays open, so that every clock agrees that it is over."""


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month in UTC, such as 2026-10. It begins at `starts_at` and ends before `ends_at`."""

    name: str
    starts_at: datetime
    ends_at: datetime

    @property
    def last_instant(self) -> datetime:
        """The last moment of the month, as finely as the books tell time."""
        return self.ends_at - timedelta(microseconds=1)


def month_named(name: str) -> Month | None:
    """Read `2026-10`. None when it is no month."""
    year, separator, number = name.partition("-")
    if not separator or len(year) != 4 or len(number) != 2 or not (year + number).isascii():
        return None
    if not (year + number).isdigit() or not 1 <= int(number) <= 12 or not 2000 <= int(year) < 3000:
        return None
    starts = datetime(int(year), int(number), 1, tzinfo=UTC)
    ends = datetime(starts.year + starts.month // 12, starts.month % 12 + 1, 1, tzinfo=UTC)
    return Month(name, starts, ends)


def decide_close(month: Month, closed_until: datetime | None, now: datetime) -> Decision:
    """Close a month, and with it every month before. There is no way back: later news posts to the open month."""
    if closed_until and month.ends_at <= closed_until:
        return Skip(Why(RULE, Reason.ALREADY_KNOWN, f"{month.name} is closed already, and stays as it is."))
    if now < month.ends_at + GRACE:
        sentence = f"{month.name} can be closed from {month.ends_at + GRACE:%Y-%m-%d %H:%M} UTC on."
        return Refuse(Why(RULE, Reason.MONTH_NOT_OVER, sentence), "month")
    sentence = f"{month.name} is closed: what becomes known of it later is posted to the month that is open then."
    return Act(Why(RULE, Reason.MONTH_CLOSED, sentence, inputs={"month": month.name}), ())


@dataclass(frozen=True, slots=True)
class Flow:
    """What moved from one kind of account to another, in one unit: before the month, and in it, with its postings.

    `family` is the first word of the entries' keys; `is_free` says of issued credits that nobody paid for them.
    """

    unit: str
    debit: str
    credit: str
    family: str
    is_free: bool
    before: int
    during: int
    postings: int


@dataclass(frozen=True, slots=True)
class Balance:
    """An account kind in the trial balance, debits less credits: opening + debits − credits = closing."""

    account: str
    unit: str
    opening: int
    debits: int
    credits: int

    @property
    def closing(self) -> int:
        """What stands at the month's end."""
        return self.opening + self.debits - self.credits


def trial_balance(flows: Iterable[Flow]) -> tuple[Balance, ...]:
    """Give every account kind's opening, movements and closing, by unit. Per unit debits and credits are the same."""
    sums: dict[tuple[str, str], list[int]] = {}
    for each in flows:
        debit, credit = (sums.setdefault((each.unit, account), [0, 0, 0]) for account in (each.debit, each.credit))
        debit[0] += each.before
        credit[0] -= each.before
        debit[1] += each.during
        credit[2] += each.during
    return tuple(Balance(account, unit, *moved) for (unit, account), moved in sorted(sums.items()))


@dataclass(frozen=True, slots=True)
class RollForward:
    """How what is owed moved in a month: opening + the lines = closing. Lines are signed, in a fixed order.

    `closing` is not their sum: it is read from the accounts, so that a movement without a line shows as a difference.
    """

    unit: str
    opening: int
    lines: tuple[tuple[str, int], ...]
    closing: int

    @property
    def fits(self) -> bool:
        """Say whether the lines explain the whole difference."""
        return self.opening + sum(minor for _, minor in self.lines) == self.closing


CREDITS: Final = frozenset({"grant", "debt"})
CREDIT_LINES: Final = ("sold", "granted_free", "used", "expired", "taken_back", "forgiven")
DEFERRED: Final = frozenset({"deferred_revenue"})
DEFERRED_LINES: Final = ("billed", "earned", "paid_invoices", "expired", "given_back", "written_off")
COUNTER_LINES: Final = {
    "revenue": "earned",
    "breakage": "expired",
    "refund_due": "given_back",
    "disputed": "given_back",
    "dispute_losses": "given_back",
    "customer_balance": "given_back",
    "customer_balance_provider": "given_back",
    "bad_debt": "written_off",
    "clearing": "billed",
    "clearing_external": "billed",
    "suspense": "billed",
    "opening": "billed",
}


def credit_line(counter: str, flow: Flow) -> str | None:
    """Name the line of a movement of credits by the account on its other side."""
    if counter == "issued":
        is_given = flow.debit == "issued"
        return ("granted_free" if flow.is_free else "sold") if is_given else "taken_back"
    return {"used": "used", "expired": "expired", "overage_written_off": "forgiven"}.get(counter)


def deferred_line(counter: str, flow: Flow) -> str | None:
    """Name the line of a movement of deferred revenue by the account on its other side."""
    if counter == "receivable":
        return {"leg": "paid_invoices", "credit_note": "given_back", "refund": "given_back"}.get(flow.family, "billed")
    return COUNTER_LINES.get(counter)


def roll_forwards(flows: Iterable[Flow]) -> tuple[RollForward, ...]:
    """Roll the credits of every service unit forward, and the deferred revenue of every currency."""
    held = tuple(flows)
    units = sorted({each.unit for each in held})
    rolled = []
    for unit in units:
        own = [each for each in held if each.unit == unit]
        kinds = {each.debit for each in own} | {each.credit for each in own}
        if kinds & DEFERRED and kinds & MONEY_ACCOUNTS:
            rolled.append(_rolled(unit, own, DEFERRED, DEFERRED_LINES))
        if kinds & CREDITS:
            rolled.append(_rolled(unit, own, CREDITS, CREDIT_LINES))
    return tuple(rolled)


def _rolled(unit: str, flows: Iterable[Flow], accounts: frozenset[str], names: tuple[str, ...]) -> RollForward:
    """Put every movement over the border of these accounts under its line. What moves among them moves nothing."""
    lines = dict.fromkeys(names, 0)
    opening = closing = 0
    for each in flows:
        sign = (each.credit in accounts) - (each.debit in accounts)
        if sign == 0:
            continue
        opening += sign * each.before
        closing += sign * (each.before + each.during)
        counter = each.debit if sign > 0 else each.credit
        line = credit_line(counter, each) if accounts is CREDITS else deferred_line(counter, each)
        if line is not None:
            lines[line] += sign * each.during
    return RollForward(unit, opening, tuple(lines.items()), closing)
