"""The files that install the product agree with each other."""

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_lock_has_every_declared_dependency_in_an_allowed_version() -> None:
    declared = tomllib.loads(_read("pyproject.toml"))
    wanted = [*declared["project"]["dependencies"], *declared["dependency-groups"]["dev"]]
    locked = dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==([^ ;]+)", _read("requirements.lock"), re.MULTILINE))

    unmet = [line for line in wanted if not _is_met(line, locked)]

    assert unmet == []


def test_uv_has_one_version_everywhere() -> None:
    pins = re.findall(r"uv==([\d.]+)", _read("Makefile") + _read("Dockerfile"))

    assert len(pins) == 2
    assert len(set(pins)) == 1


def test_the_image_runs_as_nobody_and_takes_nothing_that_the_lock_does_not_pin() -> None:
    image = _read("Dockerfile")

    assert re.findall(r"^USER (.*)$", image, re.MULTILINE) == ["nobody"]
    assert image.count("requirements.lock") >= 3
    assert "--require-hashes" in image


def test_the_image_is_built_from_what_git_tracks_and_from_nothing_secret() -> None:
    allowed = [line[1:] for line in _read(".dockerignore").splitlines() if line.startswith("!")]

    assert _read(".dockerignore").startswith("*\n")
    assert all(_git("ls-files", name) for name in allowed)


def test_the_ci_entry_can_be_run_and_ends_with_a_test_run() -> None:
    assert _git("ls-files", "-s", ".ci/run").startswith("100755")
    assert _read(".ci/run").rstrip().splitlines()[-1].endswith("make --no-print-directory test")
    assert re.search(r"^test: .*\n\t@\$\(BIN\)/python -m pytest [^\n]*\$\(ARGS\)\n\n", _read("Makefile"), re.MULTILINE)


def _is_met(line: str, locked: dict[str, str]) -> bool:
    """Compare by leading numbers, which is all that the declarations use."""
    name, _, bounds = re.split(r"(\[[^]]*\]|(?=[<>=]))", line, maxsplit=1)
    have = locked.get(name.lower())
    if have is None:
        return False
    compare = {
        ">=": _numbers(have).__ge__,
        "<": _numbers(have).__lt__,
        "==": _numbers(have).__eq__,
    }
    return all(compare[sign](_numbers(version)) for sign, version in re.findall(r"(>=|==|<)([\d.]+)", bounds))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _read(name: str) -> str:
    return ROOT.joinpath(name).read_text()


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout
