"""The flow of recognition: every hour, what the use of lots has earned is posted, page by page.

Holds ─→ … ─→ Wallets ─→ … ─→ Marks ─→ … ─→ done, and again an hour later

A page is one short transaction under the claim's fence, each wallet in it a decision of its own. Dying in between loses
nothing: what is not posted yet is found again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from counterfoil.core.facts import Source
from counterfoil.core.ids import GrantId, WalletId
from counterfoil.core.recognition import NOTHING
from counterfoil.core.wallets import decide_recognise
from counterfoil.engine.apply import apply
from counterfoil.engine.house import House
from counterfoil.engine.load import Scope, load_all
from counterfoil.engine.phases import Phase
from counterfoil.engine.spends import expire_holds
from counterfoil.store import inbox, recognition, statements, work
from counterfoil.store.database import Tx
from counterfoil.store.inbox import News
from counterfoil.store.recognition import Due
from counterfoil.store.work import Claim

KIND: Final = "recognise"
PAGE: Final = 20
"""How many wallets one transaction holds up."""
MARKED: Final = 200
"""How many wallets one transaction marks. It holds nobody up."""


@dataclass(frozen=True, slots=True)
class Holds:
    """End one page of holds whose time is up, then the next; after the last one, recognise wallets.

    Every use of their wallets ends them too: this is for those that nobody uses.
    """

    claim: Claim
    name = "expire-holds"

    def run(self, house: House) -> Phase | None:
        """One transaction. What it ends is found by its expiry, so doing it again changes nothing."""
        ended = expire_holds(house, self.claim.tenant)
        return Holds(self.claim) if ended else Wallets(self.claim)


@dataclass(frozen=True, slots=True)
class Wallets:
    """Recognise one page of wallets, then the next."""

    claim: Claim
    after: str = ""
    name = "recognise"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        return house.transact(self.claim.tenant, lambda tx: self._recognise(tx, house))

    def _recognise(self, tx: Tx, house: House) -> Phase | None:
        work.fence(tx, self.claim)
        page = recognition.due(tx, self.after, PAGE)
        recognise(tx, house, page)
        return Wallets(self.claim, page[-1].wallet) if len(page) == PAGE else Marks(self.claim)


@dataclass(frozen=True, slots=True)
class Marks:
    """Mark how much was drawn of one page of wallets; after the last one, come again in an hour."""

    claim: Claim
    after: str = ""
    name = "mark"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        return house.transact(self.claim.tenant, lambda tx: self._mark(tx, house))

    def _mark(self, tx: Tx, house: House) -> Phase | None:
        work.fence(tx, self.claim)
        last = statements.mark(tx, self.after, MARKED)
        if last is not None:
            return Marks(self.claim, last)
        work.postpone(tx, self.claim, house.clock.now() + house.settings.recognise_every)
        return None


@dataclass(frozen=True, slots=True)
class Cut:
    """An instant in the past that recognition is brought up to, and what has left lots since, in scaled units."""

    at: datetime
    later: Mapping[GrantId, int]


def recognise(tx: Tx, house: House, page: list[Due], cut: Cut | None = None) -> None:
    """Recognise wallets, under the locks of their customers: as of now, or of an instant in the past."""
    lots = {each.customer: Scope() for each in page}
    for each in page:
        lots[each.customer] = Scope(grants=(*lots[each.customer].grants, *each.lots))
    books = load_all(tx, lots)
    for each in page:
        now = house.clock.now()
        at, later = (cut.at, cut.later) if cut else (now, NOTHING)
        decision = decide_recognise(books[each.customer], WalletId(each.wallet), at, later)
        news = _news(house, each, now)
        inbox.put(tx, news)
        apply(tx, news.id, decision, each.customer, now, house.new_id)


def _news(house: House, due: Due, now: datetime) -> News:
    """Give the news that an hour is over for a wallet."""
    identity = house.new_id("inbox")
    return News(
        id=identity,
        source=Source.TIMER,
        kind=KIND,
        identity=f"timer:{KIND}:{identity}",
        occurred_at=now,
        received_at=now,
        subject_kind="wallet",
        subject_ref=due.wallet,
        customer=due.customer,
    )
