"""``telephony-agent playbook check``."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner

from telephony_agent.cli.main import app
from telephony_agent.errors import PlaybookError
from telephony_agent.sales.playbook import Playbook

SHIPPED = (resources.files("telephony_agent.sales") / "default_playbook.yaml").read_text(encoding="utf-8")


def check(folder: Path, text: str) -> str:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["playbook", "check", str(file)], env={"COLUMNS": "200"}, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_good_playbook_is_shown_as_the_model_and_the_caller_get_it(tmp_path: Path) -> None:
    shown = check(tmp_path, SHIPPED)
    playbook = Playbook.parse(SHIPPED)
    assert playbook.system_prompt() in shown
    for words in (playbook.greeting, *playbook.reprompts, playbook.fault_goodbye):
        assert words in shown


def test_words_that_look_like_markup_are_shown_as_they_stand(tmp_path: Path) -> None:
    assert "One [bold]moment[/bold]," in check(
        tmp_path, SHIPPED.replace("apology: Sorry", "apology: One [bold]moment[/bold]")
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [(("company:", "firm:"), "company"), (("persona:", "[persona:"), "not valid YAML")],
)
def test_a_wrong_playbook_is_an_error_that_names_the_file_and_the_fix(
    tmp_path: Path, change: tuple[str, str], named: str
) -> None:
    with pytest.raises(PlaybookError, match=named) as wrong:
        check(tmp_path, SHIPPED.replace(*change))
    assert "mine.yaml" in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_playbook_that_is_not_there_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(PlaybookError, match=r"nowhere\.yaml.*can't be read"):
        CliRunner().invoke(app, ["playbook", "check", str(tmp_path / "nowhere.yaml")], catch_exceptions=False)
