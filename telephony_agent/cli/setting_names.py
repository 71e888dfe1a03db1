"""The names of all settings, and variables whose names are nearly such a one: what ``settings`` itself passes over."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic_settings import BaseSettings

from telephony_agent import settings as sections

_PREFIX = "AGENT_"
_OF_TESTS = "AGENT_TEST_"
_LIKENESS = 0.7


def defaults() -> dict[str, Any]:
    """Return the default of every setting by its variable's name."""
    found: dict[str, Any] = {}
    for kind in vars(sections).values():
        if isinstance(kind, type) and issubclass(kind, BaseSettings):
            prefix = kind.model_config["env_prefix"]
            found |= {f"{prefix}{name}".upper(): field.default for name, field in kind.model_fields.items()}
    return found


def names_given(env_file: Path = Path(".env")) -> set[str]:
    """Return the names of all variables of the environment and of ``.env``."""
    in_file = dotenv_values(env_file) if env_file.is_file() else {}
    return {name.upper() for name in (*os.environ, *in_file)}


def misspelt(names: Iterable[str]) -> list[str]:
    """Return a sentence for each name that looks like a setting and is none; those of the tests are left out."""
    known = defaults()
    ours = [name.removeprefix(_PREFIX) for name in known if name.startswith(_PREFIX)]
    found = sorted(name for name in names if name.startswith(_PREFIX) and not name.startswith(_OF_TESTS))
    return [_sentence(name, ours) for name in found if name not in known]


def _sentence(name: str, ours: Iterable[str]) -> str:
    near = get_close_matches(name.removeprefix(_PREFIX), ours, 1, _LIKENESS)
    return f"{name} is not a setting{f'; did you mean {_PREFIX}{near[0]}?' if near else ', and does nothing'}"
