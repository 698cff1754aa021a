"""Every story has a stage of its own."""

from collections.abc import Iterator

import pytest

from quick import quiet
from scenarios.stage import Stage, open_stage


@pytest.fixture
def stage(database: str) -> Iterator[Stage]:
    with quiet(), open_stage(database) as stage:
        yield stage
