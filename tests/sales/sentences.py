"""Lists of sentences in ``data``, one a line."""

from __future__ import annotations

from pathlib import Path

import yaml

_DATA = Path(__file__).parent / "data"


def lines(name: str) -> list[str]:
    """Return the lines of a list."""
    return [line for line in (_DATA / f"{name}.txt").read_text(encoding="utf-8").splitlines() if line]


def wordings(name: str = "opt_out_wordings") -> dict[str, list[str]]:
    """Return the opt-outs as callers word them, and what only sounds like one, in their order of writing."""
    found: dict[str, list[str]] = yaml.safe_load((_DATA / f"{name}.yaml").read_text(encoding="utf-8"))
    return found
