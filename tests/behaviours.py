"""The marker that ties a test to the behaviour it proves."""

import pytest

behaviour = pytest.mark.behaviour
