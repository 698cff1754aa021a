"""The page that says what the sandbox covers is current, and true of the tests that it names."""

from pathlib import Path

from sandbox import coverage
from sandbox.catalogue import SECTIONS

PAGE = Path(__file__).parents[2] / "docs" / "sandbox" / "coverage.md"
ROWS = [row for section in SECTIONS.values() for row in section]


def test_the_page_is_current() -> None:
    """When this fails: .venv/bin/python docs/generate.py"""
    assert PAGE.read_text() == coverage.page()


def test_a_test_is_marked_with_rows_that_there_are() -> None:
    known = {row.id for row in ROWS}

    assert {name: tests for name, tests in coverage.marks().items() if name not in known} == {}


def test_no_row_stands_twice() -> None:
    names = [row.id for row in ROWS]

    assert sorted(set(names)) == sorted(names)


def test_every_operation_that_is_served_is_shown_by_a_test() -> None:
    assert [row.id for row in ROWS if row.route and coverage.is_served(row) and not coverage.shown_by(row)] == []


def test_every_row_of_the_first_priority_is_there() -> None:
    expected = [row for row in ROWS if row.priority == 0]

    assert [row.id for row in expected if not (coverage.is_served(row) and coverage.shown_by(row))] == []
