"""The words of papers in two languages, and how each writes amounts and days."""

from datetime import datetime
from typing import Final

from babel.dates import format_date
from babel.numbers import format_currency

from counterfoil.core.money import exponent, plain

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "invoice": "Invoice",
        "receipt": "Receipt",
        "credit_note": "Credit note",
        "billed_to": "Billed to",
        "paid_by": "Received from",
        "invoice_date": "Invoice date",
        "due": "Due",
        "on_receipt": "on receipt",
        "paid_on": "Paid on",
        "payment": "Payment",
        "customer": "Customer",
        "description": "Description",
        "net": "Net",
        "tax": "Tax",
        "amount": "Amount",
        "total": "Total",
        "amount_due": "Amount due",
        "total_paid": "Total paid",
        "of_which": "of which {}: {}",
        "for_invoice": "Invoice {}",
        "credit": "Credits",
        "provider": "Card or bank",
        "balance": "Balance",
        "external": "Paid elsewhere",
        "unallocated": "Payment",
        "quote": "Please quote {} when you pay.",
        "page": "page {} of {}",
    },
    "de": {
        "invoice": "Rechnung",
        "receipt": "Zahlungsbeleg",
        "credit_note": "Gutschrift",
        "billed_to": "Rechnung an",
        "paid_by": "Erhalten von",
        "invoice_date": "Rechnungsdatum",
        "due": "Fällig",
        "on_receipt": "sofort",
        "paid_on": "Bezahlt am",
        "payment": "Zahlung",
        "customer": "Kunde",
        "description": "Beschreibung",
        "net": "Netto",
        "tax": "Steuer",
        "amount": "Betrag",
        "total": "Gesamt",
        "amount_due": "Zu zahlen",
        "total_paid": "Bezahlt",
        "of_which": "davon {}: {}",
        "for_invoice": "Rechnung {}",
        "credit": "Guthaben",
        "provider": "Karte oder Bank",
        "balance": "Verrechnet",
        "external": "Anderweitig bezahlt",
        "unallocated": "Zahlung",
        "quote": "Bitte geben Sie bei der Zahlung {} an.",
        "page": "Seite {} von {}",
    },
}


def language_of(locale: str | None) -> str:
    """Give the language of a locale that papers are written in: English where theirs is not among ours."""
    language = (locale or "en").partition("-")[0]
    return language if language in WORDS else "en"


def money(minor: int, currency: str, language: str) -> str:
    """Write an amount in full, as the language does."""
    places = exponent(currency)
    digits = f".{'0' * places}" if places else ""
    pattern = f"\u00a4#,##0{digits}" if language == "en" else f"#,##0{digits}\u00a0\u00a4"
    text: str = format_currency(plain(minor, places), currency, pattern, locale=language, currency_digits=False)
    return text


def day(at: datetime, language: str) -> str:
    """Write a day (UTC) in full."""
    return format_date(at.date(), "long", locale=language)
