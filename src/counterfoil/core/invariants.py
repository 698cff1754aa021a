"""What must hold of the books at any moment: named predicates, one definition for tests, simulator and production.

Each is a fold over rows that the store streams, in constant memory: a row is a mapping, its keys are named in the
predicate's docstring, and the rows come in the order it asks for. A breach is a fact to look at, never an exception.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeAlias

from counterfoil.core.delivery_invariants import events_are_told
from counterfoil.core.journal import MONEY_ACCOUNTS, SERVICE_ACCOUNTS, read_account
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, may_move
from counterfoil.core.money import CURRENCIES, MINOR_MAX, share
from counterfoil.core.paper_invariants import closed_months_stay, papers_are_complete
from counterfoil.core.purchase_invariants import (
    credits_follow_the_money,
    purchases_are_billed_once,
    purchases_were_meant,
)
from counterfoil.core.refund_invariants import (
    credits_go_with_the_money,
    refunds_are_booked,
    refunds_are_bounded,
)
from counterfoil.core.status import status_of_invoice, status_of_payment

Rows: TypeAlias = Iterable[Mapping[str, Any]]
Faults: TypeAlias = Iterator[tuple[str, str]]
"""What a predicate gives: the subject at fault and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that should never be. `subject` is an id, an entry's key or an account."""

    invariant: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Invariant:
    """A promise about the books, in one sentence, and the predicate that finds what breaks it."""

    id: str
    sentence: str
    faults: Callable[[Rows], Faults]

    def breaches(self, rows: Rows) -> Iterator[Breach]:
        """Give what breaks the promise, as it is found."""
        return (Breach(self.id, subject, detail) for subject, detail in self.faults(rows))


@dataclass(frozen=True, slots=True)
class ProviderCharge:
    """A charge that succeeded at the provider. `intent` is the payment it belongs to; the amount is in minor units."""

    account: str
    intent: str
    charge: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class BalanceMove:
    """A balance transaction of the provider: what a charge, fee, refund or payout did to our money there, net."""

    account: str
    ref: str
    net: int
    currency: str


@dataclass(frozen=True, slots=True)
class ProviderTruth:
    """What the provider says: every charge that succeeded, and every balance transaction, of every account."""

    charges: tuple[ProviderCharge, ...] = ()
    balance: tuple[BalanceMove, ...] = ()


# --- the journal ---


def _entries_are_whole(rows: Rows) -> Faults:
    """Rows: tenant, entry, n, of_n, debit, credit, unit, amount, recorded_at; ordered by entry, n."""
    for entry, group in groupby(rows, key=itemgetter("entry")):
        postings = list(group)
        yield from ((entry, fault) for posting in postings for fault in _posting_faults(posting))
        if [each["n"] for each in postings] != list(range(1, postings[0]["of_n"] + 1)):
            yield entry, f"has postings {[each['n'] for each in postings]} of {postings[0]['of_n']}"
        if len({(each["tenant"], each["of_n"], each["recorded_at"]) for each in postings}) > 1:
            yield entry, "was not written at once"


def _posting_faults(posting: Mapping[str, Any]) -> Iterator[str]:
    if posting["debit"] == posting["credit"]:
        yield f"moves value from {posting['debit']} to itself"
    if posting["amount"] <= 0:
        yield f"moves {posting['amount']}, which is not more than zero"
    kinds = MONEY_ACCOUNTS if posting["unit"].isupper() else SERVICE_ACCOUNTS
    for account in (posting["debit"], posting["credit"]):
        if read_account(account).kind not in kinds:
            yield f"has {posting['unit']} in {account}"


def _journal_is_what_was_decided(rows: Rows) -> Faults:
    """Rows: entry, decision, posted, decided. Each side is its postings in order as [debit, credit, unit, amount], None
    when that side does not have the entry."""
    for row in rows:
        if row["posted"] is None:
            yield row["entry"], f"was posted by {row['decision']} and is gone"
        elif row["decided"] is None:
            yield row["entry"], f"is in the journal, but {row['decision']} did not post it"
        elif row["posted"] != row["decided"]:
            yield row["entry"], f"is no longer as {row['decision']} posted it"


def _entries_have_one_cause(rows: Rows) -> Faults:
    """Rows: entry, subject, decision, cause (the decision's id, None when there is none), reverses (the key of the
    entry it takes back, None for most), mirrored (whether it is that entry's exact way back); ordered by entry."""
    for entry, group in groupby(rows, key=itemgetter("entry")):
        postings = list(group)
        causes = {(each["decision"], each["subject"]) for each in postings}
        if len(causes) > 1:
            yield entry, f"has {len(causes)} causes"
        if any(each["cause"] is None for each in postings):
            yield entry, f"was caused by {postings[0]['decision']}, which is no decision"
        if any(each["reverses"] and not each["mirrored"] for each in postings):
            yield entry, f"is not the way back of {postings[0]['reverses']}"


def _balances_are_sums(rows: Rows) -> Faults:
    """Rows: account, unit, stored, posted. Both are what the account holds, counted on the side where it grows."""
    for row in rows:
        if row["stored"] != row["posted"]:
            subject = f"{row['account']} {row['unit']}"
            yield subject, f"is stored as {row['stored']}, its postings add up to {row['posted']}"


def _lots_add_up(rows: Rows) -> Faults:
    """Rows: lot, amount, remaining, held, gone, cost_minor, released_minor, drawn, reserved, recognised, forgone.
    `drawn` is what was used of the lot and not taken back, `recognised` what that earned of its cost; `reserved` is
    what open holds reserve; `gone` and `forgone` are what left it unused."""
    for row in rows:
        if not 0 <= row["held"] <= row["remaining"] <= row["amount"]:
            yield row["lot"], f"holds {row['held']} of {row['remaining']} left of {row['amount']}"
        if row["reserved"] != row["held"]:
            yield row["lot"], f"says {row['held']} is held, its open holds reserve {row['reserved']}"
        if row["drawn"] + row["gone"] != row["amount"] - row["remaining"]:
            told = f"{row['drawn']} was drawn and {row['gone']} is gone"
            yield row["lot"], f"has {row['remaining']} left of {row['amount']}, but {told}"
        released = row["recognised"] + row["forgone"]
        if released != row["released_minor"] or not 0 <= row["released_minor"] <= row["cost_minor"]:
            yield row["lot"], f"released {row['released_minor']} of {row['cost_minor']}, its entries {released}"


def _revenue_is_earned_by_use(rows: Rows) -> Faults:
    """Rows: lot, amount, remaining, cost_minor, released_minor."""
    for row in rows:
        earned = share(row["cost_minor"], row["amount"] - row["remaining"], row["amount"])
        if row["released_minor"] > earned:
            told = f"{row['amount'] - row['remaining']} of {row['amount']} left it, which stands for {earned}"
            yield row["lot"], f"released {row['released_minor']} of {row['cost_minor']}, but {told}"


def _corrections_fit(rows: Rows) -> Faults:
    """Rows: spend, corrected (in all), spent; of every spend of which something was taken back."""
    for row in rows:
        if row["corrected"] > row["spent"]:
            yield row["spend"], f"was {row['spent']}, and {row['corrected']} of it were taken back"


def _amounts_are_sound(rows: Rows) -> Faults:
    """Rows: subject, units (of its amounts), largest, smallest (of its amounts)."""
    for row in rows:
        money = {unit for unit in row["units"] if unit.isupper()}
        if len(money) > 1:
            yield row["subject"], f"mixes {', '.join(sorted(money))}"
        if money - CURRENCIES:
            yield row["subject"], f"is in {', '.join(sorted(money - CURRENCIES))}, which is no currency that we know"
        if not 0 <= row["smallest"] <= row["largest"] <= MINOR_MAX:
            yield row["subject"], f"has amounts from {row['smallest']} to {row['largest']}"


# --- payments ---


def _charges_are_legs(rows: Rows) -> Faults:
    """Rows: subject, status (of the provider leg; None for money in suspense), charge, received, posted, and (when the
    provider was asked) theirs: the amounts that it charged, as [charge, amount, currency]; currency is ours."""
    for row in rows:
        if row["subject"] is None:
            yield row["theirs"][0][0], f"was charged at the provider ({row['theirs']}) and is on no books"
            continue
        has_money = row["status"] in (None, LegStatus.SETTLED, LegStatus.RETURNED)
        if has_money and row["received"] != row["posted"]:
            yield row["subject"], f"received {row['received']}, but {row['posted'] or 'nothing'} is in the journal"
        if not has_money and (row["charge"] or row["posted"] or row["received"]):
            yield row["subject"], f"is {row['status']}, but has money: {row['received'] or row['posted']}"
        if row["status"] == LegStatus.SETTLED and not row["charge"]:
            yield row["subject"], "is settled without a charge"
        if "theirs" in row:
            yield from _against_provider(row, has_money)


def _against_provider(row: Mapping[str, Any], has_money: bool) -> Faults:
    theirs = [(amount, currency) for _, amount, currency in row["theirs"]]
    ours = [(row["received"], row["currency"])] if has_money else []
    if ours != theirs:
        yield row["subject"], f"is {row['status'] or 'in suspense'} with {ours}, the provider charged {theirs}"


def _collection_is_its_legs(rows: Rows) -> Faults:
    """Rows: subject, stored (its payment status), statuses (of its legs), amount, settled (sum of the settled legs),
    invoice_status (None for a payment)."""
    for row in rows:
        statuses = frozenset(LegStatus(each) for each in row["statuses"])
        if row["invoice_status"] is None:
            computed = status_of_payment(statuses, row["settled"], row["amount"])
        else:
            computed = status_of_invoice(statuses, InvoiceStatus(row["invoice_status"]))
        if computed != row["stored"]:
            yield row["subject"], f"is stored as {row['stored']}, its legs make it {computed}"


def _moves_are_legal(rows: Rows) -> Faults:
    """Rows: machine, subject, status (as stored, None when the subject is gone), moves ([before, after] of each decided
    change, in any order), complete (whether decisions alone move it)."""
    for row in rows:
        illegal = [
            (before, after) for before, after in row["moves"] if before and not may_move(row["machine"], before, after)
        ]
        if illegal:
            yield row["subject"], f"moved {', '.join(f'from {before} to {after}' for before, after in illegal)}"
        if row["complete"] and _ends(row["moves"]) != [row["status"]]:
            yield (
                row["subject"],
                f"is {row['status']}, its decisions left it {' and '.join(_ends(row['moves'])) or '-'}",
            )


def _ends(moves: list[list[str | None]]) -> list[str]:
    """Give the states that were entered more often than left: for a history without gaps, the last one alone."""
    entered = [after for _, after in moves if after]
    for before, _ in moves:
        if before in entered:
            entered.remove(before)
        elif before is not None:
            entered.append(f"not {before}")
    return sorted(entered)


def _paid_is_one_fact(rows: Rows) -> Faults:
    """Rows: invoice, status, payment_status, total, paid, paid_at, paid_with, lines (the sum of its lines, less what
    coupons took off), is_discounted (whether they took anything off: then even a total of zero was once owed)."""
    for row in rows:
        is_paid = row["status"] == InvoiceStatus.PAID
        facts = (row["paid_at"] is not None, row["paid_with"] is not None, row["payment_status"] == "succeeded")
        if facts != (is_paid, is_paid, is_paid):
            yield row["invoice"], f"is {row['status']} with date, means and success {facts}"
        if not 0 <= row["paid"] <= row["total"] or is_paid != (row["paid"] == row["total"] and _owed(row)):
            yield row["invoice"], f"is {row['status']} with {row['paid']} paid of {row['total']}"
        if row["status"] in (InvoiceStatus.DRAFT, InvoiceStatus.VOID) and row["paid"]:
            yield row["invoice"], f"is {row['status']}, yet {row['paid']} counts as paid"
        if row["lines"] != row["total"]:
            yield row["invoice"], f"is over {row['total']}, its lines add up to {row['lines']}"


def _topups_go_on(rows: Rows) -> Faults:
    """Rows: topup, attempt, under_way (its purchases that may be charged), is_forgotten (it is low and wakes for
    nothing; looked at only when nothing is due)."""
    for row in rows:
        if row["under_way"] not in ([], [row["attempt"]]):
            yield row["topup"], f"has the attempt {row['attempt']}, and {row['under_way']} may be charged"
        if row["is_forgotten"]:
            yield row["topup"], "is on, its wallet is low, and nothing is coming"


def _owed(row: Mapping[str, Any]) -> bool:
    """Say whether an invoice was ever more than an empty page: all of it may have been taken off by a coupon."""
    is_final = row["status"] not in (InvoiceStatus.DRAFT, InvoiceStatus.VOID)
    return bool(row["total"] > 0 or (is_final and row.get("is_discounted")))


# --- news ---


def _news_is_decided_once(rows: Rows) -> Faults:
    """Rows: inbox, status, decisions (how many), provider_event (account and event, None when it is none), at_rest
    (whether nothing may wait any more); ordered by provider_event."""
    previous: str | None = None
    for row in rows:
        event = row["provider_event"]
        if event is not None and event == previous:
            yield row["inbox"], f"is event {event} a second time"
        previous = event
        is_done = row["status"] in ("decided", "parked")
        if row["decisions"] != int(is_done):
            yield row["inbox"], f"is {row['status']} with {row['decisions']} decisions"
        if row["at_rest"] and not is_done:
            yield row["inbox"], f"is still {row['status']}"


# --- money closed ---


def _clearing_closes(rows: Rows) -> Faults:
    """Rows: account, unit, clearing (its balance), received (what legs and suspense took in), fees, other (every other
    move of it), and (when the provider was asked) theirs: the sum of its balance transactions, net."""
    for row in rows:
        subject = f"clearing:{row['account']} {row['unit']}"
        expected = row["received"] - row["fees"] + row["other"]
        if row["clearing"] != expected:
            yield subject, f"is {row['clearing']}, but {row['received']} came and {row['fees']} went for fees"
        if "theirs" in row and row["clearing"] != row["theirs"]:
            yield subject, f"is {row['clearing']}, the provider's balance transactions add up to {row['theirs']}"


INVARIANTS: Final = {
    each.id: each
    for each in (
        Invariant(
            "I1",
            "Every entry is whole: positive amounts of one unit between two accounts of one tenant, written at once.",
            _entries_are_whole,
        ),
        Invariant(
            "I2",
            "The journal only grows: what a decision posted is there as it was posted, and nothing else is.",
            _journal_is_what_was_decided,
        ),
        Invariant(
            "I3",
            "Every entry has exactly one cause, and a reversal is the exact way back of what it reverses.",
            _entries_have_one_cause,
        ),
        Invariant("I4", "Every stored balance is the sum of its postings.", _balances_are_sums),
        Invariant("I5", "Every lot is what was granted less what was drawn, and never below zero.", _lots_add_up),
        Invariant(
            "I33",
            "Of a lot's price no more is earned than what left it stands for.",
            _revenue_is_earned_by_use,
        ),
        Invariant("I34", "No more of a spend is taken back than was spent.", _corrections_fit),
        Invariant("I6", "No entry mixes currencies, and every amount fits the books.", _amounts_are_sound),
        Invariant(
            "I7", "Every charge that succeeded is one settled leg, and every settled leg is one.", _charges_are_legs
        ),
        Invariant("I10", "A payment status is what its legs and the remainder say.", _collection_is_its_legs),
        Invariant("I11", "States moved only along their lifecycle, and by decisions.", _moves_are_legal),
        Invariant("I13", "Paid is one fact: status, amount, date and means are there together.", _paid_is_one_fact),
        Invariant(
            "I14",
            "Every event has one delivery to each endpoint that asked for it, and no customer's sequence has a gap.",
            events_are_told,
        ),
        Invariant(
            "I15",
            "A paid purchase brought exactly its credits, once; one that nobody paid brought none that stay.",
            credits_follow_the_money,
        ),
        Invariant(
            "I16",
            "A purchase was meant by somebody of ours before anything billed it.",
            purchases_were_meant,
        ),
        Invariant(
            "I21",
            "A purchase is billed by one line of its own, and takes its steps in order, each with its own entry.",
            purchases_are_billed_once,
        ),
        Invariant("I12", "No more of a leg goes back than it brought, whoever refunds it.", refunds_are_bounded),
        Invariant(
            "I12.books", "A refund is booked as it stands: given, paid, undone when it comes back.", refunds_are_booked
        ),
        Invariant(
            "I12.credits", "Of a refunded purchase the credits go back in proportion.", credits_go_with_the_money
        ),
        Invariant("I22", "Every piece of news is stored once and ends in one decision.", _news_is_decided_once),
        Invariant("I35", "An auto top-up has one attempt at a time, and never stops silently.", _topups_go_on),
        Invariant(
            "I36",
            "Numbers have no gap, and every invoice of ours has its document as it was given out.",
            papers_are_complete,
        ),
        Invariant("I37", "A closed month is what it was when it was closed.", closed_months_stay),
        Invariant("I27", "Money at the provider is what came in less what went out.", _clearing_closes),
    )
}
"""Every invariant that is a property of one set of books, by its id. I23 compares two: see `differences`."""


# --- two sets of books ---

ID: Final = re.compile(r"\b[a-z]+(?:_[a-z]+)*_[0-9A-Za-z]*[0-9][0-9A-Za-z]*\b")
ROUNDS: Final = 4
"""How far an id is told from its likes by what it is tied to. From a posting to its customer it is three ties."""


def differences(first: Rows, second: Rows) -> Iterator[Breach]:
    """I23: say in what two sets of books differ that should be the same, whatever the order of the news was.

    Rows: any mappings of names to texts, numbers and None. Ids are only names here: two rows are the same when they say
    the same about subjects that are tied to the same. Not in constant memory: meant for the small books of a test.
    """
    ours, theirs = _lines(first), _lines(second)
    for line in (ours - theirs).elements():
        yield Breach("I23", line.partition(LINE_END)[0], "is in the first books only")
    for line in (theirs - ours).elements():
        yield Breach("I23", line.partition(LINE_END)[0], "is in the second books only")


LINE_END: Final = " | "


def _lines(rows: Rows) -> Counter[str]:
    """Write each row without its ids, followed by what tells its ids from their likes."""
    texts = [str(sorted((name, value) for name, value in row.items() if value is not None)) for row in rows]
    marks: dict[str, str] = {}
    for _ in range(ROUNDS):
        marks = _marked(texts, marks)
    return Counter(
        ID.sub(_noun, text) + LINE_END + " ".join(marks[each] for each in ID.findall(text)) for text in texts
    )


def _marked(texts: list[str], marks: Mapping[str, str]) -> dict[str, str]:
    """Mark every id by all the rows that it stands in, told with the marks of the ids beside it."""
    rows_of: defaultdict[str, list[str]] = defaultdict(list)
    for text in texts:
        for identity in set(ID.findall(text)):
            rows_of[identity].append(ID.sub(partial(_told, own=identity, marks=marks), text))
    return {each: hashlib.sha256("\n".join(sorted(told)).encode()).hexdigest()[:16] for each, told in rows_of.items()}


def _told(found: re.Match[str], own: str, marks: Mapping[str, str]) -> str:
    return "<self>" if found[0] == own else _noun(found) + marks.get(found[0], "")


def _noun(found: re.Match[str]) -> str:
    return found[0].rpartition("_")[0]
