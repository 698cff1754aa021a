"""The page that explains anything else that has an id: a payment, a leg, a wallet, a lot, a provider's object."""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from counterfoil.console.present import path_to
from counterfoil.console.reading import explained
from counterfoil.console.render import page
from counterfoil.console.visits import Visitor

FACTS = (
    *("status", "outcome", "rule", "reason", "customer", "payment", "wallet", "payment_method", "unit", "means"),
    *("source", "kind", "brand", "last4", "expires", "confirm", "verb", "question", "subject", "why", "tries", "key"),
    *("provider_ref", "charge_ref", "looks", "created_at", "queued_at", "sent_at", "opened_at", "effective_at"),
    *("expires_at", "settled_at", "decided_at", "resolved_at", "seen_at"),
)
"""The plain fields of a subject that are worth a line, in this order."""


def one(request: Request, visitor: Visitor) -> Response:
    """Explain an id, or go to the page of its own."""
    told = explained(request, visitor)
    own = path_to(told["subject"]["id"])
    if not own.startswith("/explain/"):
        return RedirectResponse(own, 303)
    return page(
        request, "anything.html", {"told": told, "room": None, "facts": facts(told["subject"])}, visitor=visitor
    )


def facts(subject: dict[str, Any]) -> list[tuple[str, Any]]:
    """Give the plain fields of a subject that have a value."""
    named = ((name, subject.get(name)) for name in FACTS)
    return [(name, value) for name, value in named if isinstance(value, str | int) and value != ""]
