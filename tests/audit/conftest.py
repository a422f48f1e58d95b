"""Fixtures of the audit's tests."""

from __future__ import annotations

import pytest
from arm_files import Toolbox


@pytest.fixture(scope="session")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Toolbox:
    """Makes ARM files."""
    return Toolbox(tmp_path_factory.mktemp("arm"))
