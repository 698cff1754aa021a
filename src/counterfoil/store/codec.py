"""Plain values to JSON and back, for the few that are stored whole: facts, outcomes, instructions, effects.

A dataclass becomes an object whose `is` names its class; what is unknown on the way back is an error, never a guess.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from counterfoil.core import (
    books,
    catalogue,
    contested,
    dunning_terms,
    effects,
    facts,
    journal,
    mapping,
    money,
    orders,
    paid_out,
    papers,
    promises,
    refunded,
    tax,
    terms,
)

PLAIN: Final = frozenset({int, bool, float, NoneType})
MODULES: Final = (
    *(money, tax, terms, dunning_terms, catalogue, facts, papers, orders, refunded, promises, contested, paid_out),
    *(books, journal, effects, mapping),
)


def encode(value: Any) -> Any:
    """Give a value as JSON types. Fields that are not to be shown (`repr=False`) are secrets and are left out."""
    kind: Any = type(value)
    if kind in PLAIN:
        return value
    if kind is str:
        return storable(value)
    names = _shown(kind)
    if names is not None:
        shown = {name: encode(each) for name in names if (each := getattr(value, name)) is not None}
        return {"is": kind.__name__, **shown}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {storable(str(key)): encode(each) for key, each in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [encode(each) for each in value]
    return value


def storable(text: str) -> str:
    """Give a text as Postgres can keep it: a NUL or half of a surrogate pair, which JSON may bring, becomes U+FFFD."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\x00", "\ufffd")


def to_json(value: Any) -> str:
    """Give a value as JSON text."""
    return document(encode(value))


def document(value: Any) -> str:
    """Write JSON for a jsonb column, which keeps the values and not the text."""
    return msgspec.json.encode(value).decode()


def decode(data: Any) -> Any:
    """Give back the dataclass that `encode` wrote. Raises ValueError on a class that is not one of ours."""
    if not isinstance(data, Mapping) or data.get("is") not in _classes():
        raise ValueError(f"not one of our values: {str(data)[:80]}")
    cls = _classes()[data["is"]]
    hints = _hints(cls)
    values = {name: as_type(each, hints[name]) for name, each in data.items() if name != "is"}
    return cls(**dict.fromkeys(_required(cls)) | values)


def as_type(value: Any, hint: Any) -> Any:
    """Read a JSON value, or a column, as a field of this type."""
    if value is None:
        return None
    read = reader(hint)
    return read(value) if read else value


@cache
def reader(hint: Any) -> Callable[[Any], Any] | None:
    """Give what reads a value that is not None as this type, None where it is as it should be."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        inner = next(each for each in get_args(hint) if each is not NoneType)
        return lambda value: decode(value) if isinstance(value, Mapping) else as_type(value, inner)
    if origin is tuple:
        item = get_args(hint)[0]
        return lambda value: tuple(as_type(each, item) for each in value)
    if origin in (dict, Mapping) or hint is Mapping:
        return dict
    base = getattr(hint, "__supertype__", hint)
    if base in PLAIN or base is str:
        return None
    if isinstance(base, type) and issubclass(base, Enum):
        return base
    if base is datetime:
        return lambda value: datetime.fromisoformat(value) if isinstance(value, str) else value
    return lambda value: decode(value) if isinstance(value, Mapping) else value


@cache
def _shown(cls: Any) -> tuple[str, ...] | None:
    """Give the fields of a dataclass that are not secrets, None for any other class."""
    return tuple(each.name for each in fields(cls) if each.repr) if is_dataclass(cls) else None


@cache
def _classes() -> dict[str, Any]:
    return {
        name: each
        for module in MODULES
        for name, each in vars(module).items()
        if isinstance(each, type) and is_dataclass(each) and each.__module__ == module.__name__
    }


@cache
def _required(cls: Any) -> tuple[str, ...]:
    """Give the optional fields without a default: None was not written, and there it has to be given back."""
    missing = (each.name for each in fields(cls) if each.default is MISSING and each.default_factory is MISSING)
    return tuple(name for name in missing if NoneType in get_args(_hints(cls)[name]))


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def hints_of(cls: type) -> dict[str, Any]:
    """Give the field types of one of our dataclasses."""
    return _hints(cls)
