"""Wallets and their lots: how a lot begins, how it ends, and whether a wallet may be spent from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, assert_never

from counterfoil.core import journal
from counterfoil.core.alerts import armed, balance_of, topped_up
from counterfoil.core.books import FREE_SOURCES, Books, Grant, GrantSource, Wallet
from counterfoil.core.credits import covering, ending, is_live, lots_of
from counterfoil.core.effects import (
    Act,
    Change,
    Decision,
    Effect,
    Notify,
    Post,
    Reason,
    Refuse,
    Skip,
    Timer,
    Why,
)
from counterfoil.core.ids import GrantId, NewId, WalletId
from counterfoil.core.journal import Covered
from counterfoil.core.lifecycle import WalletStatus, may_move
from counterfoil.core.money import Money, ServiceUnit, plain
from counterfoil.core.recognition import NOTHING, catch_up, catch_up_all
from counterfoil.core.terms import Overdraft, Shortfall

WALLET: Final = "open-wallet@1"
MOVE: Final = "move-wallet@1"
GRANT: Final = "issue-grant@1"
VOID: Final = "void-grant@1"
END: Final = "end-grant@1"
END_TIMER: Final = "end-grant"
BEGIN: Final = "begin-grant@1"
BEGIN_TIMER: Final = "begin-grant"
TERMS: Final = "wallet-terms@1"
RECOGNISE: Final = "recognise@1"
FORGIVE: Final = "forgive-debt@1"


@dataclass(frozen=True, slots=True)
class Terms:
    """How a wallet treats use that no lot covers, and spent credits whose price is refunded.

    `debt_limit` is in scaled units, None is any amount. `overflow` says whether the use of a plan may go on to credits
    of no pool.
    """

    overdraft: Overdraft = Overdraft.REFUSE
    debt_limit: int | None = None
    shortfall: Shortfall = Shortfall.DEBT
    alert_percents: tuple[int, ...] = (20, 5)
    alert_levels: tuple[int, ...] = ()
    overflow: bool = True


def decide_open_wallet(
    books: Books, unit: ServiceUnit, now: datetime, new_id: NewId, terms: Terms = Terms()
) -> Decision:
    """Open a wallet. A customer has one open wallet per unit, so that a balance has one answer."""
    held = next((each for each in books.wallets if each.unit.code == unit.code), None)
    if held and held.status is not WalletStatus.CLOSED:
        sentence = f"This customer has a wallet in {unit.code} already: {held.id}."
        return Refuse(Why(WALLET, Reason.WALLET_EXISTS, sentence, (held.id, books.customer.id)), "unit")
    if refusal := _terms_refusal(WALLET, terms):
        return refusal
    wallet = Wallet(
        WalletId(new_id("wallet")),
        books.customer.id,
        unit,
        WalletStatus.ACTIVE,
        now,
        overdraft=terms.overdraft,
        debt_limit=terms.debt_limit,
        shortfall=terms.shortfall,
        alert_percents=terms.alert_percents,
        alert_levels=terms.alert_levels,
        overflow=terms.overflow,
    )
    sentence = f"A wallet in {unit.code} is open."
    why = Why(WALLET, Reason.WALLET_OPENED, sentence, (wallet.id, books.customer.id))
    return Act(why, (Change(None, wallet),))


def _terms_refusal(rule: str, terms: Terms) -> Refuse | None:
    if terms.debt_limit is not None and terms.overdraft is not Overdraft.DEBT:
        sentence = f"Only a wallet with the overdraft debt has a limit of debt; this one has {terms.overdraft}."
        return Refuse(Why(rule, Reason.INVALID_REQUEST, sentence), "debt_limit")
    return None


def decide_wallet_terms(books: Books, wallet: WalletId, terms: Terms, now: datetime) -> Decision:
    """Change what happens to use that no lot covers. What is owed already stays owed."""
    held = next((each for each in books.wallets if each.id == wallet), None)
    if held is None:
        return Refuse(Why(TERMS, Reason.NOT_FOUND, f"There is no wallet {wallet}.", (wallet,)))
    about = (wallet, books.customer.id)
    if refusal := _terms_refusal(TERMS, terms):
        return refusal
    told = "they are owed" if terms.shortfall is Shortfall.DEBT else "they are forgiven"
    changed = replace(
        held,
        overdraft=terms.overdraft,
        debt_limit=terms.debt_limit,
        shortfall=terms.shortfall,
        alert_percents=terms.alert_percents,
        alert_levels=terms.alert_levels,
        overflow=terms.overflow,
    )
    if (changed.alert_percents, changed.alert_levels) != (held.alert_percents, held.alert_levels):
        changed = armed(changed, balance_of(changed, lots_of(books, wallet), now))
    if changed == held:
        return Skip(Why(TERMS, Reason.ALREADY_KNOWN, "The wallet has these terms already.", about))
    sentence = (
        f"Use that no lot of the wallet covers: {in_words(changed)}; spent credits that are refunded: {told}; "
        f"a plan that is used up {'goes on to' if changed.overflow else 'leaves alone'} other credits."
    )
    return Act(Why(TERMS, Reason.WALLET_TERMS_CHANGED, sentence, about), (Change(held, changed),))


def in_words(wallet: Wallet) -> str:
    """Say what happens to use that no lot of this wallet covers."""
    match wallet.overdraft:
        case Overdraft.REFUSE:
            return "it is refused"
        case Overdraft.WRITE_OFF:
            return "it is given away"
        case Overdraft.DEBT if wallet.debt_limit is None:
            return "it is owed"
        case Overdraft.DEBT:
            return f"it is owed, up to {plain(wallet.debt_limit or 0, wallet.unit.scale)} {wallet.unit.code}"
        case _:
            assert_never(wallet.overdraft)


@dataclass(frozen=True, slots=True)
class Issue:
    """The lot to put into a wallet. `amount` is in scaled units; the cost basis is net, in minor units."""

    wallet: WalletId
    source: GrantSource
    amount: int
    cost_minor: int
    cost_currency: str | None
    effective_at: datetime
    priority: int = 50
    expires_at: datetime | None = None
    features: tuple[str, ...] = ()
    pool: str = ""


def decide_grant(books: Books, wanted: Issue, now: datetime, new_id: NewId) -> Decision:
    """Issue a lot. What was paid for it is pinned now, and is what its use will recognise.

    It covers what the wallet owes first, from its first instant on.
    """
    wallet = next((each for each in books.wallets if each.id == wanted.wallet), None)
    refusal = _grant_refusal(wallet, wanted)
    if refusal or wallet is None:
        return refusal or Refuse(Why(GRANT, Reason.NOT_FOUND, f"There is no wallet {wanted.wallet}."), "wallet")
    grant = Grant(
        id=GrantId(new_id("grant")),
        wallet=wallet.id,
        source=wanted.source,
        amount=wanted.amount,
        remaining=wanted.amount,
        cost_minor=wanted.cost_minor,
        cost_currency=wanted.cost_currency or wallet.unit.face_currency or "USD",
        effective_at=wanted.effective_at,
        created_at=now,
        priority=wanted.priority,
        expires_at=wanted.expires_at,
        features=tuple(sorted(set(wanted.features))),
        pool=wanted.pool,
    )
    effects, covered = issue(books, grant, wallet, now)
    sentence = f"A {grant.source} lot was issued into the wallet{_covering(wallet, covered)}."
    return Act(Why(GRANT, Reason.GRANT_ISSUED, sentence, (grant.id, wallet.id, books.customer.id)), effects)


def issue(books: Books, grant: Grant, wallet: Wallet, now: datetime) -> tuple[tuple[Effect, ...], int]:
    """Put a new lot into its wallet, whatever brought it: the effects, and how much debt it covers at once."""
    owner, posted = wallet.customer, Post(journal.grant_issued(grant, wallet.unit))
    data: dict[str, str | int] = {"wallet": wallet.id, "amount": grant.amount, "unit": wallet.unit.code}
    told = Notify(f"grant.issued:{grant.id}", "grant.issued", owner, grant.id, data)
    timers = [Timer(END_TIMER, grant.id, owner, grant.expires_at)] if grant.expires_at else []
    if grant.effective_at > now:
        # A lot that begins later covers what is owed then.
        begins = Timer(BEGIN_TIMER, grant.id, owner, grant.effective_at)
        return (Change(None, grant), posted, told, begins, *timers), 0
    cover = covering(grant, wallet) or Covered(grant, wallet, 0)
    filled = topped_up(cover.wallet, cover.lot, lots_of(books, wallet.id), now)
    changed: tuple[Effect, ...] = (Change(wallet, filled),) if filled != wallet else ()
    paid = (Post(journal.debt_covered(cover, now)),) if cover.quantity else ()
    return (Change(None, cover.lot), *changed, posted, *paid, told, *timers), cover.quantity


def _covering(wallet: Wallet, covered: int) -> str:
    return f" and covers the {plain(covered, wallet.unit.scale)} {wallet.unit.code} that were owed" if covered else ""


def decide_begin_lot(books: Books, grant: GrantId, now: datetime) -> Decision:
    """Let a lot that begins now cover what the wallet owes."""
    held = _lot(books, grant)
    cover = covering(held, _wallet(books, held)) if held and is_live(held, now) else None
    if held is None or cover is None:
        return Skip(Why(BEGIN, Reason.TIMER_OBSOLETE, "Nothing is owed that the lot could cover.", (grant,)))
    wallet = _wallet(books, held)
    sentence = f"The lot began{_covering(wallet, cover.quantity)}."
    why = Why(BEGIN, Reason.DEBT_COVERED, sentence, (grant, wallet.id, books.customer.id))
    return Act(why, (Change(held, cover.lot), Change(wallet, cover.wallet), Post(journal.debt_covered(cover, now))))


def _grant_refusal(wallet: Wallet | None, wanted: Issue) -> Refuse | None:
    if wallet is None:
        return Refuse(Why(GRANT, Reason.NOT_FOUND, f"This customer has no wallet {wanted.wallet}."), "wallet")
    if wallet.status is not WalletStatus.ACTIVE:
        return Refuse(Why(GRANT, Reason.WALLET_NOT_ACTIVE, f"The wallet is {wallet.status}.", (wallet.id,)), "wallet")
    if wanted.amount <= 0:
        return Refuse(Why(GRANT, Reason.INVALID_REQUEST, "A lot holds more than zero.", (wallet.id,)), "amount")
    if wanted.expires_at and wanted.expires_at <= wanted.effective_at:
        return Refuse(
            Why(GRANT, Reason.INVALID_REQUEST, "A lot expires after it takes effect.", (wallet.id,)), "expires_at"
        )
    if wanted.cost_minor < 0 or (wanted.cost_minor and wanted.source in FREE_SOURCES):
        sentence = f"A {wanted.source} lot is free; leave its cost out."
        return Refuse(Why(GRANT, Reason.COST_NOT_ALLOWED, sentence, (wallet.id,)), "cost")
    if wanted.cost_minor and not (wanted.cost_currency or wallet.unit.face_currency):
        sentence = f"{wallet.unit.code} is pegged to no currency; say in which one its cost is."
        return Refuse(Why(GRANT, Reason.INVALID_REQUEST, sentence, (wallet.id,)), "cost")
    if wanted.cost_currency and wallet.unit.face_currency not in (None, wanted.cost_currency):
        sentence = f"{wallet.unit.code} is pegged to {wallet.unit.face_currency}; state its cost in that currency."
        return Refuse(Why(GRANT, Reason.CURRENCIES_DIFFER, sentence, (wallet.id,)), "cost")
    return None


def decide_forgive_debt(books: Books, wallet: WalletId, now: datetime) -> Decision:
    """Give away what a wallet owes. An operator's act: nothing is taken out of later lots for it."""
    held = next((each for each in books.wallets if each.id == wallet), None)
    if held is None:
        return Refuse(Why(FORGIVE, Reason.NOT_FOUND, f"There is no wallet {wallet}.", (wallet,)))
    about = (wallet, books.customer.id)
    if held.debt == 0:
        return Skip(Why(FORGIVE, Reason.ALREADY_KNOWN, "The wallet owes nothing.", about))
    sentence = f"The {plain(held.debt, held.unit.scale)} {held.unit.code} that were owed are given away."
    data: dict[str, str | int] = {"amount": held.debt, "unit": held.unit.code}
    told = Notify(f"wallet.forgiven:{wallet}:{held.moves + 1}", "wallet.debt_forgiven", books.customer.id, wallet, data)
    effects = (Change(held, replace(held, debt=0, moves=held.moves + 1)), Post(journal.debt_forgiven(held, now)), told)
    return Act(Why(FORGIVE, Reason.DEBT_FORGIVEN, sentence, about), effects)


# --- what use has earned ---


def decide_recognise(books: Books, wallet: WalletId, now: datetime, later: Mapping[GrantId, int] = NOTHING) -> Decision:
    """Post what the use of a wallet's lots has earned since it was last looked at, as of `now`.

    `later` is what left its lots after that instant, in scaled units: nothing is posted for it yet.
    """
    before = {each.id: each.released_minor for each in books.grants}
    own = {each.id for each in books.grants if each.wallet == wallet}
    after, effects = catch_up_all(books, own, now, later)
    if not effects:
        return Skip(Why(RECOGNISE, Reason.ALREADY_KNOWN, "Everything that was used is recognised.", (wallet,)))
    earned: dict[str, int] = {}
    for each in after.grants:
        minor = each.released_minor - before[each.id]
        earned[each.cost_currency] = earned.get(each.cost_currency, 0) + minor
    sums = " and ".join(str(Money(minor, currency)) for currency, minor in sorted(earned.items()) if minor)
    sentence = f"What was used of the wallet's lots has earned {sums or 'nothing more in all'}."
    return Act(Why(RECOGNISE, Reason.REVENUE_RECOGNISED, sentence, (wallet, books.customer.id)), effects)


# --- the end of a lot ---


def decide_end_lot(books: Books, grant: GrantId, now: datetime, due: datetime | None = None) -> Decision:
    """Take out of a lot what its time is up for: at its expiry, and when a share of it comes back after its end.

    A reserved share does not end before its hold does. What expires was paid for and is not owed any more: breakage.
    """
    held = _lot(books, grant)
    if held is None or not held.over_at(now) or held.free == 0:
        return Skip(Why(END, Reason.TIMER_OBSOLETE, "Nothing is left in the lot that could end.", (grant,)))
    wallet = _wallet(books, held)
    quantity = f"{plain(held.free, wallet.unit.scale)} {wallet.unit.code}"
    word = "were taken back, as the lot was voided" if held.voided_at else "were not used in time and expired"
    why = Why(END, Reason.GRANT_ENDED, f"{quantity} {word}.", (grant, wallet.id, books.customer.id))
    # An expiry is booked at its very instant, however late the timer was; what came back since, when it came.
    at = max(held.voided_at or held.expires_at or now, due or held.effective_at)
    return Act(why, end_lot(held, held, wallet, at))


def decide_void_grant(books: Books, grant: GrantId, now: datetime) -> Decision:
    """Take back what is left of a lot. What was paid for it is owed back; a second time changes nothing."""
    held = _lot(books, grant)
    if held is None:
        return Refuse(Why(VOID, Reason.NOT_FOUND, f"There is no grant {grant}.", (grant,)))
    wallet = _wallet(books, held)
    about = (grant, wallet.id, books.customer.id)
    if held.voided_at:
        return Skip(Why(VOID, Reason.ALREADY_KNOWN, "The lot was voided before.", about))
    if held.over_at(now):
        # Whether or not its timer has booked it yet: what expired is breakage, and nothing of it is owed back.
        return Skip(Why(VOID, Reason.ALREADY_KNOWN, "The lot had expired before; nothing is left to take back.", about))
    if held.held:
        quantity = f"{plain(held.held, wallet.unit.scale)} {wallet.unit.code}"
        sentence = f"{quantity} of this lot are reserved for a payment; cancel that payment first."
        return Refuse(Why(VOID, Reason.GRANT_IN_USE, sentence, about))
    quantity = f"{plain(held.free, wallet.unit.scale)} {wallet.unit.code}"
    sentence = f"The lot was voided; the {quantity} that were left of it are taken back."
    effects = end_lot(held, replace(held, voided_at=now), wallet, now)
    return Act(Why(VOID, Reason.GRANT_VOIDED, sentence, about), effects)


def end_lot(before: Grant, lot: Grant, wallet: Wallet, at: datetime) -> tuple[Effect, ...]:
    """Take the free part out of a lot that has ended; `before` is the lot as it was read."""
    current, recognised = catch_up(before, at)
    ended = ending(replace(current, voided_at=lot.voided_at))
    change = Change(current, ended.after)
    if ended.quantity == 0:
        return (*recognised, change)
    word = "voided" if lot.voided_at else "expired"
    data: dict[str, str | int] = {"wallet": wallet.id, "amount": ended.quantity, "unit": wallet.unit.code}
    return (
        *recognised,
        change,
        Post(journal.grant_ended(ended, wallet.unit, at)),
        Notify(f"grant.{word}:{lot.id}:{ended.after.gone}", f"grant.{word}", wallet.customer, lot.id, data),
    )


def _lot(books: Books, grant: GrantId) -> Grant | None:
    return next((each for each in books.grants if each.id == grant), None)


def _wallet(books: Books, grant: Grant) -> Wallet:
    return next(each for each in books.wallets if each.id == grant.wallet)


# --- whether a wallet may be spent from ---


def decide_move_wallet(books: Books, wallet: WalletId, to: WalletStatus) -> Decision:
    """Suspend a wallet, let it be spent from again, or close it for good. One that holds something can't be closed."""
    held = next((each for each in books.wallets if each.id == wallet), None)
    if held is None:
        return Refuse(Why(MOVE, Reason.NOT_FOUND, f"There is no wallet {wallet}.", (wallet,)))
    about = (wallet, books.customer.id)
    if held.status is to:
        return Skip(Why(MOVE, Reason.ALREADY_KNOWN, f"The wallet is {to} already.", about))
    if not may_move("wallet", held.status, to):
        return Refuse(Why(MOVE, Reason.WALLET_NOT_ACTIVE, f"The wallet is {held.status} for good.", about))
    left = sum(each.remaining for each in books.grants if each.wallet == wallet)
    if to is WalletStatus.CLOSED and held.debt:
        quantity = f"{plain(held.debt, held.unit.scale)} {held.unit.code}"
        sentence = f"The wallet owes {quantity}; issue a grant that covers them or write them off first."
        return Refuse(Why(MOVE, Reason.WALLET_NOT_EMPTY, sentence, about))
    if to is WalletStatus.CLOSED and left:
        quantity = f"{plain(left, held.unit.scale)} {held.unit.code}"
        sentence = f"The wallet holds {quantity}; use them, let them expire or void their grants first."
        return Refuse(Why(MOVE, Reason.WALLET_NOT_EMPTY, sentence, about))
    data: dict[str, str | int] = {"unit": held.unit.code}
    told = Notify(f"wallet.{to}:{wallet}:{held.moves + 1}", f"wallet.{to}", books.customer.id, wallet, data)
    moved = replace(held, status=to, moves=held.moves + 1)
    return Act(Why(MOVE, Reason.WALLET_MOVED, f"The wallet is {to}.", about), (Change(held, moved), told))
