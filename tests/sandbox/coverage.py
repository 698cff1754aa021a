"""Writes docs/sandbox/coverage.md from the routes of the sandbox and from its tests."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from counterfoil.sandbox.params import Hash, Items, Kind, Need, Uncovered
from counterfoil.sandbox.surface import ROUTES
from counterfoil.sandbox.versions import NEWEST, OLDEST
from sandbox.catalogue import SECTIONS, Row

HERE = Path(__file__).parent
_CALL = re.compile(r"v1\.((?:\w+\.)*\w+)\.(\w+)$")


@dataclass(frozen=True, slots=True)
class Test:
    """A test, and what it touches: ids it is marked with, operations it calls, events it names."""

    file: str
    name: str
    marked: frozenset[str]
    calls: frozenset[str]
    words: frozenset[str]

    @property
    def link(self) -> str:
        sentence = self.name.removeprefix("test_").replace("_", " ")
        return f"[{sentence}](../../tests/sandbox/{self.file})"


def page() -> str:
    """Write the page."""
    return HEAD.format(summary=_summary(), newest=NEWEST, oldest=OLDEST) + "".join(_sections()) + _refused()


def shown_by(row: Row) -> Test | None:
    """The test that shows a row: one that is marked with it, else the one that is most about it."""
    marked = [test for test in _tests() if row.id in test.marked]
    touching = [test for test in _tests() if row.id in test.calls or (not row.route and row.id in test.words)]
    noun = row.id.split(".")[-2 if row.route else 0].split("_")[-1].removesuffix("s")
    ranked = sorted(marked or touching, key=lambda test: (noun not in test.name, len(test.calls), test.file, test.name))
    return ranked[0] if ranked else None


def is_served(row: Row) -> bool:
    """True unless the row is an operation that has no route."""
    return not row.route or row.route in _served()


def marks() -> dict[str, list[str]]:
    """Every id that a test is marked with, and by which tests."""
    found: dict[str, list[str]] = {}
    for test in _tests():
        for name in test.marked:
            found.setdefault(name, []).append(f"{test.file}::{test.name}")
    return found


HEAD = """\
# What the sandbox covers

<!-- Written by docs/generate.py from the sandbox's routes and tests. Do not edit by hand. -->

Each row names a test that shows it; all tests go through the official Python SDK or raw HTTP. {summary} API versions \
from {oldest} to {newest} are spoken; the shapes of answers and events are checked against Stripe's published schemas \
for those since 2023-08-16.
"""


def _summary() -> str:
    rows = [row for section in SECTIONS.values() for row in section]
    shown = sum(1 for row in rows if is_served(row) and shown_by(row))
    return f"{shown} of {len(rows)} rows are there."


def _sections() -> Iterator[str]:
    for title, rows in SECTIONS.items():
        lines = "".join(_line(row) for row in sorted(rows, key=lambda row: row.priority))
        yield f"\n## {title}\n\n| what | priority | shown by |\n|---|---|---|\n{lines}"


def _line(row: Row) -> str:
    test = shown_by(row) if is_served(row) else None
    what = f"`{row.id}`<br>`{row.route.replace('{}', '{id}')}`" if row.route else row.what
    return f"| {what} | P{row.priority} | {test.link if test else '**not covered**'} |\n"


def _refused() -> str:
    """Parameters that Stripe has and that are refused by name."""
    lines = []
    for route in ROUTES:
        names = sorted(_uncovered(route.params))
        if names:
            lines.append(f"| `{route.method} {route.path}` | {', '.join(f'`{name}`' for name in names)} |\n")
    return f"""
## Refused loudly

Any other path is a 404, and any other parameter a 400 `parameter_unknown`, that names it. \
These parameters exist at Stripe and are refused with a message that says so:

| operation | parameters |
|---|---|
{"".join(lines)}"""


def _uncovered(params: Mapping[str, Kind], path: str = "") -> Iterator[str]:
    for name, kind in params.items():
        here = f"{path}[{name}]" if path else name
        inner = kind
        while isinstance(inner, Need | Items):
            inner = inner.kind
        if isinstance(inner, Uncovered):
            yield here
        elif isinstance(inner, Hash):
            yield from _uncovered(inner.fields, here)


@cache
def _served() -> frozenset[str]:
    return frozenset(f"{route.method} {re.sub('{[a-z_]*}', '{}', route.path)}" for route in ROUTES)


@cache
def _tests() -> tuple[Test, ...]:
    return tuple(test for path in sorted(HERE.glob("test_*.py")) for test in _tests_of(path))


def _tests_of(path: Path) -> Iterator[Test]:
    helpers = _helpers() | _functions(path)
    for name, node in _functions(path).items():
        if name.startswith("test_"):
            parts = (node, *_used(node, helpers))
            calls = frozenset(call for part in parts for call in _calls(part))
            yield Test(
                path.name, name, _marked(node), calls, frozenset(word for part in parts for word in _words(part))
            )


@cache
def _helpers() -> dict[str, ast.FunctionDef]:
    """What tests of several files share."""
    shared = [path for path in sorted(HERE.glob("*.py")) if not path.name.startswith("test_")]
    return {name: node for path in shared for name, node in _functions(path).items()}


def _functions(path: Path) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


def _used(test: ast.FunctionDef, helpers: Mapping[str, ast.FunctionDef]) -> list[ast.FunctionDef]:
    """The helpers and fixtures that a test names, and those that they name in turn."""
    found: dict[str, ast.FunctionDef] = {}
    waiting: list[ast.FunctionDef] = [test]
    while waiting:
        here = waiting.pop()
        names = {node.id for node in ast.walk(here) if isinstance(node, ast.Name)}
        names |= {argument.arg for argument in here.args.args}
        fresh = [name for name in sorted(names & helpers.keys()) if name not in found and helpers[name] is not test]
        found |= {name: helpers[name] for name in fresh}
        waiting += [helpers[name] for name in fresh]
    return list(found.values())


def _marked(function: ast.FunctionDef) -> frozenset[str]:
    return frozenset(
        str(ast.literal_eval(argument))
        for mark in function.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "covers"
        for argument in mark.args
    )


def _calls(function: ast.FunctionDef) -> Iterator[str]:
    """Operations called through the SDK's client: `api.v1.customers.create(…)`."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and (found := _CALL.search(ast.unparse(node.func))):
            yield f"{found[1]}.{found[2]}"


def _words(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from node.value.split()
