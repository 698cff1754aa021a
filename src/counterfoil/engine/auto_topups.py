"""Commands about auto top-up."""

from collections.abc import Callable

from counterfoil.core import agreements
from counterfoil.core.agreed import Terms
from counterfoil.core.books import Books
from counterfoil.core.effects import Decision
from counterfoil.core.ids import WalletId
from counterfoil.core.money import ServiceUnit
from counterfoil.engine import auto_topup_views, topping_up
from counterfoil.engine.apply import Applied
from counterfoil.engine.commands import Plan, Result, run
from counterfoil.engine.decide import Moment
from counterfoil.engine.operations import Asked, no_books, owner_of
from counterfoil.store.database import Tx
from counterfoil.store.inbox import Answer, plain


def set_auto_topup(asked: Asked, wallet: str, terms_in: Callable[[ServiceUnit], Terms]) -> Result:
    """Switch a wallet's auto top-up on, or change its terms, which count in the wallet's unit."""

    def rule(tx: Tx, books: Books, moment: Moment) -> Decision:
        return topping_up.decide_set(tx, books, wallet, terms_in, moment.now, moment.new_id)

    return _on_wallet(asked, wallet, rule)


def stop_auto_topup(asked: Asked, wallet: str) -> Result:
    """Switch a wallet's auto top-up off."""

    def rule(tx: Tx, books: Books, moment: Moment) -> Decision:
        return agreements.decide_off(books, WalletId(wallet), moment.now, moment.new_id)

    return _on_wallet(asked, wallet, rule)


def _on_wallet(asked: Asked, wallet: str, rule: Callable[[Tx, Books, Moment], Decision]) -> Result:
    customer = owner_of(asked, "wallet", wallet)

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        return rule(tx, books, moment) if books else no_books("wallet", wallet)

    def answer(tx: Tx, applied: Applied) -> Answer:
        return Answer(200, plain(auto_topup_views.show(tx, wallet, asked.house.clock.now())))

    scope = topping_up.scope(wallet, asked.house.clock.now())
    return run(asked.house, asked.tenant, asked.request, Plan(customer, scope, decide, answer, awaits=lambda _: None))
