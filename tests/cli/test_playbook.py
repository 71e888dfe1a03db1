"""``telephony-agent playbook check``."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from telephony_agent.cli.build import load_playbook
from telephony_agent.cli.main import app
from telephony_agent.errors import PlaybookError
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.playbooks import DEFAULT, shipped_playbooks, shipped_text
from telephony_agent.settings import CallSettings

SHIPPED = shipped_text(DEFAULT)


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["playbook", *arguments], env={"COLUMNS": "200"}, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def check(folder: Path, text: str) -> str:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return shown("check", str(file))


def test_a_good_playbook_is_shown_as_the_model_and_the_caller_get_it(tmp_path: Path) -> None:
    output = check(tmp_path, SHIPPED)
    playbook = Playbook.parse(SHIPPED)
    assert playbook.system_prompt() in output
    for words in (playbook.greeting, *playbook.reprompts, playbook.fault_goodbye):
        assert words in output
    assert "This is Ava, the AI assistant of Bluefinch. Do you have a minute?" in output
    places = [output.index(f"│ {slot}") for slot in ("team size", "need", "budget", "authority", "timing")]
    assert places == sorted(places)


def test_a_shipped_playbook_is_checked_by_its_name() -> None:
    output = shown("check", "reception")
    for words in (
        "May I have your name?",
        "urgent (optional)",
        "transfer, take_message",
        "end_call",
        "delete my details",
    ):
        assert words in output


def test_the_shipped_playbooks_are_listed() -> None:
    output = shown("list")
    assert all(name in output for name in shipped_playbooks())


def test_the_setting_takes_a_shipped_playbook_by_its_name() -> None:
    assert load_playbook(CallSettings(playbook=Path("appointment-reminder"))).company == "Greenfield Dental"
    assert load_playbook(CallSettings()).company == "Bluefinch"
    with pytest.raises(PlaybookError, match=r"AGENT_PLAYBOOK='bakery': can't be read.*write a file, or one of default"):
        load_playbook(CallSettings(playbook=Path("bakery")))


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
