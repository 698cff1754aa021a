"""`counterfoil packs`: a catalogue is loaded from a file, once, and a new version only where it says something new."""

import json
from pathlib import Path
from typing import Any

import pytest

from doors.cli.commands import Commands

FOUR = Path(__file__).parents[3] / "examples" / "packs.json"


def test_a_catalogue_is_loaded_once_and_listed(counterfoil: Commands) -> None:
    first = counterfoil("packs", "load", str(FOUR))
    again = counterfoil("packs", "load", str(FOUR), "--json")

    assert (first.code, first.out) == (0, "4 packs are declared, 4 of them anew.\n")
    assert (again.code, again.json) == (0, {"added": [], "packs": 4})
    listed = counterfoil("packs", "list").out
    assert "pack-2500  v1  2500.000000 credits  $50.00\n" in listed
    assert [each["code"] for each in counterfoil("packs", "list", "--json").lines] == [
        "pack-1000",
        "pack-12000",
        "pack-2500",
        "pack-6000",
    ]


@pytest.mark.parametrize(
    "document",
    [
        "not JSON",
        [],
        {"packs": [{"code": "p"}]},
        {"packs": [{"code": "p", "unit": "stones", "credits": "1", "prices": []}]},
        {"units": [{"code": "usd-credit", "scale": 2}]},
        {"packs": [{"code": "p", "unit": "usd-credit", "credits": "0", "prices": []}]},
        {"packs": [{"code": "p", "unit": "usd-credit", "credits": "1", "prices": [{"amount": 1, "currency": "usd"}]}]},
    ],
)
def test_a_catalogue_that_can_t_be_is_refused_with_what_is_wrong(
    counterfoil: Commands, tmp_path: Path, document: Any
) -> None:
    file = tmp_path / "packs.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))

    refused = counterfoil("packs", "load", str(file))

    assert refused.code == 3
    assert "[catalogue_refused]" in refused.err
    assert "Traceback" not in refused.err
    assert counterfoil("packs", "list").out == ""
