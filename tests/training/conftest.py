"""Fixtures of the training tests."""

from pathlib import Path

import pytest

from tests.training.small import write_squares


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a data set of 8 + 4 small pictures; tests must not change it."""
    return write_squares(tmp_path_factory.mktemp("squares"))
