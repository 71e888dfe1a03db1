"""Settings: defaults, and errors that name the variable, its value and what is allowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from telephony_agent.cli.setting_names import misspelt, names_given
from telephony_agent.errors import SettingError
from telephony_agent.settings import LogLevel, ModelSet, Settings, VadKind


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the developer's own environment and .env."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("AGENT_", "TWILIO_")):
            monkeypatch.delenv(name)


def test_defaults_are_safe() -> None:
    settings = Settings()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert settings.model.models is ModelSet.STANDARD
    assert settings.model.vad is VadKind.BOTH
    assert not settings.server.allow_unsigned
    assert not settings.log.log_transcripts


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("AGENT_PORT", "abc", "a number from 0 to 65535"),
        ("AGENT_PORT", "70000", "a number from 0 to 65535"),
        ("AGENT_VAD", "loud", "webrtc, silero"),
        ("AGENT_MODELS", "big", "pocket, standard"),
        ("AGENT_LOG_JSON", "maybe", "true or false"),
        ("AGENT_LOG_LEVEL", "chatty", "DEBUG, INFO, WARNING, ERROR"),
        ("AGENT_PUBLIC_URL", "http://agent.example", "https://"),
        ("AGENT_PUBLIC_URL", "agent.example", "https://"),
        ("AGENT_TRANSFER_NUMBER", "555", "E.164"),
        ("AGENT_STT_WINDOW", "7", "auto, 30"),
        ("AGENT_KEEP_CALLS_DAYS", "0", "a number from 1 to 36500"),
        ("AGENT_COUNTRIES", "USA", "two letters"),
        ("AGENT_CONSENTS", "none", "written, express, inquiry, customer"),
        ("AGENT_RING_TIMEOUT_S", "5", "a number from 15 to 120"),
        ("AGENT_AMD", "loud", "both, async, listen, off"),
    ],
)
def test_a_wrong_value_names_the_variable_the_value_and_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(SettingError) as wrong:
        Settings(**{name: value})
    message = str(wrong.value)
    assert message.startswith(f"{name}={value!r}: ")
    assert allowed in message
    assert "\n" not in message


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(TWILIO_AUTH_TOKEN="sesame-1, sesame-2")
    assert settings.twilio.auth_tokens == ("sesame-1", "sesame-2")
    assert "sesame" not in repr(settings.twilio)


def test_the_signature_check_can_only_be_switched_off_on_loopback() -> None:
    assert Settings(AGENT_ALLOW_UNSIGNED="true").server.allow_unsigned
    with pytest.raises(SettingError, match=r"AGENT_ALLOW_UNSIGNED=true is refused while AGENT_HOST='0\.0\.0\.0'"):
        Settings(AGENT_ALLOW_UNSIGNED="true", AGENT_HOST="0.0.0.0")


def test_a_dotenv_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("AGENT_PORT=9001\nAGENT_LOG_LEVEL=debug\nAGENT_STT_MODEL=\n")
    assert Settings().server.port == 9001
    assert Settings().log.log_level is LogLevel.DEBUG
    monkeypatch.setenv("AGENT_PORT", "9002")
    assert Settings().server.port == 9002


@pytest.mark.parametrize("url", ["http://crm.example/hook", "crm.example", "ftp://127.0.0.1/hook", "https:///hook"])
def test_outcomes_go_only_where_nobody_reads_along(url: str) -> None:
    with pytest.raises(SettingError, match=r"AGENT_OUTCOME_WEBHOOK=\(secret\): allowed: an https:// address"):
        Settings(AGENT_OUTCOME_WEBHOOK=url, AGENT_OUTCOME_SECRET="a secret of the tests")


def test_outcomes_are_not_sent_unsigned() -> None:
    with pytest.raises(
        SettingError, match=r"AGENT_OUTCOME_SECRET=\(secret\): allowed: at least 16 characters"
    ) as wrong:
        Settings(AGENT_OUTCOME_WEBHOOK="https://crm.example/hook?key=sesame", AGENT_OUTCOME_SECRET="sesame")
    assert "sesame" not in str(wrong.value)
    Settings(AGENT_OUTCOME_WEBHOOK="http://127.0.0.1:9000/hook", AGENT_OUTCOME_SECRET="a secret of the tests")


def test_calling_hours_must_open_before_they_close() -> None:
    with pytest.raises(SettingError, match="AGENT_CALL_CLOSES=8: allowed: an hour after AGENT_CALL_OPENS=9"):
        Settings(AGENT_CALL_OPENS="9", AGENT_CALL_CLOSES="8")


def test_lists_of_whom_to_call_are_read_in_any_spelling() -> None:
    dial = Settings(AGENT_COUNTRIES="us, ca,", AGENT_CONSENTS="Written,CUSTOMER").dial
    assert dial.allowed_countries == ("US", "CA")
    assert dial.allowed_consents == ("written", "customer")


def test_a_name_that_is_nearly_a_setting_is_told_with_the_one_that_was_meant() -> None:
    given = ["AGENT_PROT", "AGENT_PORT", "AGENT_WHATEVER_ELSE", "AGENT_TEST_SOAK", "TWILIO_X", "PATH"]
    assert misspelt(given) == [
        "AGENT_PROT is not a setting; did you mean AGENT_PORT?",
        "AGENT_WHATEVER_ELSE is not a setting, and does nothing",
    ]


def test_names_are_those_of_the_environment_and_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_PROT", "1")
    (tmp_path / ".env").write_text("agent_hots=x\n# AGENT_NONE=1\n")
    names = names_given(tmp_path / ".env")
    assert {"AGENT_PROT", "AGENT_HOTS"} <= names
    assert "AGENT_NONE" not in names
    assert "AGENT_HOTS" not in names_given(tmp_path / "none")


def test_every_variable_of_the_example_is_a_setting() -> None:
    example = Path(__file__).parent.parent / ".env.example"
    names = [line.lstrip("# ").partition("=")[0] for line in example.read_text().splitlines() if "=" in line]
    assert misspelt(name for name in names if name.isupper()) == []
