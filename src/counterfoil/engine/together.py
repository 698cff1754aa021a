"""Phases that many flows take together: the same rules, read and written in one statement per table.

Each of these is one transaction, as the phase is that it stands for, and gives every flow its own next phase. What
can't be taken together goes its way alone. When a transaction fails, the lane has its phases taken one by one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from counterfoil.core import settlement, strangers
from counterfoil.core.books import Books
from counterfoil.core.effects import Defer
from counterfoil.core.facts import IntentFact, Source
from counterfoil.core.ids import ProviderRef
from counterfoil.core.strangers import Hint
from counterfoil.engine.applying import Verdict, apply_all
from counterfoil.engine.decide import Moment, Ruling, scope_of_intent
from counterfoil.engine.house import House
from counterfoil.engine.load import load_all
from counterfoil.engine.notices import Decide, Fetch, Number, Open, is_over, superseded, way
from counterfoil.engine.phases import Phase
from counterfoil.store import accounts, inbox, subjects, work
from counterfoil.store.database import Row, Tx
from counterfoil.store.work import Claim


@dataclass(frozen=True, slots=True)
class Alone:
    """A phase that can't be taken together with others."""

    phase: Decide

    @property
    def name(self) -> str:
        """As the phase is called."""
        return self.phase.name

    @property
    def claim(self) -> Claim:
        """Whose flow it is."""
        return self.phase.claim

    @property
    def companions(self) -> tuple[Claim, ...]:
        """Who shares its look."""
        return self.phase.companions

    def run(self, house: House) -> Phase | None:
        """Take it."""
        return self.phase.run(house)


def take(house: House, phases: Sequence[Phase]) -> Sequence[Phase | None]:
    """Take phases of one kind and one tenant, and give what comes next for each, in the same order."""
    if len(phases) == 1:
        return [phases[0].run(house)]
    return TOGETHER[type(phases[0])](house, phases)


# --- opening ---


def open_all(house: House, phases: Sequence[Open]) -> Sequence[Phase | None]:
    """Read the rows and choose the way of each. One transaction."""
    return house.transact(phases[0].claim.tenant, lambda tx: _open_all(tx, house, phases))


def _open_all(tx: Tx, house: House, phases: Sequence[Open]) -> list[Phase | None]:
    rows = inbox.get_all(tx, [each.claim.id for each in phases])
    over = frozenset(each.claim for each in phases if each.claim.id not in rows or is_over(rows[each.claim.id]))
    if over:
        work.finish_all(tx, _in_order(work.fence_all(tx, _in_order(over))))
    served: dict[str, tuple[bool, str | None]] = {}

    def served_by(account: str) -> tuple[bool, str | None]:
        if account not in served:
            served[account] = accounts.served_by(tx, account)
        return served[account]

    return [None if each.claim in over else way(house, each.claim, rows[each.claim.id], served_by) for each in phases]


def _in_order(claims: Iterable[Claim]) -> list[Claim]:
    return sorted(claims, key=lambda each: each.id)


# --- numbering: news of one object shares one look ---


def number_all(house: House, phases: Sequence[Number]) -> Sequence[Phase | None]:
    """Take a number for each object, and let the first news of it take the others along. One transaction."""
    leaders: dict[tuple[str, str], Number] = {}
    for each in phases:
        leader = leaders.get((each.account, each.ref))
        leaders[each.account, each.ref] = _joined(leader, each) if leader else each
    objects = [(each.account, each.kind, each.ref) for each in leaders.values()]
    numbers = house.transact(phases[0].claim.tenant, lambda tx: inbox.number_observations(tx, objects))
    looks: dict[Claim, Fetch] = {
        each.claim: each.numbered(numbers[each.account, each.ref]) for each in leaders.values()
    }
    return [looks.get(each.claim) for each in phases]


def _joined(leader: Number, other: Number) -> Number:
    companions = (*leader.companions, other.claim, *other.companions)
    return replace(
        leader,
        companions=companions,
        session_ref=leader.session_ref or other.session_ref,
        page=leader.page or other.page,
    )


# --- deciding ---


@dataclass(slots=True)
class Item:
    """One row under decision, and what is found out about it on the way."""

    phase: Decide
    row: Row
    leg: Row | None = None
    verdict: Verdict | None = None

    @property
    def fact(self) -> IntentFact | None:
        """What the look saw, None where there was none."""
        fact = self.phase.seen.fact if self.phase.seen else None
        return fact if isinstance(fact, IntentFact) else None

    @property
    def refs(self) -> list[str]:
        """The provider's objects that may be the handle of one of our legs."""
        if self.fact:
            return [ref for ref in (self.fact.ref, self.fact.session_ref) if ref]
        return [self.row["subject_ref"]] if self.row["subject_ref"] else []


def decide_all(house: House, phases: Sequence[Decide]) -> Sequence[Phase | None]:
    """Decide news of different customers, and write all of it. One transaction."""
    fit = [each for each in phases if _is_fit(each)]
    following: dict[Claim, Phase | None] = {each.claim: Alone(each) for each in phases}
    if fit:
        following |= house.transact(fit[0].claim.tenant, lambda tx: _decide_all(tx, house, fit))
    return [following[each.claim] for each in phases]


def _is_fit(phase: Decide) -> bool:
    if phase.gave_up or phase.misrouted:
        return False
    # A payment of a provider's invoice is no leg of its own: the invoice decides.
    return phase.seen is None or (isinstance(phase.seen.fact, IntentFact) and not phase.seen.fact.pays_provider_invoice)


def _decide_all(tx: Tx, house: House, phases: Sequence[Decide]) -> dict[Claim, Phase | None]:
    """The locks are taken in the order in which a single decision takes them: claims, rows, objects, customers."""
    moment = Moment(house.clock.now(), house.new_id)
    held = work.fence_all(tx, [claim for each in phases for claim in (each.claim, *each.companions)])
    rows = inbox.get_all(tx, sorted(each.id for each in held), lock=True)
    over = [each for each in held if each.id not in rows or is_over(rows[each.id])]
    open_rows = {each: rows[each.id] for each in held.difference(over)}
    items = [Item(each, open_rows[each.claim]) for each in phases if each.claim in open_rows]
    _find(tx, items)
    again = _rule(tx, items, moment)
    verdicts = [each.verdict for each in items if each.verdict]
    verdicts += [verdict for each in items for verdict in _of_companions(each, open_rows)]
    apply_all(tx, verdicts, moment)
    work.finish_all(tx, [*over, *(each.claim for each in verdicts if not each.waits)])
    undecided = {each.phase.claim for each in items if not each.verdict}
    return {each.claim: _next(each, items, undecided, again) for each in phases}


def _next(phase: Decide, items: Sequence[Item], undecided: set[Claim], again: set[Claim]) -> Phase | None:
    """Another batch for what stood behind its own customer, a transaction of its own for what needs one."""
    if phase.claim in undecided:
        return phase if phase.claim in again else Alone(phase)
    settled = any(each.phase is phase and each.verdict and not each.verdict.waits for each in items)
    # The companions of what waits, was lost or was decided before, go on by themselves.
    return None if settled else phase.following()


def _find(tx: Tx, items: Sequence[Item]) -> None:
    """Find the legs that the news is about."""
    wanted = [(each.row["account"], ref) for each in items if each.row["account"] for ref in each.refs]
    if not wanted:
        return
    legs = subjects.legs_of_refs(tx, [account for account, _ in wanted], [ref for _, ref in wanted])
    for each in items:
        found = (legs.get((each.row["account"], ref)) for ref in each.refs)
        each.leg = next((leg for leg in found if leg), None)


def _rule(tx: Tx, items: Sequence[Item], moment: Moment) -> set[Claim]:
    """Ask the rules, and give what has to wait for the next batch. The rest without a verdict is decided alone."""
    looks = [(each.phase.seen.account, each.phase.seen.ref) for each in items if each.phase.seen]
    newest = inbox.applied_observations(tx, looks) if looks else {}
    again: set[Claim] = set()
    first: dict[str, Item] = {}
    for each in items:
        seen = each.phase.seen
        if seen is None:
            each.verdict = _without_look(each, moment)
        elif seen.number <= newest.get((seen.account, seen.ref), 0):
            ruling = Ruling(superseded(seen, newest[seen.account, seen.ref]))
            each.verdict = Verdict(each.phase.claim, each.row, ruling)
        elif each.leg and each.leg["customer"] in first:
            # A customer's second news has to see what the first one changed.
            again.add(each.phase.claim)
        elif each.leg:
            first[each.leg["customer"]] = each
    _settle(tx, first, moment)
    return again


def _without_look(item: Item, moment: Moment) -> Verdict | None:
    row, leg = item.row, item.leg
    if row["source"] == Source.TIMER:
        return None
    ours = (leg["id"], leg["payment"]) if leg else ()
    ref = ProviderRef(row["subject_ref"] or row["id"])
    customer = leg["customer"] if leg else None
    hint = Hint(row["kind"], row["subject_kind"] or "", ref, ours, looks=row["attempts"], customer=customer)
    decision = strangers.decide_without_fact(hint, moment.now, moment.new_id)
    return Verdict(item.phase.claim, row, Ruling(decision, customer))


def _settle(tx: Tx, items: Mapping[str, Item], moment: Moment) -> None:
    """Decide by the books, read for all customers at once."""
    if not items:
        return
    scopes = {customer: scope_of_intent(each.leg["payment"], each.fact) for customer, each in items.items() if each.leg}
    books: Mapping[str, Books] = load_all(tx, scopes)
    for customer, each in items.items():
        assert each.fact
        decision = settlement.decide_intent(books[customer], each.fact, moment.now, moment.new_id)
        look = None if isinstance(decision, Defer) else each.phase.seen
        each.verdict = Verdict(each.phase.claim, each.row, Ruling(decision, customer), look, books[customer])


def _of_companions(item: Item, open_rows: Mapping[Claim, Row]) -> list[Verdict]:
    """Decide what shares the look of news that was decided by it: the look says nothing more."""
    seen = item.phase.seen
    if seen is None or item.verdict is None or item.verdict.waits:
        return []
    ruling = Ruling(superseded(seen, seen.number)) if item.verdict.look else item.verdict.ruling
    return [Verdict(each, open_rows[each], ruling) for each in item.phase.companions if each in open_rows]


TOGETHER: Final[Mapping[type, Callable[[House, Sequence[Any]], Sequence[Phase | None]]]] = {
    Open: open_all,
    Number: number_all,
    Decide: decide_all,
}
"""Kinds of phases that are taken together."""
