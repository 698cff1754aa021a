"""Secrets at rest are sealed for one tenant under a master key that is worth the name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.store.secrets import MasterKeyRefused, SecretBox, SecretUnreadable, hash_key
from store.road import OTHER, TENANT

KEY = "a-master-key-of-some-length"
NEW = "another-master-key-of-some-length"
BOX = SecretBox(KEY)


@given(st.text(st.characters(codec="utf-8")))
def test_what_is_sealed_can_be_opened(secret: str) -> None:
    assert BOX.open(TENANT, BOX.seal(TENANT, secret)) == secret


def test_a_sealed_secret_is_not_in_the_box_to_be_read() -> None:
    sealed = BOX.seal(TENANT, "sk_test_hello_hello")

    assert b"sk_test" not in sealed
    assert b"hello" not in sealed


def test_the_same_secret_is_never_sealed_the_same_way() -> None:
    assert BOX.seal(TENANT, "sk") != BOX.seal(TENANT, "sk")


def test_a_box_that_was_moved_to_another_tenant_stays_shut() -> None:
    sealed = BOX.seal(TENANT, "sk_test")

    with pytest.raises(SecretUnreadable, match="moved between tenants"):
        BOX.open(OTHER, sealed)


def test_another_master_key_opens_nothing() -> None:
    with pytest.raises(SecretUnreadable):
        SecretBox(KEY + "!").open(TENANT, BOX.seal(TENANT, "sk_test"))


@pytest.mark.parametrize("place", range(0, 40, 3))
def test_a_box_with_one_bit_changed_stays_shut(place: int) -> None:
    sealed = bytearray(BOX.seal(TENANT, "sk_test_0123"))
    sealed[place % len(sealed)] ^= 1

    with pytest.raises(SecretUnreadable):
        BOX.open(TENANT, bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"short", b"x" * 12, b"x" * 27])
def test_what_was_never_sealed_is_refused(sealed: bytes) -> None:
    with pytest.raises(SecretUnreadable):
        BOX.open(TENANT, sealed)


@pytest.mark.parametrize(
    "key",
    ["", ",", "secret", "changeme", "PASSWORD", "counterfoil", "fifteen-letters", f"{KEY},secret", f"secret,{KEY}"],
)
def test_a_weak_master_key_is_refused(key: str) -> None:
    with pytest.raises(MasterKeyRefused, match="COUNTERFOIL_MASTER_KEY"):
        SecretBox(key)


def test_a_key_s_hash_needs_its_tenant_s_secret() -> None:
    assert hash_key("pepper", "cfk_test") == hash_key("pepper", "cfk_test")
    assert hash_key("pepper", "cfk_test") != hash_key("another", "cfk_test")
    assert hash_key("pepper", "cfk_test") != hash_key("pepper", "cfk_tesu")


def test_of_several_master_keys_the_first_seals_and_all_open() -> None:
    both = SecretBox(f"{NEW}, {KEY}")
    old, new = BOX.seal(TENANT, "old"), both.seal(TENANT, "new")

    assert (both.open(TENANT, old), both.open(TENANT, new)) == ("old", "new")
    assert SecretBox(NEW).open(TENANT, new) == "new"
    with pytest.raises(SecretUnreadable):
        SecretBox(NEW).open(TENANT, old)
    with pytest.raises(SecretUnreadable):
        BOX.open(TENANT, new)


def test_a_key_s_name_gives_nothing_of_it_away() -> None:
    assert BOX.names == {BOX.name}
    assert BOX.name not in KEY
    assert BOX.name != SecretBox(NEW).name
    assert KEY not in repr(vars(BOX))
