"""Settings that hold for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# A loaded machine is no fault of the code: no test asserts a wall-clock time, hypothesis's examples included.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# No test may reach a model hub.
os.environ["HF_HUB_OFFLINE"] = "1"
