"""How values look on a page: times, amounts, ids, statuses, and where an id leads. Nothing here knows a request."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from babel.dates import format_datetime
from markupsafe import Markup, escape

from counterfoil.core.ids import noun_of
from counterfoil.core.money import plain
from counterfoil.engine.views import formatted

ID_HEAD: Final = 10
ID_TAIL: Final = 4
ID_MAX: Final = 20
ROOMS: Final = {
    "customer": "customers",
    "invoice": "invoices",
    "wallet": "wallets",
    "purchase": "purchases",
    "inbox": "events",
}


def when(at: str | datetime | None, pattern: str = "d MMM y HH:mm", locale: str = "en_GB") -> str:
    """Write a time in UTC, such as 16 Jun 2026 04:06."""
    moment = _read(at)
    return str(format_datetime(moment, pattern, locale=locale)) if moment else ""


def day(at: str | datetime | None, locale: str = "en_GB") -> str:
    """Write the day of a time: 16 Jun 2026."""
    return when(at, "d MMM y", locale)


def iso(at: str | datetime | None) -> str:
    """Write a time for machines."""
    moment = _read(at)
    return moment.isoformat() if moment else ""


def _read(at: str | datetime | None) -> datetime | None:
    return datetime.fromisoformat(at) if isinstance(at, str) else at


def short(identity: str) -> str:
    """Shorten an id to what people recognize it by: its kind, and its last characters."""
    if len(identity) <= ID_MAX:
        return identity
    prefix, _, rest = identity.rpartition("_")
    head = f"{prefix}_{rest[:2]}" if prefix and len(prefix) < ID_HEAD else identity[:ID_HEAD]
    return f"{head}…{identity[-ID_TAIL:]}"


def path_to(identity: str) -> str:
    """Say where an id leads: the room of its noun, or the page that explains anything."""
    room = ROOMS.get(noun_of(identity) or "", "explain")
    return f"/{room}/{quote(identity, safe='')}"


def owed(sums: Mapping[str, int]) -> str:
    """Write what a customer owes in each currency that it ever was billed in."""
    return ", ".join(formatted(minor, currency) for currency, minor in sorted(sums.items()) if minor) or (
        ", ".join(formatted(0, currency) for currency in sorted(sums)) or ""
    )


def total(minor: int, currency: str) -> str:
    """Write an amount of money."""
    return formatted(minor, currency)


def bare(amount: Mapping[str, Any], *, signed: bool = False) -> str:
    """Write an amount whose unit stands elsewhere; without its sign, unless it is wanted."""
    text = str(amount["formatted"])
    if "unit" in amount:
        text = text.removesuffix(f" {amount['unit']}")
    return text if signed else text.removeprefix("−")


def trimmed(quantity: str) -> str:
    """Write a decimal string without the zeros that a fine scale leaves behind. Never rounded."""
    whole, point, places = quantity.partition(".")
    return whole + point + places.rstrip("0").ljust(min(len(places), 2), "0")


def units(amount: int, scale: int) -> str:
    """Write scaled units of credits as people do. Never rounded."""
    return trimmed(plain(amount, scale))


def signed(quantity: str) -> str:
    """Write a decimal string with a true minus sign when it is negative."""
    text = trimmed(quantity.removeprefix("-"))
    return f"\u2212{text}" if quantity.startswith("-") else text


def change(quantity: str) -> str:
    """Write what was added or taken, with its sign."""
    return signed(quantity) if quantity.startswith("-") else f"+{trimmed(quantity)}"


def field(value: object) -> str:
    """Write the value of a subject's field: times as people read them, nothing as a dash, the rest as it is."""
    if value is None or value == "":
        return "—"
    if isinstance(value, str):
        return when(value, "d MMM y HH:mm:ss") if TIME.fullmatch(value) else value
    return json.dumps(value, ensure_ascii=False)


TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[0-9.]*(?:Z|[+-]\d\d:\d\d)")


def linked(sentence: str) -> Markup:
    """Give a sentence as markup, escaped, with the ids in it shortened and leading to where they are explained."""
    parts = ANY_ID.split(sentence)
    pieces = [_link(part) if is_id(part) else escape(part) for part in parts]
    return Markup("").join(pieces)


def _link(identity: str) -> Markup:
    return Markup('<a class="chip" href="{}" title="{}">{}</a>').format(path_to(identity), identity, short(identity))


def breakable(text: str) -> Markup:
    """Give a name as markup, escaped, that a narrow page may break after a dot, a slash or an underscore."""
    pieces = re.split(r"(?<=[._/])", text)
    return Markup("<wbr>").join(escape(piece) for piece in pieces)


def is_id(value: object) -> bool:
    """Say whether a value is an id of ours, or one of a provider's that can be explained."""
    return isinstance(value, str) and (noun_of(value) is not None or bool(PROVIDER_ID.fullmatch(value)))


def is_spend(identity: str) -> bool:
    """Say whether an id is of a spend, which decided itself."""
    return noun_of(identity) == "spend"


ANY_ID: Final = re.compile(r"\b([a-z]{2,5}(?:_test|_live)?_[0-9A-Za-z]{8,})\b")
PROVIDER_ID: Final = re.compile(r"(?:pi|in|ch|py|cus|pm|evt|re|dp|du|cs(?:_test|_live)?)_[0-9A-Za-z]{8,}")

TONES: Final = {
    "ok": {"paid", "succeeded", "settled", "applied", "done", "active", "resolved", "attached"},
    "warn": {
        *("requires_action", "parked", "waiting", "pending", "past_due", "refused", "unknown", "suspended"),
        *("uncollectible", "reserved", "held"),
    },
    "bad": {"failed"},
    "info": {"open", "processing", "queued", "sent", "authorized", "scheduled"},
}
"""Which shape and colour a status wears; whatever is not here is muted. The word always stands beside the shape."""


def tone(status: str) -> str:
    """Give the tone of a status."""
    return next((name for name, words in TONES.items() if status in words), "mut")


def words(status: str) -> str:
    """Write a status as words."""
    return status.replace("_", " ")


def postings(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lay an entry's postings out line by line, debit first, as a ledger page has them."""
    lines = []
    for each in entry["postings"]:
        lines.append({"name": each["debit_name"], "account": each["debit"], "debit": each["amount"]})
        lines.append({"name": each["credit_name"], "account": each["credit"], "credit": each["amount"]})
    return lines


def owner(account: str) -> str:
    """Give whose an account is: the id in its name, or nothing."""
    return account.partition(":")[2]
