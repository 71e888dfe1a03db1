"""What the tests of the sales rules share: the shipped phrases and playbook, lists of sentences, a moment in time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources

import pytest

from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.sales_phrases import SalesPhrases


@pytest.fixture(scope="session")
def phrases() -> SalesPhrases:
    return SalesPhrases.shipped()


@pytest.fixture(scope="session")
def spanish() -> SalesPhrases:
    return SalesPhrases.shipped("es")


@pytest.fixture(scope="session")
def playbook() -> Playbook:
    text = resources.files("telephony_agent.sales").joinpath("default_playbook.yaml").read_text(encoding="utf-8")
    return Playbook.parse(text)


@pytest.fixture(scope="session")
def by_language(phrases: SalesPhrases, spanish: SalesPhrases) -> Mapping[str, SalesPhrases]:
    return {"en": phrases, "es": spanish}


@pytest.fixture(scope="session")
def now() -> datetime:
    """Return a Tuesday, ten in the morning in New York."""
    return datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
