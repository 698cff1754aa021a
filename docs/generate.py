"""Writes every file that is made from the program: `python docs/generate.py`. Tests check that they are current.

A page is a function without arguments that gives its text; GENERATED names the file it belongs in.
"""

import importlib
import json
import pkgutil
import sys
from collections.abc import Callable
from enum import StrEnum
from inspect import getdoc
from pathlib import Path

import counterfoil
from counterfoil.api.app import without_house
from counterfoil.api.errors import ENTRIES
from counterfoil.api.errors import markdown as catalogue
from counterfoil.api.openapi import document
from counterfoil.core.event_kinds import KINDS, EventKind
from counterfoil.core.ids import PREFIXES
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


def errors() -> str:
    """Write the page of errors: what the API answers, then what only the command line and the log say."""
    return f"{catalogue()}\n{ELSEWHERE}\n" + "\n".join(_trouble(each) for each in elsewhere())


ELSEWHERE = """\
## Said by the command line and the log
"""


def elsewhere() -> list[type[Exception]]:
    """Give the errors that have a code of their own and no entry in the API's catalogue, by code."""
    for module in pkgutil.walk_packages(counterfoil.__path__, "counterfoil."):
        if not module.name.startswith("counterfoil.sandbox"):
            importlib.import_module(module.name)
    coded = {code: each for each in _subclasses(Exception) if (code := _code(each)) and code not in ENTRIES}
    return [coded[code] for code in sorted(coded)]


def _subclasses(kind: type[Exception]) -> list[type[Exception]]:
    return [each for direct in kind.__subclasses__() for each in (direct, *_subclasses(direct))]


def _code(kind: type[Exception]) -> str | None:
    code = vars(kind).get("code")
    is_ours = kind.__module__.startswith("counterfoil.") and not kind.__module__.startswith("counterfoil.sandbox")
    return code if is_ours and isinstance(code, str) else None


def _trouble(kind: type[Exception]) -> str:
    remedy = getattr(kind, "remedy", None)
    told = f"\n**What to do.** {remedy}.\n" if isinstance(remedy, str) else ""
    return f"### {_code(kind)}\n\n{' '.join((getdoc(kind) or '').split())}\n{told}"


def openapi() -> str:
    """Write the OpenAPI document of the HTTP API."""
    return document(without_house())


def coverage() -> str:
    """Write the page of what the sandbox covers, from its routes and its tests."""
    sys.path.append(str(ROOT / "tests"))
    text: str = importlib.import_module("sandbox.coverage").page()
    return text


def schema() -> str:
    """Write schema.sql with its generated sections as core has them now."""
    return with_sections(schema_sql())


def events() -> str:
    """Write the page of events: each kind with an example of what is sent."""
    return EVENTS + "".join(_kind(each) for each in KINDS.values())


EVENTS = """\
# Events

<!-- Written by docs/generate.py from core/event_kinds.py. Do not edit by hand. -->

What is told outside, by webhook ([how](how-to/webhooks.md)) and by `GET /v1/events`. More kinds may come: answer 2xx to
one that you do not know. `data` also has `decision` (why it happened) and, for endpoints with the payload `full`,
`object`: the subject as it was when the event was first sent.
"""


def _kind(each: EventKind) -> str:
    subject = f"{PREFIXES[each.subject]}_01h455vb4pex5vsknk084sn02q"
    sent = {
        "type": each.kind,
        "timestamp": "2026-06-14T04:04:00.000Z",
        "id": "evnt_01h455vb4pex5vsknk084sn02q",
        "customer": None if each.subject == "endpoint" else "cust_01h455vb4pex5vsknk084sn02q",
        "sequence": 4,
        "subject": subject,
        "data": {**each.data, "decision": "dec_01h455vb4pex5vsknk084sn02q"},
    }
    return f"\n## {each.kind}\n\n{each.when}\n\n```json\n{json.dumps(sent, indent=2, ensure_ascii=False)}\n```\n"


GENERATED: dict[str, Callable[[], str]] = {
    "docs/errors.md": errors,
    "docs/events.md": events,
    "docs/lifecycles.md": lifecycles,
    "docs/openapi.json": openapi,
    "docs/sandbox/coverage.md": coverage,
    "src/counterfoil/store/schema.sql": schema,
}


def main() -> None:
    for name, write in GENERATED.items():
        (ROOT / name).write_text(write())


if __name__ == "__main__":
    main()
