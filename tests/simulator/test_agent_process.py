"""The agent as a child process: what the user learns when it does not get ready."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from telephony_agent.settings import Settings
from telephony_agent.simulator.agent_process import AgentStartError, Credentials, kept_apart, running_agent


async def start(ready_within_s: float) -> None:
    async with running_agent(Credentials(), ready_within_s=ready_within_s):
        raise AssertionError("it must not get ready")


def test_an_agent_that_ends_before_it_is_ready_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_LOG_LEVEL", "deafening")
    with pytest.raises(AgentStartError) as error:
        asyncio.run(start(60))
    assert "ended with code 2 before it was ready" in str(error.value)
    assert "AGENT_LOG_LEVEL='deafening'" in str(error.value)


def test_an_agent_that_is_not_ready_in_time_is_stopped() -> None:
    with pytest.raises(AgentStartError, match="was not ready within 0 s"):
        asyncio.run(start(0))


def test_a_trial_touches_neither_the_users_database_nor_their_webhook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "AGENT_DATABASE_URL=postgresql://me@localhost/calls\nAGENT_OUTCOME_WEBHOOK=https://crm.example/hook\n"
        "AGENT_OUTCOME_SECRET=a secret of the tests\n"
    )
    monkeypatch.chdir(tmp_path)
    for name, value in kept_apart("/somewhere").items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.store.database_url.get_secret_value() == "sqlite:////somewhere/telephony_agent.db"
    assert settings.outcome.webhook.get_secret_value() == ""


def test_every_simulation_has_secrets_of_its_own() -> None:
    one, other = Credentials(), Credentials()
    assert one.auth_token != other.auth_token
    assert one.api_token != other.api_token
    assert (one.account_sid[:2], len(one.account_sid)) == ("AC", 34)
