"""The suite's command line: what it refuses before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_simulate import run


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--suite", "manners"), "'manners' is not"),
        (("--suite", "turn-taking", "--repeat", "0"), "--repeat"),
        (("--suite", "turn-taking", "--url", "http://127.0.0.1:1"), "--auth-token"),
    ],
)
def test_a_wrong_order_is_a_usage_error(arguments: tuple[str, ...], complaint: str) -> None:
    code, _, stderr = run(*arguments)
    assert code == 2
    assert complaint in stderr


def test_a_report_goes_into_a_folder_that_is_there(tmp_path: Path) -> None:
    code, _, stderr = run("--suite", "turn-taking", "--report", str(tmp_path / "gone" / "report.html"))
    assert code == 2
    assert "there is no folder" in stderr
