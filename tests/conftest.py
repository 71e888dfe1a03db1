"""Settings that hold for all tests, and the order of their files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A loaded machine is no fault of the code: no test asserts a wall-clock time, hypothesis's examples included.
settings.register_profile("unhurried", deadline=None)
# For the second run, under another Python (scripts/test).
settings.register_profile("brief", deadline=None, max_examples=25)
settings.load_profile("unhurried")

# No test may reach a model hub.
os.environ["HF_HUB_OFFLINE"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take long before the others: one that began last would keep a core waiting for the other."""
    dear: set[Path] = {item.path for item in items if any(item.iter_markers("long")) or any(item.iter_markers("torch"))}
    items.sort(key=lambda item: item.path not in dear)
