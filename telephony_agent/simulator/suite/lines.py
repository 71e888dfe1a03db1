"""Reads what the suite's callers say from ``lines.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

Pieces = tuple[str, ...]
"""One line in its parts, between which the caller pauses."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines by what they are for; ``lines.yaml`` says what each list is."""

    questions: tuple[str, ...]
    short: tuple[str, ...]
    ramble: tuple[str, ...]
    pausing: tuple[Pieces, ...]
    trailing: tuple[Pieces, ...]
    corrections: tuple[Pieces, ...]
    interruptions: tuple[str, ...]
    backchannels: tuple[str, ...]
    side_talk: tuple[str, ...]
    holds: tuple[str, ...]
    greetings: tuple[str, ...]
    voicemails: tuple[Pieces, ...]


def load_lines() -> Lines:
    """Read the lines that ship with the package."""
    text = (resources.files("telephony_agent.simulator.suite") / "lines.yaml").read_text(encoding="utf-8")
    lists: dict[str, list[Any]] = yaml.safe_load(text)
    return Lines(**{name: tuple(_line(item) for item in items) for name, items in lists.items()})


def _line(item: str | list[str]) -> Any:
    return item if isinstance(item, str) else tuple(item)
