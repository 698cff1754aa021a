"""What the holder of a link sees of one invoice, and asks for: what is owed, why, and the next step.

It answers from the books as they are now, so the same link says something else once it is paid.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from counterfoil.core.declines import class_of
from counterfoil.core.effects import Act, Notify, Reason, Why
from counterfoil.core.facts import ActionKind, Source
from counterfoil.core.ids import CustomerId
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus
from counterfoil.engine.apply import apply
from counterfoil.engine.house import House
from counterfoil.engine.letter_texts import DEFAULT, LANGUAGES, language_of
from counterfoil.engine.links import PayLink
from counterfoil.engine.views import formatted
from counterfoil.store import inbox, listings, messages
from counterfoil.store.database import Row, Tx
from counterfoil.store.inbox import News

ASKED: Final = "link_asked"
RULE: Final = "ask-link@1"
STEPS: Final = {ActionKind.VERIFY_BANK: "verify_bank", ActionKind.PAY: "pay_there"}
"""What the page says of what a waiting payment asks of the customer; of anything else, that the bank asks."""


@dataclass(frozen=True, slots=True)
class PayPage:
    """One invoice as its link shows it. `state` keys what is said; `url` is the next step, where there is one."""

    state: str
    language: str
    tenant: str
    number: str = ""
    amount: str = ""
    why: str | None = None
    url: str | None = None

    @property
    def texts(self) -> Mapping[str, str]:
        """The texts of the page in the customer's language."""
        return LANGUAGES[self.language]


def page_of(house: House, link: PayLink) -> PayPage | None:
    """Give what a link shows now, None when there is no such invoice (any more)."""
    with house.database.snapshot(link.tenant) as tx:
        invoice, around = messages.invoice(tx, link.invoice), listings.surroundings(tx)
        if invoice is None or around is None:
            return None
        person = messages.customer(tx, invoice["customer"])
        language = language_of((person["locale"] if person else None) or DEFAULT)
        state, why, url = _state(tx, link, invoice, house.clock.now())
    due = invoice["total_minor"] - invoice["paid_minor"]
    minor = invoice["total_minor"] if state == "paid" else due
    amount = formatted(minor, invoice["currency"], language)
    return PayPage(state, language, around["name"], invoice["number"] or "", amount, why, url)


def _state(tx: Tx, link: PayLink, invoice: Row, now: datetime) -> tuple[str, str | None, str | None]:
    """Say where the invoice stands, why, and which page is next: the link first, then the money, then the try."""
    if link.is_over(now):
        return "expired", None, None
    if invoice["status"] == InvoiceStatus.PAID:
        return "paid", None, None
    if invoice["status"] not in (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE):
        return "nothing_owed", None, None
    leg = messages.newest_leg(tx, invoice["id"])
    match leg["status"] if leg else None:
        case LegStatus.PROCESSING | LegStatus.WAITING:
            return "processing", None, None
        case LegStatus.REQUIRES_ACTION if leg:
            state = STEPS.get(leg["action"], "confirm")
            return (state, None, leg["action_url"]) if leg["action_url"] else ("confirm_at_host", None, None)
        case LegStatus.REFUSED if leg:
            return "refused", f"decline.{class_of(leg['refusal_code'])}", None
        case _:
            return "owed", None, None


def ask_link(house: House, link: PayLink) -> None:
    """Have a fresh link sent to the customer's own address, at most one an hour."""
    now = house.clock.now()

    def work(tx: Tx) -> None:
        invoice = messages.invoice(tx, link.invoice)
        if invoice is None:
            return
        key = f"{ASKED}:{link.invoice}:{now:%Y-%m-%dT%H}"
        news = _news(house, key, invoice, now)
        identity, is_new = inbox.put(tx, news)
        if is_new:
            apply(tx, identity, _asked(key, invoice), invoice["customer"], now, house.new_id)

    house.transact(link.tenant, work)


def _news(house: House, key: str, invoice: Row, now: datetime) -> News:
    return News(
        id=house.new_id("inbox"),
        source=Source.API,
        kind=ASKED,
        identity=key,
        occurred_at=now,
        received_at=now,
        subject_kind="invoice",
        subject_ref=invoice["id"],
        customer=invoice["customer"],
    )


def _asked(key: str, invoice: Row) -> Act:
    data: dict[str, Any] = {"invoice": invoice["id"]}
    told = Notify(key, "invoice.link_asked", CustomerId(invoice["customer"]), invoice["id"], data)
    sentence = "Somebody who holds an old link asked for a new one; it goes to the customer's own address."
    return Act(Why(RULE, Reason.CUSTOMER_ASKED, sentence, (invoice["id"],)), (told,))
