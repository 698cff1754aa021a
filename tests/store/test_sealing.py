"""Changing the master key: every box is sealed again while everything runs, and a key that is lacking is told."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from counterfoil.engine import hooks, rotation, setup
from counterfoil.engine.house import House
from counterfoil.engine.rotation import Progress
from counterfoil.store import accounts, sealing
from counterfoil.store.sealing import SEALED, MasterKeyUnknown
from counterfoil.store.secrets import SecretBox, SecretUnreadable
from houses import SECRET, STRIPE_KEY, World, house_with_sandbox
from store.raw import as_owner

OLD = "a-master-key-of-tests"
NEW = "a-new-master-key-of-tests"


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with house_with_sandbox(database) as world:
        hooks.create(world.house, world.tenant.id, hooks.Wish(url="https://host.test/hooks"))
        yield world


def with_keys(world: World, keys: str) -> House:
    return replace(world.house, box=SecretBox(keys))


def quiet(progress: Progress) -> None:
    """Say nothing."""


def another(world: World, name: str = "other") -> str:
    """A second tenant with an account and a key to the API."""
    tenant = setup.ensure_tenant(world.house, name, "test")
    setup.connect(world.house, tenant.id, setup.Connection(f"sk_test_{name}", (f"whsec_{name}",), slug=name))
    setup.create_key(world.house, tenant, ("read",))
    hooks.create(world.house, tenant.id, hooks.Wish(url="https://host.test/hooks"))
    return tenant.id


def boxes(world: World) -> list[bytes]:
    with as_owner(world.house.database.dsn) as connection:  # type: ignore[attr-defined]
        return [
            bytes(row[0])
            for table, _, column in SEALED
            for row in connection.execute(f"select {column} from {table}".encode()).fetchall()
        ]


def test_after_a_rotation_the_new_key_alone_opens_everything(world: World) -> None:
    another(world)

    rotated = rotation.rotate(with_keys(world, f"{NEW},{OLD}"), quiet)

    only_new = with_keys(world, NEW)
    assert rotated.resealed == len(boxes(world)) == 8
    assert rotated.retired == (SecretBox(OLD).name,)
    assert {each[:9] for each in boxes(world)} == {SecretBox(NEW).head}
    assert only_new.account(world.tenant.id, world.account.id).secret_key == STRIPE_KEY
    with only_new.database.transaction(world.tenant.id) as tx:
        endpoint = accounts.endpoint(tx, only_new.box, "default")
    assert endpoint is not None
    assert endpoint.secrets == (SECRET,)


def test_api_keys_outlive_the_master_key(world: World) -> None:
    """Their hashes can't be made again: the key is known to its holder alone."""
    rotation.rotate(with_keys(world, f"{NEW},{OLD}"), quiet)

    caller = setup.authenticate(with_keys(world, NEW), world.key)

    assert caller is not None
    assert caller.tenant == world.tenant.id


def test_before_a_rotation_both_keys_together_serve(world: World) -> None:
    both = with_keys(world, f"{NEW},{OLD}")

    assert both.account(world.tenant.id, world.account.id).secret_key == STRIPE_KEY
    assert setup.authenticate(both, world.key) is not None


def test_a_rotation_that_was_stopped_goes_on_where_it_stood(world: World) -> None:
    for number in range(3):
        another(world, f"other-{number}")
    both = with_keys(world, f"{NEW},{OLD}")
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        seen.append(progress)
        if progress.done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotation.rotate(both, stop)
    check(both)
    with pytest.raises(MasterKeyUnknown):
        check(with_keys(world, NEW))

    rotated = rotation.rotate(both, quiet)

    assert (seen[0], rotated.resealed) == (Progress(0, 16), 8)
    check(with_keys(world, NEW))


def check(house: House) -> None:
    with house.database.claims() as tx:
        sealing.check_keys(tx, house.box)


def test_a_second_rotation_finds_nothing_to_do(world: World) -> None:
    both = with_keys(world, f"{NEW},{OLD}")
    rotation.rotate(both, quiet)

    again = rotation.rotate(both, quiet)

    assert (again.resealed, again.retired) == (0, ())


def test_a_key_that_is_lacking_is_told_by_name(world: World) -> None:
    with pytest.raises(MasterKeyUnknown, match=f"under the master key {SecretBox(OLD).name}"):
        check(with_keys(world, NEW))
    with pytest.raises(MasterKeyUnknown):
        rotation.rotate(with_keys(world, NEW), quiet)


def test_a_process_that_was_forgotten_seals_nothing_with_the_old_key(world: World) -> None:
    rotation.rotate(with_keys(world, f"{NEW},{OLD}"), quiet)

    with pytest.raises(MasterKeyUnknown):
        another(world)

    check(with_keys(world, NEW))


@pytest.mark.parametrize(("table", "column"), [(table, column) for table, _, column in SEALED])
def test_a_box_that_was_moved_to_another_tenant_stays_shut(world: World, table: str, column: str) -> None:
    other = another(world)
    with as_owner(world.house.database.dsn) as connection:  # type: ignore[attr-defined]
        moved = (
            f"update {table} set {column} = (select {column} from {table} where tenant = %s limit 1) where tenant = %s"
        )
        connection.execute(moved.encode(), (world.tenant.id, other))

    with pytest.raises(SecretUnreadable):
        rotation.rotate(with_keys(world, f"{NEW},{OLD}"), quiet)

    with pytest.raises(MasterKeyUnknown):
        check(with_keys(world, NEW))
