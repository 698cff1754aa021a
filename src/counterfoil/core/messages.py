"""What is written to whom: the messages that a decision causes, as data. Which words, and to which address, is later.

A message is committed with its cause. Its key is that of the event that it tells of, so it is written once, for ever,
however often news of the same thing comes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from counterfoil.core.books import Case
from counterfoil.core.effects import Change, Effect, Notify
from counterfoil.core.ids import CustomerId


class Template(StrEnum):
    """What a message says."""

    PAYMENT_FAILED = "payment_failed"
    CONFIRM_PAYMENT = "confirm_payment"
    VERIFY_BANK = "verify_bank"
    INVOICE = "invoice"
    RECEIPT = "receipt"
    REFUND_SENT = "refund_sent"
    REFUND_FAILED = "refund_failed"
    CARD_EXPIRING = "card_expiring"
    LOW_BALANCE = "low_balance"
    AUTO_TOPUP_FAILED = "auto_topup_failed"
    AUTO_TOPUP_OFF = "auto_topup_off"
    PURCHASE_FULFILLED = "purchase_fulfilled"
    PAY_LINK = "pay_link"
    """A fresh link, for somebody whose link had expired and who asked for another."""
    CASE_OPENED = "case_opened"


VERSIONS: Final[Mapping[Template, int]] = dict.fromkeys(Template, 1)
"""Which version of its words a message is rendered with. It grows when the words change their meaning."""


class Audience(StrEnum):
    """Who reads a message."""

    CUSTOMER = "customer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that is to be written. `data` holds ids, amounts and codes, never a name or an address."""

    key: str
    template: Template
    audience: Audience
    subject: str
    data: Mapping[str, str | int]
    customer: CustomerId | None = None


TOLD_BY_MAIL: Final[Mapping[str, Template]] = {
    "payment.failed": Template.PAYMENT_FAILED,
    "payment.confirm": Template.CONFIRM_PAYMENT,
    "payment.verify_bank": Template.VERIFY_BANK,
    "invoice.payment_failed": Template.PAYMENT_FAILED,
    "invoice.finalized": Template.INVOICE,
    "invoice.paid": Template.RECEIPT,
    "invoice.link_asked": Template.PAY_LINK,
    "refund.succeeded": Template.REFUND_SENT,
    "refund.failed": Template.REFUND_FAILED,
    "method.expiring": Template.CARD_EXPIRING,
    "wallet.low_balance": Template.LOW_BALANCE,
    "auto_topup.failed": Template.AUTO_TOPUP_FAILED,
    "auto_topup.switched_off": Template.AUTO_TOPUP_OFF,
    "auto_topup.action_required": Template.CONFIRM_PAYMENT,
    "purchase.fulfilled": Template.PURCHASE_FULFILLED,
}
"""Kinds of events that are also written to the customer. All others are told to machines only."""


def mails_of(effects: Iterable[Effect]) -> tuple[Mail, ...]:
    """Give the messages that these effects cause, each key once."""
    found = (mail for effect in effects if (mail := mail_for(effect)))
    return tuple({each.key: each for each in found}.values())


def mail_for(effect: Effect) -> Mail | None:
    """Give the message that an effect causes, if any."""
    match effect:
        case Notify():
            return _of_event(effect)
        case Change(None, Case() as opened):
            data: dict[str, str | int] = {"case": opened.id, "question": opened.question}
            return Mail(f"case.opened:{opened.id}", Template.CASE_OPENED, Audience.OPERATOR, opened.subject, data)
        case _:
            return None


def _of_event(told: Notify) -> Mail | None:
    template = TOLD_BY_MAIL.get(told.kind)
    if template is None or _is_said_elsewhere(told):
        return None
    return Mail(told.key, template, Audience.CUSTOMER, told.subject, told.data, told.customer)


def _is_said_elsewhere(told: Notify) -> bool:
    """The last failure of an auto top-up is told together with that it is off: one letter, not two."""
    return told.kind == "auto_topup.failed" and "retry_at" not in told.data
