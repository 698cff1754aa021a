"""The command line on a fresh database, and data directories for its processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from doors.cli.commands import Commands, data_directory


@pytest.fixture
def counterfoil(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Commands:
    """The command line on a fresh database of this session's server."""
    return Commands(database, tmp_path, capsys, monkeypatch)


@pytest.fixture
def home() -> Iterator[Path]:
    """A data directory for processes with an embedded database of their own."""
    with data_directory() as place:
        yield place
