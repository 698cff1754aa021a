"""House rules that no linter knows: sizes, names, purity, and a repository that speaks of the product alone."""

import ast
import graphlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "counterfoil"
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
PURE_MODULES = frozenset(
    "__future__ abc base64 bisect collections copy dataclasses datetime decimal enum fractions functools hashlib heapq "
    "hmac itertools json math operator re string textwrap types typing unicodedata".split()
)
FORBIDDEN_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc"})
# Pieced together, so that this file does not hold what it looks for.
MACHINE_TRACES = re.compile(
    "|".join(
        [
            "/" + "work/(main|shared)",
            "/" + "root/",
            "/" + "tmp/team",
            r"pypi\." + "org",
            "files." + "pythonhosted",
            "deb." + "debian",
            "/" + "opt/(wheels|pypi)",
        ]
    )
)
CLOCK_OR_CHANCE = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|random|gen_random_uuid|uuidv[47])\s*\(|"
    r"\b(current_timestamp|localtimestamp|current_date|current_time|localtime)\b",
    re.IGNORECASE,
)
UNFINISHED = re.compile(r"\b(" + "TO" + "DO|FIX" + "ME|XX" + r"X|NotImplemented" + r"Error)\b")


def test_no_file_of_the_product_is_longer_than_500_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in _sources()}

    assert {path: lines for path, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": lines
        for path in _sources()
        for node, lines in _functions(path)
        if lines > FUNCTION_LINES_MAX
    }

    assert long == {}


def test_most_functions_are_a_few_lines_long() -> None:
    lengths = sorted(lines for path in _sources() for _, lines in _functions(path))

    assert lengths[len(lengths) // 2] <= 8
    assert lengths[len(lengths) * 95 // 100] <= 40


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("counterfoil", exclude_type_checking_imports=True, cache_dir=None)
    order = graphlib.TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    )

    order.prepare()  # raises CycleError, which names the circle


def test_no_module_is_a_drawer_for_everything() -> None:
    names = {path.relative_to(ROOT) for path in (*SOURCE.rglob("*"), *ROOT.joinpath("tests").rglob("*"))}

    assert [name for name in names if name.stem in FORBIDDEN_NAMES] == []


def test_core_imports_only_pure_modules() -> None:
    breaches = [
        f"{path.name}: {name}"
        for path in SOURCE.joinpath("core").rglob("*.py")
        for name in _imports(path)
        if name.split(".")[0] not in PURE_MODULES and not name.startswith("counterfoil.core")
    ]

    assert breaches == []


@pytest.mark.parametrize("name", ["socket", "os", "time", "random", "logging", "pathlib", "uuid", "sys", "stripe"])
def test_what_touches_the_world_is_not_pure(name: str) -> None:
    assert name not in PURE_MODULES


def test_sql_knows_no_clock_and_no_chance() -> None:
    """Both come through the ports, or the simulator could not repeat a run."""
    schema = [(path, path.read_text()) for path in SOURCE.rglob("*.sql")]
    statements = [(path, text) for path in SOURCE.joinpath("store").rglob("*.py") for text in _strings(path)]

    assert [str(path) for path, text in schema + statements if CLOCK_OR_CHANCE.search(text)] == []


@pytest.mark.parametrize("text", ["default now()", "CURRENT_TIMESTAMP", "gen_random_uuid ()", "order by random()"])
def test_a_clock_or_chance_in_sql_is_noticed(text: str) -> None:
    assert CLOCK_OR_CHANCE.search(text)


def test_the_repository_names_no_machine() -> None:
    assert [where for where, line in _tracked_lines() if MACHINE_TRACES.search(line)] == []


def test_nothing_is_left_unfinished() -> None:
    unfinished = [
        where
        for where, line in _tracked_lines()
        if where.split(":")[0].endswith((".py", ".sql")) and UNFINISHED.search(line)
    ]

    assert unfinished == []


def test_the_lock_pins_every_version_with_hashes_and_holds_no_address() -> None:
    lock = ROOT.joinpath("requirements.lock").read_text()
    blocks = re.split(r"\n(?=\S)", lock.strip())

    assert "://" not in lock
    assert [block for block in blocks if not re.match(r"[a-z0-9-]+(\[[a-z0-9,-]+\])?==\S+ (;.*)?\\\n", block)] == []
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


def test_behaviour_markers_name_behaviours() -> None:
    ids = [
        (str(path.relative_to(ROOT)), word.value if isinstance(word, ast.Constant) else ast.dump(word))
        for path in ROOT.joinpath("tests").rglob("*.py")
        for word in _behaviour_arguments(path)
    ]

    assert [found for found in ids if not re.fullmatch(r"R-[A-Z]{2}-[1-9]\d*", str(found[1]))] == []


def _sources() -> Iterator[Path]:
    yield from SOURCE.rglob("*.py")


def _functions(path: Path) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, (node.end_lineno or node.lineno) - node.lineno + 1


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


def _strings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _behaviour_arguments(path: Path) -> Iterator[ast.expr]:
    for node in ast.walk(ast.parse(path.read_text())):
        is_call = isinstance(node, ast.Call) and ast.unparse(node.func) in ("behaviour", "pytest.mark.behaviour")
        if is_call and isinstance(node, ast.Call):
            yield from node.args


def _tracked_lines() -> Iterator[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, start=1):
            yield f"{name}:{number}", line
