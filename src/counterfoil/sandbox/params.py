"""How a request's parameters are declared, and how a form is read against the declaration.

A declaration is a map of name to kind. A name that is not declared is refused by name, so nothing is silently ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from counterfoil.sandbox.errors import (
    StripeError,
    invalid,
    invalid_integer,
    parameter_empty,
    parameter_missing,
    parameter_unknown,
)

_DECIMAL = re.compile(r"-?\d{1,12}(?:\.\d{1,12})?")

Given: TypeAlias = dict[str, Any]
"""The parameters that the caller gave, read; a name that was not given is absent, an unset one is None."""


class Kind(Protocol):
    """How one parameter is read from its text or nested form."""

    def read(self, raw: Any, path: str) -> Any: ...


Schema: TypeAlias = Mapping[str, Kind]


@dataclass(frozen=True, slots=True)
class Need:
    """A parameter that must be given."""

    kind: Kind

    def read(self, raw: Any, path: str) -> Any:
        if raw == "":
            raise parameter_empty(path)
        return self.kind.read(raw, path)


@dataclass(frozen=True, slots=True)
class Text:
    """A string; the empty string unsets it."""

    longest: int = 5000

    def read(self, raw: Any, path: str) -> str | None:
        if not isinstance(raw, str):
            raise invalid(f"Invalid string: {_shown(raw)}", path)
        if len(raw) > self.longest:
            message = f"Invalid string: {raw[:10]}...; must be at most {self.longest} characters"
            raise invalid(message, path, "parameter_invalid_string_length" if self.longest < 5000 else None)
        return raw or None


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer within bounds."""

    least: int | None = None
    most: int | None = None

    def read(self, raw: Any, path: str) -> int:
        number = _integer(raw, path)
        if self.least is not None and number < self.least:
            raise invalid_integer(f"This value must be greater than or equal to {self.least}.", path)
        if self.most is not None and number > self.most:
            raise invalid_integer(
                f"This value must be less than or equal to {self.most} (it currently is '{number}').", path
            )
        return number


@dataclass(frozen=True, slots=True)
class Fraction:
    """A decimal number with at most 12 places, kept as its text so that nothing is lost."""

    def read(self, raw: Any, path: str) -> str:
        if raw == "":
            raise parameter_empty(path)
        if not isinstance(raw, str) or not _DECIMAL.fullmatch(raw):
            raise invalid(f"Invalid decimal: {_shown(raw)}; must contain at maximum twelve decimal places.", path)
        return raw


@dataclass(frozen=True, slots=True)
class Flag:
    def read(self, raw: Any, path: str) -> bool:
        if raw == "":
            raise parameter_empty(path)
        if raw not in ("true", "false"):
            raise invalid(f"Invalid boolean: {_shown(raw)}", path)
        return bool(raw == "true")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a closed list; the empty string unsets it where `clears` says so."""

    options: tuple[str, ...]
    clears: bool = True

    def read(self, raw: Any, path: str) -> str | None:
        if raw == "" and self.clears:
            return None
        if raw not in self.options:
            raise invalid(f"Invalid {path}: must be one of {_listed(self.options)}", path)
        return str(raw)


@dataclass(frozen=True, slots=True)
class Hash:
    """A nested map with its own declaration; the empty string unsets it."""

    fields: Schema

    def read(self, raw: Any, path: str) -> Given | None:
        if raw == "":
            return None
        if not isinstance(raw, dict):
            raise invalid("Invalid object", path)
        return read_fields(self.fields, raw, path)


@dataclass(frozen=True, slots=True)
class Keyed:
    """A nested map whose names the caller chooses, such as currencies; the empty string empties it."""

    kind: Kind

    def read(self, raw: Any, path: str) -> Given:
        if raw == "":
            return {}
        if not isinstance(raw, dict):
            raise invalid("Invalid object", path)
        return {name: self.kind.read(value, f"{path}[{name}]") for name, value in raw.items()}


@dataclass(frozen=True, slots=True)
class Items:
    """An array, in whichever dialect it came; the empty string empties it."""

    kind: Kind = field(default_factory=Text)

    def read(self, raw: Any, path: str) -> list[Any]:
        if raw == "":
            return []
        if not isinstance(raw, dict) or not all(key.isdigit() for key in raw):
            raise invalid("Invalid array", path)
        ordered = sorted(raw.items(), key=lambda item: int(item[0]))
        return [self.kind.read(value, f"{path}[{key}]") for key, value in ordered]


@dataclass(frozen=True, slots=True)
class Labels:
    """Metadata: up to 50 keys of 40 characters, values of 500; an empty value unsets the key, an empty string all of
    them (None).
    """

    def read(self, raw: Any, path: str) -> dict[str, str] | None:
        if raw == "":
            return None
        if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
            raise invalid("Metadata must be a hash of strings", path)
        if len(raw) > 50:
            raise invalid(f"You have more than 50 metadata keys: {len(raw)}", path)
        for key, value in raw.items():
            _check_label(key, value, path)
        return dict(raw)


@dataclass(frozen=True, slots=True)
class Range:
    """A timestamp or number: exact, or bounds gt, gte, lt, lte."""

    def read(self, raw: Any, path: str) -> dict[str, int]:
        if not isinstance(raw, dict):
            return {"gte": _integer(raw, path), "lte": _integer(raw, path)}
        bounds: Schema = {name: Whole() for name in ("gt", "gte", "lt", "lte")}
        return read_fields(bounds, raw, path)


@dataclass(frozen=True, slots=True)
class Anything:
    """Accepted as it comes and shown as given: the sandbox attaches no behaviour to it."""

    def read(self, raw: Any, path: str) -> Any:
        return raw


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A parameter that Stripe has and the sandbox does not model: refused by name, never guessed."""

    def read(self, raw: Any, path: str) -> Any:
        raise parameter_unknown([path], " (Stripe has this parameter; the sandbox does not cover it)")


def uncovered(*names: str) -> dict[str, Kind]:
    return {name: Uncovered() for name in names}


def read_fields(schema: Schema, raw: Mapping[str, Any], path: str = "") -> Given:
    """Read a form against a declaration; unknown names first, then missing ones, then each value."""
    unknown = [_join(path, name) for name in raw if name not in schema]
    if unknown:
        raise parameter_unknown([_deepest(raw, path, name) for name in raw if name not in schema])
    for name, kind in schema.items():
        if isinstance(kind, Need) and name not in raw:
            raise parameter_missing(_join(path, name))
    return {name: schema[name].read(value, _join(path, name)) for name, value in raw.items()}


def merge_labels(current: dict[str, str], given: dict[str, str] | None) -> dict[str, str]:
    """Metadata after an update: keys merge, an empty value removes its key, None removes all."""
    if given is None:
        return {}
    merged = {key: value for key, value in (current | given).items() if value != ""}
    if len(merged) > 50:
        raise invalid(f"You have more than 50 metadata keys: {len(merged)}", "metadata")
    return merged


def _integer(raw: Any, path: str) -> int:
    if raw == "":
        raise parameter_empty(path)
    text = raw if isinstance(raw, str) else ""
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
        raise invalid_integer(f"Invalid integer: {_shown(raw)}", path)
    return int(text)


def _check_label(key: str, value: str, path: str) -> None:
    if len(key) > 40:
        message = (
            "Metadata keys can have up to 40 characters, but you passed in a key that "
            f"is {len(key)} characters. Invalid key: {key[:10]}..."
        )
        raise invalid(message, path)
    if len(value) > 500:
        raise StripeError(
            "Metadata values can have up to 500 characters, but you passed in a value that "
            f"is {len(value)} characters. Invalid value: {value[:10]}...",
            param=f"{path}[{key}]",
        )


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def _deepest(raw: Mapping[str, Any], path: str, name: str) -> str:
    """Name a nested unknown parameter down to its first key, as Stripe does (`a[b]`)."""
    here = _join(path, name)
    value = raw[name]
    if isinstance(value, dict) and value and not path:
        key = next(iter(value))
        return here if key.isdigit() else _join(here, key)
    return here


def _shown(raw: Any) -> str:
    return raw if isinstance(raw, str) else "{" + ", ".join(str(key) for key in raw) + "}"


def _listed(options: tuple[str, ...]) -> str:
    if len(options) < 3:
        return " or ".join(options)
    return ", ".join(options[:-1]) + f", or {options[-1]}"
