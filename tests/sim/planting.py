"""A pytest plugin that plants one mutant: its module is compiled from the changed source when it is imported."""

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType

from sim.mutants import MUTANTS, Mutant


class Changed(importlib.machinery.SourceFileLoader):
    """Loads a module with one line changed, and from nowhere else."""

    def __init__(self, mutant: Mutant) -> None:
        super().__init__(mutant.module, str(mutant.path))
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        source = self._mutant.path.read_text()
        assert source.count(self._mutant.right) == 1, f"{self._mutant.name}: the right line is not there once"
        changed = source.replace(self._mutant.right, self._mutant.wrong)
        return compile(changed, str(self._mutant.path), "exec", dont_inherit=True)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the one module that is to be changed."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._mutant.module:
            return None
        return importlib.machinery.ModuleSpec(fullname, Changed(self._mutant), origin=str(self._mutant.path))


def plant(name: str) -> None:
    """Plant a mutant for the rest of this process."""
    mutant = next(each for each in MUTANTS if each.name == name)
    assert mutant.module not in sys.modules, f"{mutant.module} was imported before the mutant could be planted"
    sys.meta_path.insert(0, Finder(mutant))


if os.environ.get("COUNTERFOIL_MUTANT"):
    plant(os.environ["COUNTERFOIL_MUTANT"])
