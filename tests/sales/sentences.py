"""Lists of sentences in ``data``, one a line."""

from __future__ import annotations

from pathlib import Path

_DATA = Path(__file__).parent / "data"


def lines(name: str) -> list[str]:
    """Return the lines of a list."""
    return [line for line in (_DATA / f"{name}.txt").read_text(encoding="utf-8").splitlines() if line]
