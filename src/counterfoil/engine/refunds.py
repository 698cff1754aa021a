"""Commands about money that goes back, and looks at it."""

from counterfoil.core import refunds as core
from counterfoil.core.books import Books
from counterfoil.core.effects import Decision, changes_of, effects_of
from counterfoil.core.ids import PaymentId, PurchaseId
from counterfoil.core.lifecycle import RefundStatus
from counterfoil.core.refunded import Refund
from counterfoil.core.refunding import Asked as Why
from counterfoil.core.refunding import Part
from counterfoil.engine import refund_views
from counterfoil.engine.apply import Applied
from counterfoil.engine.commands import Plan, Result, run
from counterfoil.engine.decide import Moment
from counterfoil.engine.load import Scope
from counterfoil.engine.operations import Asked, no_books, owner_of
from counterfoil.engine.views import View
from counterfoil.store import refunds
from counterfoil.store.database import Tx
from counterfoil.store.inbox import Answer, plain
from counterfoil.store.pages import Filter, Page


def refund_payment(asked: Asked, payment: str, parts: tuple[Part, ...], reason: str | None) -> Result:
    """Give money of a payment back."""

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        if books is None:
            return no_books("payment", payment)
        why = Why(reason)
        return core.decide_refund(books, PaymentId(payment), parts, why, moment.now, moment.new_id)

    customer = owner_of(asked, "payment", payment)
    scope = Scope(payments=(payment,), refunds=True)
    return run(asked.house, asked.tenant, asked.request, Plan(customer, scope, decide, _answer, awaits=_awaited))


def refund_purchase(asked: Asked, purchase: str, part: Part, reason: str | None) -> Result:
    """Give money of a purchase back, and take its share of the credits."""

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        if books is None:
            return no_books("purchase", purchase)
        return core.decide_refund_purchase(books, PurchaseId(purchase), part, reason, moment.now, moment.new_id)

    customer = owner_of(asked, "purchase", purchase)
    scope = Scope(purchases=(purchase,), refunds=True)
    return run(asked.house, asked.tenant, asked.request, Plan(customer, scope, decide, _answer, awaits=_awaited))


def _made(applied: Applied) -> list[Refund]:
    last = {each.id: each for each in changes_of(effects_of(applied.decision)) if isinstance(each, Refund)}
    return list(last.values())


def _awaited(applied: Applied) -> str | None:
    made = _made(applied)
    return made[0].id if any(each.status is RefundStatus.PROCESSING for each in made) else None


def _answer(tx: Tx, applied: Applied) -> Answer:
    made = _made(applied)
    return Answer(refund_views.group_answer(made), plain(refund_views.group_view(made)))


# --- looks ---


def refund(tx: Tx, identity: str) -> View | None:
    """Show a refund."""
    return next((refund_views.refund_view(each) for each in refunds.by_id(tx, (identity,))), None)


def page_of(tx: Tx, page: Page, wanted: Filter) -> list[View]:
    """Show refunds."""
    return [refund_views.refund_view(each) for each in refunds.page(tx, page, wanted)]
