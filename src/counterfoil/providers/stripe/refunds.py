"""One refund at Stripe, as a fact."""

from counterfoil.core.facts import REFUND_MARK, RefundFact
from counterfoil.core.ids import ProviderRef
from counterfoil.core.money import Money
from counterfoil.providers.stripe.fields import Doc, Unreadable, labels, ref, text, whole


def refund_of(doc: Doc) -> RefundFact:
    """Read a refund. Raises Unreadable, MoneyError."""
    money, mark = money_of(doc), labels(doc).get(REFUND_MARK)
    status, failure = text(doc, "status") or "", text(doc, "failure_reason")
    return RefundFact(id_of(doc), status, money.minor, money.currency, mark, failure)


def money_of(doc: Doc) -> Money:
    """Read what an object is of. Raises Unreadable, MoneyError."""
    code = text(doc, "currency")
    if code is None or not code.isascii():
        raise Unreadable("currency is missing")
    return Money(whole(doc, "amount"), code.upper())


def id_of(doc: Doc) -> ProviderRef:
    """Read an object's own id. Raises Unreadable."""
    found = ref(doc, "id")
    if found is None:
        raise Unreadable("id is missing")
    return found
