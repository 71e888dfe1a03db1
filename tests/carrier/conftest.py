"""A line to a small Twilio for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.carrier.line import Line, opened


@pytest.fixture
def line() -> Iterator[Line]:
    with opened() as open_line:
        yield open_line
