"""Hygiene: no print left behind, nothing misspelled in a name, every public rule says its promise, one format."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from behaviours import behaviour

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "counterfoil"
PROMISING = ("core", "client")
"""The rooms whose public names are read by others than their writers: each of them says what it promises."""
MISSPELLED = re.compile(
    r"invoce|recieve|seperat|occured|refered|succesful|sucess|transfered|reciept|ammount|quantitiy|"
    r"custmer|paymnet|balence|adress",
    re.IGNORECASE,
)


def ruff(*arguments: str, text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", "src/counterfoil/core/planted.py", "-"]
    return subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False)


@behaviour("R-OM-21")
def test_a_print_that_was_left_behind_is_found() -> None:
    found = ruff("check", text='"""Planted."""\n\nprint("here")\n')

    assert found.returncode == 1
    assert "T201" in found.stdout


@behaviour("R-OM-21")
def test_text_that_is_not_formatted_is_found() -> None:
    assert ruff("format", "--check", text='"""Planted."""\n\nx = {  "a":1 }\n').returncode == 1
    assert ruff("format", "--check", text='"""Planted."""\n\nx = {"a": 1}\n').returncode == 0


@behaviour("R-OM-21")
def test_the_gate_checks_lint_and_format_before_the_tests() -> None:
    made = (ROOT / "Makefile").read_text()
    check = made[made.index("\ncheck:") :].split("\n\n")[0]

    assert "ruff check" in check
    assert "ruff format --check" in check
    assert re.search(r"^test: check", made, re.MULTILINE)


@behaviour("R-OM-21")
@pytest.mark.parametrize("room", PROMISING)
def test_every_public_name_says_its_promise(room: str) -> None:
    silent = [name for path in sorted((SOURCE / room).rglob("*.py")) for name in _silent(path)]

    assert silent == []


@behaviour("R-OM-21")
def test_no_name_is_misspelled() -> None:
    wrong = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted(SOURCE.rglob("*.py"))
        if "sandbox" not in path.parts
        for name in _names(ast.parse(path.read_text()))
        if MISSPELLED.search(name)
    }

    assert wrong == set()


def _silent(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None:
            yield f"{path.name}:{node.lineno} {node.name}"


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name):
            yield node.id
