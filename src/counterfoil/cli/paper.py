"""What commands write: JSON lines for programs, tables and colours for people."""

import json
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

COLOURS: Final = {"applied": "green", "no_effect": "dim", "parked": "yellow", "refused": "red"}
"""How an outcome is coloured; the word stands beside it always."""


def json_line(value: Any) -> str:
    """Write a value as one line of JSON: times in RFC 3339, exact numbers as they are."""
    return json.dumps(value, default=_plain, ensure_ascii=False, separators=(", ", ": "))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"not for JSON: {type(value).__name__}")


def say_json(value: Any) -> None:
    """Print one line of JSON."""
    typer.echo(json_line(value))


def console(*, stderr: bool = False) -> "Console":
    """Give the console that tables are printed on. It colours for a terminal only."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=False)


def words(outcome: str) -> str:
    """Say an outcome in words."""
    return outcome.replace("_", " ")
