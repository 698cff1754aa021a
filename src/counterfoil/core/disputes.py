"""A payment is contested: what the provider took is on its way, the credits it bought are held, and one side wins.

The provider's own balance transactions say what moved, each once by its own id; its word says where the dispute stands.
While it is open, the unspent share of what the payment bought is held on its lots. Won, that is let go; lost, it is
taken back in proportion, once, and the rest of what was contested is our loss. An inquiry takes nothing and holds
nothing. Nothing here depends on which step was heard of first.
"""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from typing import Final

from counterfoil.core import cases, contested, credits, going_back, legs, returns, taking_back
from counterfoil.core.books import Case, Grant, Hold, Leg, Wallet, allocations_of
from counterfoil.core.bought import Purchase
from counterfoil.core.clawback import DISPUTE_LOST, quantity_due
from counterfoil.core.contested import Dispute
from counterfoil.core.effects import Change, Notify, Post, Reason
from counterfoil.core.facts import DisputeFact
from counterfoil.core.ids import CaseId, DisputeId, HoldId
from counterfoil.core.lifecycle import DisputeStatus, HoldStatus
from counterfoil.core.mirrors import Steps
from counterfoil.core.money import Money, plain, share

OPEN, WON, LOST = DisputeStatus.OPEN, DisputeStatus.WON, DisputeStatus.LOST


def keys_of(facts: Iterable[DisputeFact]) -> tuple[str, ...]:
    """Give the keys of the entries that disputes may have made already."""
    return tuple(key for each in facts for key in _keys_of(each))


def _keys_of(fact: DisputeFact) -> Iterator[str]:
    yield from (f"dispute:{move.ref}" for move in fact.moves)
    yield f"dispute:{fact.ref}:overturned"


@dataclass(frozen=True, slots=True)
class Terms:
    """What disputes are held to: the keys that are booked, and whether an open one keeps wallets from being spent."""

    booked: Set[str]
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What was found in one look: sentences, and whether a person is asked."""

    sentences: tuple[str, ...] = ()
    asks: bool = False


def follow(steps: Steps, leg: Leg, facts: Iterable[DisputeFact], terms: Terms) -> Told:
    """Bring the disputes of a leg to where the provider says they stand."""
    told = [_Scene(steps, leg, fact, terms).follow() for fact in facts if fact.minor > 0]
    return Told(tuple(line for each in told for line in each.sentences), any(each.asks for each in told))


class _Scene:
    """One dispute under one look."""

    def __init__(self, steps: Steps, leg: Leg, fact: DisputeFact, terms: Terms) -> None:
        self.steps, self.leg, self.fact, self.terms = steps, leg, fact, terms
        self.before = next((each for each in steps.books.disputes if each.provider_ref == fact.ref), None)
        self.was = self.before.status if self.before else None
        self.told: list[str] = []
        self.asks = False
        self.dispute = self._now(self.before or self._new())

    def _new(self) -> Dispute:
        fact, customer = self.fact, self.steps.books.customer
        assert self.leg.account is not None, "a leg of the provider's without its account"
        return Dispute(
            id=DisputeId(self.steps.new_id("dispute")),
            customer=customer.id,
            account=self.leg.account,
            payment=self.leg.payment,
            leg=self.leg.id,
            provider_ref=fact.ref,
            provider_status=fact.status,
            status=contested.status_of(fact.status),
            amount_minor=fact.minor,
            currency=fact.currency,
            opened_at=self.steps.now,
            reason=fact.reason,
        )

    def _now(self, held: Dispute) -> Dispute:
        """Give the dispute as the provider says it is."""
        fact, status = self.fact, contested.status_of(self.fact.status)
        is_over = status not in contested.PENDING
        return replace(
            held,
            provider_status=fact.status,
            status=status,
            amount_minor=held.amount_minor if held.lost_minor else fact.minor,
            withdrawn_minor=-sum(each.minor for each in fact.moves),
            fee_minor=sum(each.fee_minor for each in fact.moves),
            evidence_due_at=fact.due_at,
            closed_at=(held.closed_at or self.steps.now) if is_over else None,
        )

    def follow(self) -> Told:
        """Book what moved, then what it means."""
        if self.dispute != self.before:
            self.steps.add(Change(self.before, self.dispute))
        self._book_moves()
        if self.dispute.status is OPEN:
            self._hold()
        else:
            self._let_go()
        if self.dispute.status is LOST and not self.dispute.lost_minor:
            self._lose()
        if self.dispute.status is WON and self.dispute.lost_minor:
            self._overturn()
        self._tell()
        self._ask()
        return Told(tuple(self.told), self.asks)

    def _change(self, after: Dispute) -> None:
        self.steps.add(Change(self.dispute, after))
        self.dispute = after

    def _book_moves(self) -> None:
        for move in self.fact.moves:
            if f"dispute:{move.ref}" in self.terms.booked:
                continue
            entry = going_back.dispute_moved(
                move, self.dispute.amount, self.dispute.account, self.dispute.id, self.steps.now
            )
            self.steps.add(*((Post(entry),) if entry.postings else ()))
            word = "took" if move.minor < 0 else "gave back"
            self.told.append(f"The provider {word} {Money(abs(move.minor), move.currency)} for {self.fact.ref}.")

    # --- what the payment bought ---

    def _reached(self) -> Iterator[tuple[Purchase, int]]:
        """Give the purchases that the leg paid for, each with its share of what is contested, in minor units."""
        paid = {each.invoice for each in allocations_of(self.steps.books, self.leg.id)}
        lines = [each for each in self.steps.books.lines if each.invoice in paid]
        total = sum(each.gross_minor for each in lines)
        for purchase in self.steps.books.purchases:
            own = sum(each.gross_minor for each in lines if each.purchase == purchase.id)
            part = min(share(own, min(self.dispute.amount_minor, total), total), purchase.gross_minor) if total else 0
            if part:
                yield purchase, part

    def _lots(self) -> Iterator[tuple[Purchase, int, Grant]]:
        for purchase, part in self._reached():
            lot = next((each for each in self.steps.books.grants if each.id == purchase.grant), None)
            if lot:
                yield purchase, part, lot

    def _holds(self) -> list[Hold]:
        return [
            each
            for each in self.steps.books.holds
            if each.dispute == self.dispute.id and each.status is HoldStatus.OPEN
        ]

    def _hold(self) -> None:
        """Hold what would be taken back of each lot, as far as it is unspent; shut the wallets where that is so."""
        for purchase, part, lot in list(self._lots()):
            self._hold_lot(purchase, part, lot)
        if self.terms.blocks and not self.dispute.blocks and self.was is not OPEN:
            wallets = self._wallets()
            self.steps.add(*(Change(each, replace(each, contested=each.contested + 1)) for each in wallets))
            if wallets:
                self._change(replace(self.dispute, blocks=True))

    def _hold_lot(self, purchase: Purchase, part: int, lot: Grant) -> None:
        refunded = min(purchase.refunded_minor + part, purchase.gross_minor)
        due = quantity_due(lot.amount, purchase.gross_minor, refunded, purchase.clawed) - self._held_by_others(lot)
        own = next((each for each in self._holds() if each.grant == lot.id), None)
        has = own.quantity if own else 0
        wanted = max(0, min(due, lot.free + has))
        if wanted == has:
            return
        minor = share(lot.cost_minor, wanted, lot.amount)
        after = replace(lot, held=lot.held + wanted - has)
        self.steps.add(Change(lot, after), *legs.ending_again(self.steps.books, (after,), self.steps.now))
        if own and not wanted:
            self.steps.add(Change(own, replace(own, status=HoldStatus.RELEASED)))
        elif own:
            self.steps.add(Change(own, replace(own, quantity=wanted, minor=minor)))
        else:
            identity = HoldId(self.steps.new_id("hold"))
            hold = Hold(identity, self.leg.id, lot.wallet, lot.id, wanted, minor, HoldStatus.OPEN)
            self.steps.add(Change(None, replace(hold, dispute=self.dispute.id)))
        if wanted > has:
            unit = self._wallet(lot).unit
            self.told.append(f"{plain(wanted, unit.scale)} {unit.code} are held until it is decided.")

    def _held_by_others(self, lot: Grant) -> int:
        return sum(
            each.quantity
            for each in self.steps.books.holds
            if each.grant == lot.id and each.status is HoldStatus.OPEN and each.dispute not in (None, self.dispute.id)
        )

    def _let_go(self) -> None:
        """Give what is held back to its lots; it covers what the wallets owe, and ends where its lot has ended."""
        holds = self._holds()
        for hold in holds:
            lot = next(each for each in self.steps.books.grants if each.id == hold.grant)
            after = replace(lot, held=lot.held - hold.quantity)
            self.steps.add(Change(hold, replace(hold, status=HoldStatus.RELEASED)), Change(lot, after))
        if self.dispute.blocks:
            wallets = self._wallets()
            self.steps.add(*(Change(each, replace(each, contested=each.contested - 1)) for each in wallets))
            self._change(replace(self.dispute, blocks=False))
        if self.dispute.status is not LOST:
            for hold in holds:
                lot = next(each for each in self.steps.books.grants if each.id == hold.grant)
                self.steps.add(*legs.ending_again(self.steps.books, (lot,), self.steps.now))
                self.steps.add(*credits.settle_debt(self.steps.books, hold.wallet, self.steps.now))
            if holds:
                self.told.append("What was held for it can be spent again.")

    def _wallets(self) -> list[Wallet]:
        reached = {lot.wallet for _, _, lot in self._lots()}
        return [each for each in self.steps.books.wallets if each.id in reached]

    def _wallet(self, lot: Grant) -> Wallet:
        return next(each for each in self.steps.books.wallets if each.id == lot.wallet)

    # --- its ends ---

    def _lose(self) -> None:
        """Take back what was bought in proportion; what is left of the money is lost."""
        ref, left = self.fact.ref, self.dispute.amount_minor
        again = f"dispute:{ref}:overturned" in self.terms.booked
        for purchase, part in [] if again else list(self._reached()):
            taking_back.take_back(self.steps, purchase.id, part, DISPUTE_LOST, f"dispute:{ref}:price:{purchase.id}")
            left -= part
        key = f"dispute:{ref}:lost{':again' if again else ''}"
        held = next(each for each in self.steps.books.legs if each.id == self.leg.id)
        if returns.is_debt_again(self.steps.books, held, left):
            self.steps.add(*returns.reopen(self.steps.books, held, key, self.steps.now, self.steps.new_id))
        elif left:
            money = Money(left, self.dispute.currency)
            self.steps.add(Post(going_back.dispute_lost(key, self.dispute.id, money, self.steps.now)))
        self._change(replace(self.dispute, lost_minor=self.dispute.amount_minor))
        for _, _, lot in list(self._lots()):
            self.steps.add(*legs.ending_again(self.steps.books, (lot,), self.steps.now))
        self.told.append(f"Dispute {ref} over {self.dispute.amount} is lost.")

    def _overturn(self) -> None:
        """Book that what was lost was won after all. What was taken back for it a person has to give again."""
        money = self.dispute.amount
        key = f"dispute:{self.fact.ref}:overturned"
        self.steps.add(Post(going_back.dispute_overturned(key, self.dispute.id, money, self.steps.now)))
        self._change(replace(self.dispute, lost_minor=0))
        sentence = f"Dispute {self.fact.ref} was lost and is won after all: {money} are ours again."
        taken = [purchase.id for purchase, _, _ in self._lots()]
        if taken:
            sentence += (
                f" Its credits were taken back ({', '.join(taken)}): issue them again, or pay the customer back."
            )
        self._open_case(Reason.DISPUTE_OVERTURNED, sentence)

    # --- who is told ---

    def _tell(self) -> None:
        if self.dispute.status in (OPEN, WON, LOST):
            self._notify("opened", new=self.was in (None, DisputeStatus.INQUIRY, DisputeStatus.CLOSED))
        if self.dispute.status in (WON, LOST):
            self._notify(self.dispute.status, new=self.dispute.status is not self.was)
        if self.was is None and self.dispute.status is DisputeStatus.INQUIRY:
            self.told.append(
                f"The bank asks about {self.dispute.amount} ({self.fact.ref}); nothing is taken or held yet."
            )
        if not self.told and self.dispute != self.before:
            self.told.append(f"Dispute {self.fact.ref} is {self.fact.status.replace('_', ' ')}.")

    def _notify(self, word: str, *, new: bool) -> None:
        """Tell once of each step, also of one that was not heard of when it happened."""
        if not new or (word == self.was):
            return
        dispute = self.dispute
        data: dict[str, str | int] = {
            "payment": dispute.payment,
            "amount_minor": dispute.amount_minor,
            "currency": dispute.currency,
            "reason": dispute.reason,
        }
        if dispute.evidence_due_at:
            data["evidence_due_at"] = dispute.evidence_due_at.isoformat()
        again = f":{len(self.fact.moves)}" if self.was in (WON, LOST, DisputeStatus.CLOSED) else ""
        key = f"dispute.{word}:{dispute.id}{again}"
        self.steps.add(Notify(key, f"dispute.{word}", dispute.customer, dispute.id, data))

    def _ask(self) -> None:
        """Ask a person for evidence while the provider takes some, and no longer."""
        was_asked = self.before is not None and self.before.provider_status in contested.ANSWERABLE
        is_asked = self.dispute.provider_status in contested.ANSWERABLE
        if is_asked and not was_asked:
            until = f" until {self.dispute.evidence_due_at:%-d %B %Y}" if self.dispute.evidence_due_at else ""
            sentence = (
                f"{self.dispute.amount} of {self.dispute.payment} are contested ({self.dispute.reason or 'general'}). "
                f"Send evidence at the provider{until}, or accept the loss there."
            )
            self._open_case(Reason.DISPUTE_NEEDS_EVIDENCE, sentence)
        if was_asked and not is_asked:
            self._close_case(Reason.DISPUTE_NEEDS_EVIDENCE)

    def _open_case(self, question: Reason, sentence: str) -> None:
        self.asks = True
        self.told.append(sentence)
        case = Case(CaseId(self.steps.new_id("case")), question, self.dispute.id, sentence, self.steps.now)
        self.steps.add(Change(None, replace(case, customer=self.dispute.customer)))

    def _close_case(self, question: Reason) -> None:
        for case in self.steps.books.cases:
            if case.subject == self.dispute.id and case.question == question:
                self.steps.add(*cases.resolved(case, cases.Resolution.OVER, self.steps.now))


RULE: Final = "follow-disputes@1"
