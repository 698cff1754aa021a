"""Search: Stripe's query grammar over the objects, as far behind them as the settings say."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError, invalid
from counterfoil.sandbox.lists import Page
from counterfoil.sandbox.params import Kind, Need, Text, Whole

SEARCH: dict[str, Kind] = {"query": Need(Text()), "limit": Whole(least=1, most=100), "page": Text()}

_CLAUSE = re.compile(
    r"""\s*(?P<minus>-)?(?P<field>[a-z_0-9.]+)(?:\[(?P<quote>['"])(?P<key>.+?)(?P=quote)\])?\s*
        (?P<operator>:|~|>=|<=|>|<|=)\s*
        (?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<bare>-?\d+(?:\.\d+)?|[Nn][Uu][Ll][Ll]|true|false))""",
    re.VERBOSE,
)
NUMBERS = frozenset({"amount", "canceled_at", "created", "total"})
"""Fields that compare as numbers."""
TEXTS = frozenset({"description", "email", "name", "number", "phone", "receipt_number", "subscription", "url"})
"""Fields in which a part can be looked for; all others match whole."""
_JOIN = re.compile(r"\s+(AND|OR)\s+|\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison of a query."""

    field: str
    key: str | None
    operator: str
    value: str | None
    negated: bool

    def holds(self, doc: Doc) -> bool:
        found: Any = _value(doc, self.field)
        if self.key is not None:
            found = (found or {}).get(self.key)
        return self._compares(found) != self.negated

    def _compares(self, found: Any) -> bool:
        if self.value is None:
            return found is None or found == ""
        if found is None:
            return False
        if self.operator == "~":
            return self.value.lower() in str(found).lower()
        if self.operator in (":", "="):
            return _plain(found) == self.value.lower()
        bound, number = float(self.value), float(found)
        return {">": number > bound, "<": number < bound, ">=": number >= bound, "<=": number <= bound}[self.operator]


def search_of(call: Call, kind: str, fields: set[str]) -> Page:
    """One page of the objects that the query matches, newest first."""
    wanted = parse_query(call.given["query"], fields)
    found = [doc for doc in _indexed(call, kind) if call.sees(doc) and wanted(doc)]
    start = _page_start(call.given.get("page"))
    limit = call.given.get("limit", 10)
    more = len(found) > start + limit
    token = base64.urlsafe_b64encode(f"after {start + limit}".encode()).decode() if more else None
    return Page(found[start : start + limit], more, "search_result", token, len(found))


def _indexed(call: Call, kind: str) -> list[Doc]:
    """The objects as the index has them: behind by its lag, or further where the read is told to be stale."""
    return [doc for _, doc in call.shelf.seen(kind, max(call.stale_s, call.world.settings.search_lag_s))]


def parse_query(query: str, fields: set[str]) -> Callable[[Doc], bool]:
    """Read a query of clauses joined by AND or by OR, not both."""
    clauses, joins, position = [], set(), 0
    while position < len(query.rstrip()):
        found = _CLAUSE.match(query, position)
        if found is None:
            raise _unreadable(query)
        clauses.append(_clause(found, fields))
        position = found.end()
        join = _JOIN.match(query, position)
        if join is not None and join.end() < len(query):
            joins.add((join[1] or "AND").upper())
            position = join.end()
        elif query[position:].strip():
            raise _unreadable(query)
    if len(joins) > 1:
        raise invalid("You can't combine AND and OR in the same search query.", "query")
    combine = any if joins == {"OR"} else all
    return lambda doc: combine(clause.holds(doc) for clause in clauses)


def _clause(found: re.Match[str], fields: set[str]) -> Clause:
    field = found["field"]
    if field not in fields:
        raise invalid(
            f"Field `{field}` is an unsupported search field for resource. Try one of: {', '.join(sorted(fields))}.",
            "query",
        )
    text = found["double"] if found["double"] is not None else found["single"]
    value = found["bare"] if text is None else re.sub(r"\\(.)", r"\1", text)
    if text is None and (value or "").lower() == "null":
        value = None
    _check_operator(field, found["operator"], value)
    return Clause(field, found["key"], found["operator"], value, found["minus"] is not None)


def _check_operator(field: str, operator: str, value: str | None) -> None:
    """An operator has to fit the type of its field."""
    if operator in (">", "<", ">=", "<=") and (field not in NUMBERS or not re.fullmatch(r"-?\d+(\.\d+)?", value or "")):
        raise invalid(f"The operator `{operator}` compares numbers, which field `{field}` has none of.", "query")
    if operator == "~" and field not in TEXTS:
        raise invalid(f"Field `{field}` does not support substring matching; use `:`.", "query")


def _value(doc: Doc, path: str) -> Any:
    here: Any = doc
    for name in path.split("."):
        here = here.get(name) if isinstance(here, dict) else None
    return here


def _plain(found: Any) -> str:
    return str(found).lower()


def _page_start(token: str | None) -> int:
    if not token:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition(" ")
        if word == "after":
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise invalid("Invalid page token", "page")


def _unreadable(query: str) -> StripeError:
    return invalid(
        "We were unable to parse your search query. Try using the format "
        f'`metadata["key"]:"value"` ({query.strip()[:80]})',
        "query",
    )
