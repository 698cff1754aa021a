"""One wallet: what it can give, from which lots, what is held of it, and everything that moved it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.console.reading import explained, read, seen
from counterfoil.console.render import page
from counterfoil.console.visits import Visitor
from counterfoil.engine import auto_topup_views, looks
from counterfoil.engine.explain import NotFound
from counterfoil.engine.flush import Held
from counterfoil.engine.spend_views import hold_view
from counterfoil.engine.views import View
from counterfoil.store import accounts, holds
from counterfoil.store.database import Tx
from counterfoil.store.pages import Filter, Page

LOTS_SHOWN: Final = 50
PURCHASES_SHOWN: Final = 10
HOLDS_SHOWN: Final = 10
STATEMENT_ROWS: Final = 25
WHOLE: Final = 100


PARTS: Final = ("left", "held", "used", "gone")
"""The stretches of a lot's bar, in this order."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a lot's bar, in hundredths of the lot."""

    kind: str
    start: float
    width: float


def one(request: Request, visitor: Visitor) -> Response:
    """Show one wallet."""
    told = explained(request, visitor, "wallet")
    identity = told["subject"]["id"]
    after = seen(request)
    house = request.app.state.house

    def look(tx: Tx) -> View:
        held, unit = looks.wallet(tx, house, identity), looks.unit_of_wallet(tx, identity)
        if held is None or unit is None:
            raise NotFound(f"There is no wallet {identity}.")
        person = accounts.person(tx, held["customer"])
        return {
            "wallet": held,
            "customer": (person["name"] or person["email"]) if person else None,
            "lots": looks.grants(tx, Page(limit=LOTS_SHOWN), Filter(parent=identity), unit[1]),
            "purchases": looks.purchases(tx, Page(limit=PURCHASES_SHOWN), Filter(parent=identity)),
            "topup": auto_topup_views.show(tx, identity, house.clock.now()),
            "holds": [hold_view(Held(each)) for each in holds.of_wallet(tx, identity, Page(limit=HOLDS_SHOWN))],
            "statement": looks.statement(tx, identity, unit[1], Page(after, STATEMENT_ROWS)),
        }

    shown = read(request, visitor, look)
    rows, lots = shown["statement"], shown["lots"]
    values = shown | {
        "told": told,
        "room": "customers",
        "lots": [(each, parts_of(each)) for each in lots[:LOTS_SHOWN]],
        "has_more_lots": len(lots) > LOTS_SHOWN,
        "holds": shown["holds"][:HOLDS_SHOWN],
        "statement": rows[:STATEMENT_ROWS],
        "older": rows[STATEMENT_ROWS - 1]["id"] if len(rows) > STATEMENT_ROWS else None,
        "after": after,
    }
    return page(request, "wallet.html", values, visitor=visitor)


def parts_of(lot: View) -> list[Part]:
    """Lay a lot out as a bar: what is left of it, what is held, what was used, and what went unused."""
    names = ("amount", "remaining", "held", "used", "gone")
    amount, remaining, held, used, gone = (Decimal(lot[name]["quantity"]) for name in names)
    parts, start = [], 0.0
    for kind, size in zip(PARTS, (remaining - held, held, used, gone), strict=True):
        width = round(float(size / amount) * WHOLE, 2) if amount else 0.0
        if width:
            parts.append(Part(kind, round(start, 2), width))
        start += width
    return parts
