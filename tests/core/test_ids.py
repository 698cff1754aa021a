"""TypeIDs: our own prefixes over UUIDs, sorted by age, and nothing else passes for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.ids import NOUNS, PREFIXES, UUID_MAX, noun_of, parse_typeid, typeid

UUIDS = st.integers(0, UUID_MAX)


@pytest.mark.parametrize(
    ("uuid", "suffix"),
    [
        # The examples of the specification (jetify typeid, spec/valid.yml).
        (0, "00000000000000000000000000"),
        (1, "00000000000000000000000001"),
        (10, "0000000000000000000000000a"),
        (16, "0000000000000000000000000g"),
        (32, "00000000000000000000000010"),
        (UUID_MAX, "7zzzzzzzzzzzzzzzzzzzzzzzzz"),
        (0x0110C8531D0952D8D73E1194E95B5F19, "0123456789abcdefghjkmnpqrs"),
        (0x01890A5DAC96774BBCCEB302099A8057, "01h455vb4pex5vsknk084sn02q"),
    ],
)
def test_the_examples_of_the_specification(uuid: int, suffix: str) -> None:
    assert typeid("prefix", uuid) == f"prefix_{suffix}"
    assert parse_typeid(f"prefix_{suffix}") == ("prefix", uuid)


@given(st.sampled_from(sorted(PREFIXES.values())), UUIDS)
def test_what_is_written_is_read_back(prefix: str, uuid: int) -> None:
    assert parse_typeid(typeid(prefix, uuid)) == (prefix, uuid)


@given(UUIDS, UUIDS)
def test_ids_sort_as_their_uuids_do(first: int, second: int) -> None:
    assert (typeid("inv", first) < typeid("inv", second)) == (first < second)


@pytest.mark.parametrize("uuid", [-1, UUID_MAX + 1])
def test_only_128_bits_fit(uuid: int) -> None:
    with pytest.raises(ValueError, match="128-bit"):
        typeid("inv", uuid)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "inv",
        "inv_",
        "00000000000000000000000000",
        "inv_0000000000000000000000000",
        "inv_000000000000000000000000000",
        "inv_80000000000000000000000000",
        "inv_0000000000000000000000000U",
        "inv_0000000000000000000000000A",
        "inv_0000000000000000000000000i",
        "inv_0000000000000000000000000-",
        "pi_3OaBcDeFgHiJkLmNoPqRsTuV",
    ],
)
def test_what_is_no_typeid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a TypeID"):
        parse_typeid(text)
    assert noun_of(text) is None


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        prefix, uuid = parse_typeid(text)
    except ValueError:
        return
    assert typeid(prefix, uuid) == text


def test_every_noun_has_a_prefix_of_its_own() -> None:
    assert len(NOUNS) == len(PREFIXES)
    assert {noun_of(typeid(prefix, 7)) for prefix in PREFIXES.values()} == set(PREFIXES)


def test_an_id_of_somebody_else_names_no_noun() -> None:
    assert noun_of(typeid("user", 7)) is None
