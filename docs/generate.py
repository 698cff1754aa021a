"""Writes every file that is made from the program: `python docs/generate.py`. Tests check that they are current.

A page is a function without arguments that gives its text; GENERATED names the file it belongs in.
"""

from collections.abc import Callable
from enum import StrEnum
from inspect import getdoc
from pathlib import Path

from counterfoil.core.lifecycle import MACHINES
from counterfoil.store.generated import with_sections
from counterfoil.store.migrate import schema_sql

ROOT = Path(__file__).parents[1]


def lifecycles() -> str:
    """Write the page of lifecycles: a diagram and a table per machine."""
    return HEAD + "".join(_machine(name, states, moves) for name, (states, moves) in MACHINES.items())


HEAD = """\
# Lifecycles

<!-- Written by docs/generate.py from core/lifecycle.py. Do not edit by hand. -->

Where each of our own subjects can stand, and how it may move. What is not listed is refused twice: by the rules, and by
a trigger in Postgres, for whatever program writes. A subject may always stay where it is.
"""


def _machine(name: str, states: type[StrEnum], moves: frozenset[tuple[str, str]]) -> str:
    arrows = "\n".join(f"    {before} --> {after}" for before, after in sorted(moves, key=_by(states)))
    return f"""
## {name.replace("_", " ").capitalize()}

{" ".join((getdoc(states) or "").split())} Table `{name}`, column `status`.

```mermaid
stateDiagram-v2
{arrows}
```

| from | may go to |
|---|---|
{_table(states, moves)}
"""


def _table(states: type[StrEnum], moves: frozenset[tuple[str, str]]) -> str:
    rows = ((state, [target for target in states if (state, target) in moves]) for state in states)
    return "\n".join(
        f"| `{state}` | {', '.join(f'`{each}`' for each in targets) or 'nowhere'} |" for state, targets in rows
    )


def _by(states: type[StrEnum]) -> Callable[[tuple[str, str]], tuple[int, int]]:
    order = [str(state) for state in states]
    return lambda move: (order.index(move[0]), order.index(move[1]))


def schema() -> str:
    """Write schema.sql with its generated sections as core has them now."""
    return with_sections(schema_sql())


GENERATED: dict[str, Callable[[], str]] = {
    "docs/lifecycles.md": lifecycles,
    "src/counterfoil/store/schema.sql": schema,
}


def main() -> None:
    for name, write in GENERATED.items():
        (ROOT / name).write_text(write())


if __name__ == "__main__":
    main()
