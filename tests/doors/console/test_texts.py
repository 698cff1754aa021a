"""Words, shapes and files: every text is in the catalogue, every vendored file is the one that was reviewed."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import counterfoil.console
from counterfoil.console import present
from counterfoil.console.anything import FACTS
from counterfoil.console.texts import ENGLISH, LANGUAGES, text_in
from counterfoil.console.wallets import PARTS
from counterfoil.core.bought import GrantTiming, Settlement
from counterfoil.core.effects import Outcome
from counterfoil.core.facts import Source
from counterfoil.core.lifecycle import MACHINES
from counterfoil.core.story import ENTRY_TITLES, MOVEMENTS, EffectClass
from counterfoil.core.terms import Overdraft

ROOM = Path(counterfoil.console.__file__).parent
TEMPLATES = {path.name: path.read_text() for path in sorted((ROOM / "templates").glob("*.html"))}
CODE = "\n".join(path.read_text() for path in sorted(ROOM.glob("*.py")) if path.name != "texts.py")
MADE_OF_WORDS = {
    *(f"source.{each}" for each in Source),
    *(f"outcome.{each}" for each in Outcome),
    *(f"movement.{each}" for each in (*ENTRY_TITLES, *MOVEMENTS.values(), "settled")),
    *(f"timeline.{each}" for each in EffectClass),
    *(f"timeline.tally.{each}" for each in Outcome),
    *(f"field.{each}" for each in FACTS),
    *(f"room.{each}" for each in ("customers", "invoices", "purchases", "events")),
    *(f"app.mode.{each}{note}" for each in ("sandbox", "test", "shadow") for note in ("", ".note")),
    *(f"purchase.when.{each}" for each in GrantTiming),
    *(f"purchase.settlement.{each}" for each in Settlement),
    *(f"purchase.{each}" for each in ("authorized", "settled", "fulfilled")),
    *(f"wallet.part.{each}" for each in PARTS),
    *(f"wallet.overdraft.{each}" for each in Overdraft),
    *(f"error.{each}{detail}" for each in (403, 404, 405, 422, 500, 503) for detail in ("", ".detail")),
}


def test_every_text_that_a_page_names_is_in_the_catalogue() -> None:
    called = {key for text in TEMPLATES.values() for key in re.findall(r'\bt\("([^"]+)"[,)]', text)}

    assert called - set(ENGLISH) == set()
    assert MADE_OF_WORDS - set(ENGLISH) == set()


def test_every_text_of_the_catalogue_is_used() -> None:
    named = {key for text in (*TEMPLATES.values(), CODE) for key in re.findall(r'"([a-z_.0-9]+)"', text)}

    assert sorted(set(ENGLISH) - named - MADE_OF_WORDS) == []


def test_languages_have_the_same_texts_with_the_same_blanks() -> None:
    for language, texts in LANGUAGES.items():
        for key, text in ENGLISH.items():
            assert re.findall(r"\{\w+\}", texts[key]) == re.findall(r"\{\w+\}", text), (language, key)


def test_a_text_with_braces_of_its_own_is_left_alone() -> None:
    assert text_in("en", "app.name") == "Counterfoil"


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_templates_have_no_style_no_script_and_no_address_of_their_own(name: str) -> None:
    text = TEMPLATES[name]

    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|https?://|\|safe\b|<script(?![^>]*nonce=)", text)


def test_pages_load_nothing_from_elsewhere() -> None:
    own = [path for path in (ROOM / "static").iterdir() if path.suffix in (".css", ".js") and ".min." not in path.name]

    assert [path.name for path in own if re.search(r"(?:https?:)?//[a-z]", path.read_text())] == []


def test_vendored_files_are_the_ones_that_were_reviewed_each_with_its_licence() -> None:
    listed = json.loads((ROOM / "static" / "vendored.json").read_text())
    ours = {"console.css", "parts.css", "ledger.css", "narrow.css", "console.js", "mark.svg", "vendored.json"}
    there = {path.name for path in (ROOM / "static").iterdir() if path.is_file()}

    assert {each["file"] for each in listed} == there - ours
    for each in listed:
        assert hashlib.sha256((ROOM / "static" / each["file"]).read_bytes()).hexdigest() == each["sha256"]
        assert (ROOM / "static" / each["text"]).stat().st_size > 200


# --- how values look ---


def test_every_status_of_every_machine_has_a_tone() -> None:
    statuses = {str(status) for states, _ in MACHINES.values() for status in states} | set(Outcome)

    assert {present.tone(each) for each in statuses} == {"ok", "warn", "bad", "info", "mut"}
    assert present.tone("something new") == "mut"


@pytest.mark.parametrize(
    ("identity", "short"),
    [
        ("inv_01m864k5b5eja8m09jabsp7nyy", "inv_01…7nyy"),
        ("pi_3v54CnEsV0D8DHGZy3biu82q", "pi_3v…u82q"),
        ("cus_dana", "cus_dana"),
        ("a-very-long-word-without-any-prefix", "a-very-lon…efix"),
    ],
)
def test_ids_are_shortened_to_what_people_recognize(identity: str, short: str) -> None:
    assert present.short(identity) == short


@given(st.text())
def test_a_sentence_is_escaped_whatever_it_holds(sentence: str) -> None:
    markup = present.linked(sentence)

    assert "<script" not in markup.lower()
    assert present.linked("<b>") == "&lt;b&gt;"


def test_ids_in_a_sentence_lead_to_their_explanation() -> None:
    markup = present.linked("Payment pi_3v54CnEsV0D8DHGZy3biu82q was settled <before>.")

    assert 'href="/explain/pi_3v54CnEsV0D8DHGZy3biu82q"' in markup
    assert "&lt;before&gt;" in markup


@pytest.mark.parametrize(
    ("written", "trimmed"), [("30.000000", "30.00"), ("0.000125", "0.000125"), ("5", "5"), ("1.5", "1.5")]
)
def test_quantities_lose_only_zeros(written: str, trimmed: str) -> None:
    assert present.trimmed(written) == trimmed


def test_changes_wear_their_sign() -> None:
    assert [present.change(each) for each in ("5.000000", "-0.5", "0")] == ["+5.00", "\u22120.5", "+0"]
    assert [present.signed(each) for each in ("5.000000", "-0.5")] == ["5.00", "\u22120.5"]


def test_what_a_customer_owes_is_written_per_currency() -> None:
    assert present.owed({"USD": 4200, "EUR": 0}) == "$42.00"
    assert present.owed({"USD": 0}) == "$0.00"
    assert present.owed({"USD": -150, "JPY": 70}) == "¥70, −$1.50"
    assert present.owed({}) == ""
