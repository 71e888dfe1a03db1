from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from telephony_agent.cli.models import app
from telephony_agent.errors import ModelLoadError


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two directories with weights, named by the settings."""
    stt, llm = tmp_path / "stt", tmp_path / "llm"
    for folder, weights in ((stt, "model.bin"), (llm, "model.safetensors")):
        folder.mkdir()
        (folder / weights).write_bytes(bytes(2_500_000))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("AGENT_MODELS", "pocket")
    monkeypatch.setenv("AGENT_STT_MODEL", str(stt))
    monkeypatch.setenv("AGENT_LLM_MODEL", str(llm))
    return stt, llm


@pytest.mark.torch
def test_the_list_marks_what_the_settings_name_and_says_what_is_here(models: tuple[Path, Path]) -> None:
    shown = CliRunner().invoke(app, ["list"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    marked = [line for line in shown.output.splitlines() if line.startswith("│ *")]
    assert [str(folder) in line for folder, line in zip(models, marked, strict=True)] == [True, True]
    assert all("2.5 MB" in line for line in marked)
    assert "base.en" in shown.output
    assert "Qwen/Qwen2.5-0.5B-Instruct" in shown.output


@pytest.mark.torch
def test_pulling_what_is_here_fetches_nothing(models: tuple[Path, Path]) -> None:
    pulled = CliRunner().invoke(app, ["pull"])
    assert pulled.exit_code == 0
    assert pulled.output.count("is here, 2.5 MB") == 2


def test_pulling_what_cannot_be_fetched_is_an_error(
    models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_STT_MODEL", str(tmp_path / "nowhere"))
    with pytest.raises(ModelLoadError, match="AGENT_STT_MODEL"):
        CliRunner().invoke(app, ["pull"], catch_exceptions=False)
