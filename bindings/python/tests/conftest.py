"""What all tests share: one stage."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stage import Stage


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """A relay and a user of the Rust crate, for all tests, one after the other."""
    with Stage() as running:
        yield running
