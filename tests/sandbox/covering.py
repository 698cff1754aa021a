"""The marker that ties a test to what it shows of the sandbox; docs/sandbox/coverage.md has a row for each."""

import pytest

covers = pytest.mark.covers
