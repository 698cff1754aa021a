"""Turns a message into words: whom it is for, in their language, with every amount in full.

A letter that is no longer true, or that nobody may get, is withheld: what failed and is paid by now is not told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any, Final

from babel.dates import format_date, format_datetime

from counterfoil.core.lifecycle import CaseStatus, InvoiceStatus, LegStatus
from counterfoil.core.messages import Audience, Template
from counterfoil.core.money import plain
from counterfoil.engine import links
from counterfoil.engine.house import House
from counterfoil.engine.letter_texts import DEFAULT, LANGUAGES, language_of
from counterfoil.engine.views import formatted
from counterfoil.store import messages
from counterfoil.store.database import Row, Tx
from counterfoil.store.messages import Content


@dataclass(frozen=True, slots=True)
class Withheld:
    """Why a letter is not written, in a code."""

    code: str


@dataclass(frozen=True, slots=True)
class Page:
    """What a letter links to: the key of the button's text, and the address."""

    button: str
    url: str


@dataclass(frozen=True, slots=True)
class Written:
    """A letter in words, and the language that it is in."""

    content: Content
    locale: str


@dataclass(frozen=True, slots=True)
class Draft:
    """The texts of a letter by their keys, what fills their braces, and the page it links to."""

    texts: tuple[str, ...]
    values: Mapping[str, str]
    page: Page | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """What a letter is written from."""

    tx: Tx
    house: House
    row: Row
    language: str
    now: datetime

    @property
    def data(self) -> Mapping[str, Any]:
        """The ids, amounts and codes of the message."""
        found: Mapping[str, Any] = self.row["data"]
        return found

    def text(self, key: str, **values: str) -> str:
        """Give a text in the letter's language."""
        return LANGUAGES[self.language][key].format(**values)

    def money(self, minor: int, currency: str) -> str:
        """Write an amount in full."""
        return formatted(minor, currency, self.language)

    def day(self, at: datetime) -> str:
        """Write a day. All days are those of UTC."""
        return str(format_date(at, "long", locale=self.language))

    def moment(self, at: str) -> str:
        """Write an instant to the minute."""
        written = format_datetime(datetime.fromisoformat(at), "d MMMM y, HH:mm", locale=self.language)
        return f"{written} UTC"


def compose(tx: Tx, house: House, row: Row, sender: str) -> Written | Withheld:
    """Write a message down, for whom it is meant."""
    now = house.clock.now()
    if row["audience"] == Audience.OPERATOR:
        if not house.post.operators and row["channel"] != "inbox":
            return Withheld("no_address")
        return _written(Desk(tx, house, row, DEFAULT, now), house.post.operators or "operators", None, sender)
    person = messages.customer(tx, row["customer"])
    if person is None or person["erased_at"]:
        return Withheld("customer_erased")
    if not person["email"]:
        return Withheld("no_address")
    desk = Desk(tx, house, row, language_of(person["locale"] or DEFAULT), now)
    return _written(desk, person["email"], person["name"], sender)


def _written(desk: Desk, address: str, name: str | None, sender: str) -> Written | Withheld:
    template = Template(desk.row["template"])
    draft = WRITERS[template](desk)
    if isinstance(draft, Withheld):
        return draft
    hello = desk.text("hello", name=name) if name else desk.text("hello.nameless")
    lines = [desk.text(each, **draft.values) for each in draft.texts]
    subject = " ".join(desk.text(f"{template}.subject", **draft.values).split())
    button = desk.text(draft.page.button) if draft.page else ""
    content = Content(
        address=address,
        subject_line=subject,
        body_text=_as_text(hello, lines, button, draft.page, sender),
        body_html=_as_html(hello, lines, button, draft.page, sender, desk.language),
    )
    return Written(content, desk.language)


def _as_text(hello: str, lines: list[str], button: str, page: Page | None, sender: str) -> str:
    link = [f"{button}:\n{page.url}"] if page else []
    return "\n\n".join([hello, *lines, *link, sender]) + "\n"


def _as_html(hello: str, lines: list[str], button: str, page: Page | None, sender: str, language: str) -> str:
    """Write the same words as HTML: nothing is loaded, nothing is hidden, everything is escaped."""
    paragraphs = "".join(f"<p>{escape(each)}</p>\n" for each in [hello, *lines])
    link = f'<p><a href="{escape(page.url)}">{escape(button)}</a></p>\n' if page else ""
    return (
        f'<!doctype html>\n<html lang="{language}">\n<body style="font-family: sans-serif; line-height: 1.5">\n'
        f"{paragraphs}{link}<p>{escape(sender)}</p>\n</body>\n</html>\n"
    )


# --- letters about invoices ---

OWING: Final = frozenset({InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE})


def _owed(desk: Desk) -> Row | Withheld:
    """Give the invoice that a letter asks to be paid, unless there is nothing to pay any more."""
    identity = desk.data.get("invoice") or desk.row["subject"]
    invoice = messages.invoice(desk.tx, str(identity))
    if invoice is None:
        return Withheld("nothing_owed")
    if invoice["status"] == InvoiceStatus.PAID:
        return Withheld("paid")
    return invoice if invoice["status"] in OWING else Withheld("nothing_owed")


def _about(desk: Desk, invoice: Row) -> dict[str, str]:
    key = "what.invoice" if invoice["collector"] == "ours" else "what.provider_invoice"
    number = invoice["number"] or invoice["id"]
    minor = int(desk.data.get("amount_minor") or invoice["total_minor"] - invoice["paid_minor"])
    amount = desk.money(minor, invoice["currency"])
    return {"what": desk.text(key, number=number), "number": number, "amount": amount}


def _pay_page(desk: Desk, button: str, invoice: str) -> Page:
    return Page(button, links.pay_url(desk.house, desk.tx.tenant, invoice, desk.now))


def _payment_failed(desk: Desk) -> Draft | Withheld:
    invoice = _owed(desk)
    if isinstance(invoice, Withheld):
        return invoice
    values = _about(desk, invoice)
    step = str(desk.data.get("next") or "customer")
    if "retry_at" in desk.data:
        values["retry_at"] = desk.moment(str(desk.data["retry_at"]))
    texts = ("payment_failed.lead", f"decline.{desk.data['class']}", f"next.{step}")
    return Draft(texts, values, _pay_page(desk, "payment_failed.button", invoice["id"]))


WAITING: Final = frozenset({LegStatus.REQUIRES_ACTION, LegStatus.REFUSED})


def _asked(desk: Desk) -> Row | Withheld:
    """Give the invoice whose payment waits for the customer, unless it does no longer."""
    leg = messages.leg(desk.tx, str(desk.data.get("leg") or ""))
    if leg is not None and leg["status"] not in WAITING:
        return Withheld("moved_on")
    return _owed(desk)


def _confirm_payment(desk: Desk) -> Draft | Withheld:
    invoice = _asked(desk)
    if isinstance(invoice, Withheld):
        return invoice
    values = _about(desk, invoice)
    texts: tuple[str, ...] = ("confirm_payment.lead",)
    if desk.data.get("expires_at"):
        values["until"] = desk.moment(str(desk.data["expires_at"]))
        texts += ("confirm_payment.until",)
    return Draft(texts, values, _pay_page(desk, "confirm_payment.button", invoice["id"]))


def _verify_bank(desk: Desk) -> Draft | Withheld:
    invoice = _asked(desk)
    if isinstance(invoice, Withheld):
        return invoice
    page = _pay_page(desk, "verify_bank.button", invoice["id"])
    return Draft(("verify_bank.lead",), _about(desk, invoice), page)


def _invoice(desk: Desk) -> Draft | Withheld:
    """An invoice is sent by us when it is ours; what sells credits is told of when the credits are there."""
    invoice = _owed(desk)
    if isinstance(invoice, Withheld):
        return invoice
    if invoice["collector"] != "ours" or invoice["sells_credits"]:
        return Withheld("told_otherwise")
    values = _about(desk, invoice)
    texts: tuple[str, ...] = ("invoice.lead",)
    if invoice["due_at"]:
        values["due_at"] = desk.day(invoice["due_at"])
        texts += ("invoice.due",)
    return Draft(texts, values, _pay_page(desk, "invoice.button", invoice["id"]))


def _receipt(desk: Desk) -> Draft | Withheld:
    """The provider sends receipts for its own invoices."""
    invoice = messages.invoice(desk.tx, desk.row["subject"])
    if invoice is None or invoice["status"] != InvoiceStatus.PAID:
        return Withheld("not_paid")
    if invoice["collector"] != "ours":
        return Withheld("told_otherwise")
    values = _about(desk, invoice) | {
        "amount": desk.money(invoice["total_minor"], invoice["currency"]),
        "paid_at": desk.day(invoice["paid_at"]),
        "means": str(invoice["paid_with"]),
    }
    return Draft(("receipt.lead",), values)


def _pay_link(desk: Desk) -> Draft | Withheld:
    invoice = _owed(desk)
    if isinstance(invoice, Withheld):
        return invoice
    return Draft(("pay_link.lead",), _about(desk, invoice), _pay_page(desk, "pay_link.button", invoice["id"]))


# --- letters about other things ---


def _refund(template: str) -> Callable[[Desk], Draft | Withheld]:
    def write(desk: Desk) -> Draft | Withheld:
        values = {"amount": desk.money(int(desk.data["amount_minor"]), str(desk.data["currency"]))}
        return Draft((f"{template}.lead",), values)

    return write


def _card_expiring(desk: Desk) -> Draft | Withheld:
    method = messages.method(desk.tx, desk.row["subject"])
    if method is None or not method["attached"] or method["expires"] != desk.data["expires"]:
        return Withheld("moved_on")
    year, _, month = str(method["expires"]).partition("-")
    last = datetime(int(year), int(month), 1, tzinfo=desk.now.tzinfo)
    card = f"{method['brand'] or method['kind']} {method['last4']}" if method["last4"] else desk.text("card.nameless")
    values = {"card": card, "month": str(format_date(last, "MMMM y", locale=desk.language))}
    return Draft(("card_expiring.lead",), values)


def _low_balance(desk: Desk) -> Draft | Withheld:
    unit = messages.unit_of_wallet(desk.tx, desk.row["subject"])
    assert unit is not None, "a wallet without its unit"
    below = str(desk.data["below"])
    level = f"{plain(int(desk.data['threshold']), unit['scale'])} {unit['code']}"
    values = {
        "balance": f"{plain(int(desk.data['balance']), unit['scale'])} {unit['code']}",
        "threshold": desk.text("threshold.percent", percent=below) if below.endswith("%") else level,
    }
    return Draft(("low_balance.lead",), values)


def _auto_topup_failed(desk: Desk) -> Draft | Withheld:
    values = {"retry_at": desk.moment(str(desk.data["retry_at"]))}
    return Draft(("auto_topup_failed.lead", *_declined(desk), "auto_topup_failed.retry"), values)


def _auto_topup_off(desk: Desk) -> Draft | Withheld:
    failed = desk.data.get("reason") == "failed"
    return Draft(("auto_topup_off.lead", *(("auto_topup_off.failed",) if failed else ())), {})


def _declined(desk: Desk) -> tuple[str, ...]:
    return (f"decline.{desk.data['class']}",) if desk.data.get("class") else ()


def _purchase_fulfilled(desk: Desk) -> Draft | Withheld:
    unit = messages.unit_of_wallet(desk.tx, str(desk.data["wallet"]))
    assert unit is not None, "a wallet without its unit"
    values = {"quantity": f"{plain(int(desk.data['quantity']), unit['scale'])} {unit['code']}"}
    if not desk.data["total_minor"]:
        return Draft(("purchase_fulfilled.lead",), values)
    values["amount"] = desk.money(int(desk.data["total_minor"]), str(desk.data["currency"]))
    return Draft(("purchase_fulfilled.lead", "purchase_fulfilled.price"), values)


def _case_opened(desk: Desk) -> Draft | Withheld:
    case = messages.case(desk.tx, str(desk.data["case"]))
    if case is None:
        return Withheld("asked_before")
    if case["status"] == CaseStatus.RESOLVED:
        return Withheld("answered")
    values = {"question": case["question"].replace("_", " "), "about": case["subject"], "detail": case["detail"]}
    url = f"{desk.house.post.public_url.rstrip('/')}/explain/{case['id']}"
    return Draft(("case_opened.lead", "case_opened.detail"), values, Page("case_opened.button", url))


WRITERS: Final[Mapping[Template, Callable[[Desk], Draft | Withheld]]] = {
    Template.PAYMENT_FAILED: _payment_failed,
    Template.CONFIRM_PAYMENT: _confirm_payment,
    Template.VERIFY_BANK: _verify_bank,
    Template.INVOICE: _invoice,
    Template.RECEIPT: _receipt,
    Template.REFUND_SENT: _refund("refund_sent"),
    Template.REFUND_FAILED: _refund("refund_failed"),
    Template.CARD_EXPIRING: _card_expiring,
    Template.LOW_BALANCE: _low_balance,
    Template.AUTO_TOPUP_FAILED: _auto_topup_failed,
    Template.AUTO_TOPUP_OFF: _auto_topup_off,
    Template.PURCHASE_FULFILLED: _purchase_fulfilled,
    Template.PAY_LINK: _pay_link,
    Template.CASE_OPENED: _case_opened,
}
