"""Every error has a page that says what to do about it."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from counterfoil.api.errors import ENTRIES, markdown
from counterfoil.core.effects import Reason
from counterfoil.engine import intake
from doors.api.caller import Caller

ROOT = Path(__file__).parents[3]
REASONS = list(Reason)
REFUSALS = [Reason.NOTHING_DUE, *REASONS[REASONS.index(Reason.INVALID_REQUEST) :]]


@pytest.mark.parametrize("reason", REFUSALS)
def test_every_refusal_of_a_rule_has_an_entry(reason: Reason) -> None:
    assert reason in ENTRIES


def test_every_code_that_the_api_and_the_intake_answer_has_an_entry() -> None:
    """Problem looks its code up, so that a missing one would be a fault of ours in the middle of an error."""
    written = "".join(path.read_text() for path in (ROOT / "src/counterfoil/api").rglob("*.py"))
    written += Path(intake.__file__).read_text() + (ROOT / "src/counterfoil/providers/port.py").read_text()
    codes = set(re.findall(r'(?:Problem|Rejected)\(\s*\d{3}, "([a-z_]+)"', written))
    codes |= set(re.findall(r'    code = "([a-z_]+)"', written)) | set(re.findall(r'_trouble\("([a-z_]+)"\)', written))

    assert len(codes) > 15
    assert codes <= set(ENTRIES)


def test_the_page_of_the_instance_has_an_anchor_for_every_code(client: TestClient) -> None:
    page = client.get("/docs/errors")

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert set(re.findall(r'<article id="([a-z_]+)">', page.text)) == set(ENTRIES)


def test_the_type_of_a_problem_leads_to_its_entry(api: Caller) -> None:
    problem = api.get("/v1/invoices/inv_nothing").json()

    path, _, anchor = problem["type"].partition("#")
    assert f'id="{anchor}"' in api.client.get(path).text


def test_the_committed_page_holds_the_catalogue() -> None:
    """When this fails: .venv/bin/python docs/generate.py"""
    assert (ROOT / "docs/errors.md").read_text().startswith(markdown())
