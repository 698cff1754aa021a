"""Random histories of one wallet over the pure rules, told by a seed: everything that can happen to credits, in any
order. The stored balances and the journal are kept apart, so that the one can be rebuilt from the other."""

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from core.factories import NOW, Counting, customer, wallet
from counterfoil.core import clawback, credits, journal
from counterfoil.core.books import (
    FREE_SOURCES,
    Books,
    Grant,
    GrantSource,
    Leg,
    LegKind,
    with_changes,
)
from counterfoil.core.clawback import DISPUTE_LOST, REFUND, net_due, quantity_due
from counterfoil.core.corrections import Spent, decide_correct
from counterfoil.core.effects import Act, Change, Decision, Post, Timer, effects_of
from counterfoil.core.ids import GrantId, LegId, PaymentId, SpendId, typeid
from counterfoil.core.journal import Entry, Posting, read_account
from counterfoil.core.lifecycle import HoldStatus, LegStatus
from counterfoil.core.recognition import catch_up_all
from counterfoil.core.spending import Cover, Lot, Purse, decide_spend
from counterfoil.core.terms import Overdraft, Shortfall
from counterfoil.core.wallets import (
    BEGIN_TIMER,
    Issue,
    decide_begin_lot,
    decide_end_lot,
    decide_forgive_debt,
    decide_grant,
    decide_recognise,
    decide_void_grant,
)

FEATURES = ("chat", "search")
ACTS = "grant grant spend spend spend spend correct reserve settle release give_back hour pass void claw forgive"


@dataclass(slots=True)
class History:
    """A wallet's stored state, the journal beside it, and what still waits for its time."""

    seed: int
    chance: random.Random
    books: Books
    now: datetime = NOW
    new_id: Counting = field(default_factory=Counting)
    entries: dict[str, Entry] = field(default_factory=dict)
    balances: Counter[tuple[str, str]] = field(default_factory=Counter)
    timers: list[Timer] = field(default_factory=list)
    spends: list[Spent] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    clawed: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Of each lot: what was refunded of its gross, what was taken back, what of its price was given back."""
    happened: Counter[str] = field(default_factory=Counter)

    # --- writing ---

    def decide(self, decision: Decision) -> None:
        self.write(effects_of(decision))

    def write(self, effects: tuple[Any, ...]) -> None:
        for effect in effects:
            if isinstance(effect, Post):
                self.post(effect.entry)
            elif isinstance(effect, Change):
                held = self._held(effect.after)
                assert held == effect.before, f"seed {self.seed}: {effect.after.id} was not as the rule saw it"
                self.books = with_changes(self.books, (effect.after,))
            elif isinstance(effect, Timer):
                self.timers.append(effect)

    def _held(self, subject: Any) -> Any:
        shelf: tuple[Any, ...] = (*self.books.grants, *self.books.wallets)
        return next((each for each in shelf if each.id == subject.id), None)

    def post(self, entry: Entry) -> None:
        assert entry.key not in self.entries, f"seed {self.seed}: {entry.key} was posted twice"
        assert entry.postings
        self.entries[entry.key] = entry
        for each in entry.postings:
            assert each.amount > 0
            assert each.debit != each.credit
            self.balances[str(each.credit), each.unit] += each.amount
            self.balances[str(each.debit), each.unit] -= each.amount

    def balance(self, account: str, unit: str = "USD") -> int:
        return self.balances[account, unit]

    # --- what can happen ---

    def step(self) -> None:
        act = self.chance.choice(ACTS.split())
        before = len(self.entries)
        getattr(self, f"_{act}")()
        if len(self.entries) > before or act == "pass":
            self.happened[act] += 1

    def _grant(self) -> None:
        source = self.chance.choice(list(GrantSource))
        cost = 0 if source in FREE_SOURCES else self.chance.choice([0, 1, 7, 100, 4_999])
        begins = self.now + timedelta(hours=self.chance.choice([0, 0, 0, 3]))
        lasts = self.chance.choice([None, 2, 9, 30])
        issue = Issue(
            self.books.wallets[0].id,
            source,
            self.chance.choice([1, 3, 10, 97, 1_000]) * 1_000,
            cost,
            "USD" if cost else None,
            begins,
            self.chance.choice([10, 50]),
            begins + timedelta(hours=lasts) if lasts else None,
            tuple(self.chance.sample(FEATURES, self.chance.choice([0, 0, 1, 2]))),
        )
        self.decide(decide_grant(self.books, issue, self.now, self.new_id))

    def purse(self, shuffled: bool = False) -> Purse:
        """The wallet as the spend door reads it, in whatever order the rows come."""
        held = self.books.wallets[0]
        own = [each for each in self.books.grants if each.remaining and not each.voided_at]
        if shuffled:
            self.chance.shuffle(own)
        made = Purse(
            held.id, held.customer, held.unit.code, held.unit.scale, held.status, False, held.overdraft,
            held.debt_limit, held.debt,
        )  # fmt: skip
        made.fill([lot_of(each) for each in own], self.now)
        return made

    def _spend(self) -> None:
        amount, feature = self.chance.choice([1, 500, 3_001, 50_000, 777_777]), self.chance.choice([None, *FEATURES])
        at = self.now - timedelta(hours=self.chance.choice([0, 0, 0, 1, 5]))
        purse = self.purse()
        cover = decide_spend(purse, amount, feature, at, self.now)
        assert cover == decide_spend(self.purse(shuffled=True), amount, feature, at, self.now), "the order decided"
        if not isinstance(cover, Cover):
            return
        spend = SpendId(typeid("spnd", len(self.spends)))
        postings = [Posting(read_account(each), journal.USED, purse.unit, share) for each, share in cover.draws]
        self.post(Entry(f"spend:{spend}", spend, self.now, tuple(postings)))
        drawn = dict(cover.draws)
        lots = [replace(g, remaining=g.remaining - drawn.get(f"grant:{g.id}", 0)) for g in self.books.grants]
        owing = replace(self.books.wallets[0], debt=purse.debt)
        self.books = with_changes(self.books, (*lots, owing))
        self.spends.append(Spent(spend, owing.id, tuple(cover.draws)))

    def _correct(self) -> None:
        if not self.spends:
            return
        which = self.chance.randrange(len(self.spends))
        spent = replace(self.spends[which], covers=self._covers())
        quantity = self.chance.choice([None, 1, max(1, spent.left // 2)])
        decision = decide_correct(self.books, spent, quantity, self.now)
        self.decide(decision)
        if isinstance(decision, Act):
            back = spent.left if quantity is None else quantity
            self.spends[which] = replace(
                spent, corrected=spent.corrected + back, corrections=spent.corrections + 1, covers=()
            )

    def _covers(self) -> tuple[tuple[GrantId, int], ...]:
        """The lots that paid for debt, the latest first, as the store reads them from the journal."""
        covered: dict[str, int] = {}
        for entry in self.entries.values():
            for each in entry.postings:
                if each.debit.kind == "grant" and each.credit.kind == "debt":
                    covered[each.debit.owner] = covered.pop(each.debit.owner, 0) + each.amount
                elif each.debit.kind == "debt" and each.credit.kind == "grant":
                    covered[each.credit.owner] -= each.amount
        return tuple((GrantId(lot), amount) for lot, amount in reversed(covered.items()) if amount)

    def _reserve(self) -> None:
        held = self.books.wallets[0]
        shares = credits.cover(self.books, held, self.chance.randint(1, 90), self.now)
        if not shares or held.debt:
            return
        leg = Leg(
            LegId(self.new_id("leg")), PaymentId("pmt_1"), LegKind.CREDIT, LegStatus.RESERVED,
            sum(each.minor for each in shares), "USD", self.now, wallet=held.id,
            quantity=sum(each.quantity for each in shares),
        )  # fmt: skip
        holds, grants = credits.reserve(leg, shares, self.new_id)
        self.books = with_changes(self.books, (*holds, *grants))
        self.legs.append(leg)

    def _leg(self, status: HoldStatus) -> Leg | None:
        ids = {each.leg for each in self.books.holds if each.status is status}
        found = [each for each in self.legs if each.id in ids]
        return self.chance.choice(found) if found else None

    def _settle(self) -> None:
        leg = self._leg(HoldStatus.OPEN)
        if leg is None:
            return
        lots = {each.grant for each in credits.open_holds(self.books, leg)}
        self.write(catch_up_all(self.books, lots, self.now)[1])
        holds, grants, drawn = credits.settle(self.books, leg)
        self.post(journal.credit_leg_settled(leg, wallet().unit, customer().id, drawn, self.now))
        self.books = with_changes(self.books, (*holds, *grants))

    def _release(self) -> None:
        leg = self._leg(HoldStatus.OPEN)
        if leg:
            holds, grants = credits.release(self.books, leg)
            self.books = with_changes(self.books, (*holds, *grants))
            self._end_again(grants)

    def _give_back(self) -> None:
        leg = self._leg(HoldStatus.SETTLED)
        if leg is None:
            return
        grants, drawn = credits.put_back(self.books, leg)
        self.post(journal.credit_leg_returned(leg, wallet().unit, customer().id, drawn, self.now))
        kept = tuple(each for each in self.books.holds if each.leg != leg.id)
        self.books = replace(with_changes(self.books, grants), holds=kept)
        self.legs.remove(leg)
        self.write(catch_up_all(self.books, {each.id for each in grants}, self.now)[1])
        self._end_again(grants)

    def _end_again(self, grants: tuple[Grant, ...]) -> None:
        for each in grants:
            if each.over_at(self.now):
                self.decide(decide_end_lot(self.books, each.id, self.now, self.now))

    def _hour(self) -> None:
        self.decide(decide_recognise(self.books, self.books.wallets[0].id, self.now))

    def _pass(self) -> None:
        """Time passes; what was due meanwhile is done, unless the workers are away."""
        self.now += timedelta(hours=self.chance.choice([1, 2, 7]))
        if self.chance.random() < 0.7:
            self.wake()

    def wake(self) -> None:
        """Let every timer ring whose time has come."""
        due = [each for each in self.timers if each.due_at <= self.now]
        self.timers = [each for each in self.timers if each.due_at > self.now]
        for each in due:
            lot = GrantId(each.subject)
            if each.kind == BEGIN_TIMER:
                self.decide(decide_begin_lot(self.books, lot, self.now))
            else:
                self.decide(decide_end_lot(self.books, lot, self.now, each.due_at))

    def _void(self) -> None:
        if self.books.grants and self.chance.random() < 0.3:
            self.decide(decide_void_grant(self.books, self.chance.choice(self.books.grants).id, self.now))

    def _claw(self) -> None:
        lots = [each for each in self.books.grants if each.cost_minor and not each.voided_at]
        if not lots or self.chance.random() < 0.5:
            return
        lot = self.chance.choice(lots)
        gross = lot.cost_minor + 3
        refunded, clawed, returned = self.clawed.get(lot.id, (0, 0, 0))
        refunded = min(gross, refunded + self.chance.choice([1, gross // 2 + 1, gross]))
        quantity = quantity_due(lot.amount, gross, refunded, clawed)
        net = net_due(lot.cost_minor, gross, refunded, returned)
        cause = self.chance.choice([REFUND, DISPUTE_LOST])
        _, effects = clawback.clawed(self.books, lot, quantity, net, cause, self.now)
        self.write(effects)
        self.clawed[lot.id] = (refunded, clawed + quantity, returned + net)

    def _forgive(self) -> None:
        if self.chance.random() < 0.3:
            self.decide(decide_forgive_debt(self.books, self.books.wallets[0].id, self.now))


def lot_of(grant: Grant) -> Lot:
    """A lot as the spend door reads it."""
    return Lot(
        grant.id, grant.source, grant.priority, grant.effective_at, grant.expires_at, grant.created_at,
        grant.remaining, grant.held, grant.features, grant.pool,
    )  # fmt: skip


def history(seed: int, steps: int = 40) -> History:
    """Let something happen `steps` times."""
    chance = random.Random(seed)
    opened = wallet(overdraft=chance.choice(list(Overdraft)), shortfall=chance.choice(list(Shortfall)))
    made = History(seed, chance, Books(customer(), wallets=(opened,)))
    for _ in range(steps):
        made.step()
    return made
