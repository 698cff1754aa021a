"""Reads request bodies strictly, before anything else looks at them.

JSON leaves room that money has no use for: names twice, NaN, text that no database stores. All of it is refused here,
and so is a card number, whichever field it stands in.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from counterfoil.api.cards import holds_card_number
from counterfoil.api.problems import Problem

DEPTH_MAX: Final = 32
UNSTORABLE: Final = frozenset({"\0", *map(chr, range(0xD800, 0xE000))})


def read_json(body: bytes) -> Any:
    """Read a body. Raises Problem on anything that is not plain JSON."""
    try:
        document = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError as error:
        raise Problem(400, "json_invalid", "The body is nested too deeply.") from error
    except ValueError as error:
        # The reader's message is not repeated: it may quote what was sent.
        raise Problem(400, "json_invalid") from error
    for param, text in texts(document):
        check_text(text, param)
    return document


def check_text(text: str, param: str) -> None:
    """Refuse a text that can't be stored, or must not be."""
    if not UNSTORABLE.isdisjoint(text):
        raise Problem(400, "json_invalid", "A text holds a NUL or half of a surrogate pair.", param=param)
    if holds_card_number(text):
        raise Problem(422, "card_number_refused", param=param)


def texts(document: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Give every text in a document, names of fields too, each with the path of its field."""
    if depth > DEPTH_MAX:
        raise Problem(400, "json_invalid", "The body is nested too deeply.")
    if isinstance(document, str):
        yield path, document
    elif isinstance(document, list):
        for each in document:
            yield from texts(each, path, depth + 1)
    elif isinstance(document, dict):
        for name, each in document.items():
            yield path, name
            # A nested name is the caller's own text; the path stops at the field that we know.
            yield from texts(each, path or name[:64], depth + 1)


def canonical(value: Any) -> bytes:
    """Write JSON the one way that requests are compared in."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a name twice")
    return read


def _constant(name: str) -> float:
    raise ValueError(name)
