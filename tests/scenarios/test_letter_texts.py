"""Every language of letters has the same texts, and each text uses the same names."""

import re

import pytest

from counterfoil.engine.letter_texts import ENGLISH, LANGUAGES


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_language_has_the_texts_and_the_names_of_english(language: str) -> None:
    texts = LANGUAGES[language]

    assert set(texts) == set(ENGLISH)
    for key, text in ENGLISH.items():
        assert sorted(re.findall(r"\{\w+\}", texts[key])) == sorted(re.findall(r"\{\w+\}", text)), (language, key)
