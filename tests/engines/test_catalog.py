from __future__ import annotations

from pathlib import Path

import pytest

from telephony_agent.engines.catalog import Role, find, is_present, model_names, pull
from telephony_agent.errors import ModelLoadError


def test_the_pocket_set_is_in_the_package() -> None:
    names = model_names("pocket")
    assert Path(names.stt).parts[-3:] == ("telephony_agent", "pocket", "whisper")
    assert Path(names.llm).parts[-3:] == ("telephony_agent", "pocket", "qwen")


def test_the_standard_set_is_on_the_hub() -> None:
    names = model_names("standard")
    assert (names.stt, names.llm) == ("base.en", "Qwen/Qwen2.5-0.5B-Instruct")


def test_a_named_model_overrides_the_set() -> None:
    names = model_names("pocket", stt_model="small.en", llm_model="mine")
    assert (names.stt, names.llm) == ("small.en", "mine")


@pytest.mark.parametrize("weights", ["model.bin", "model.safetensors"])
def test_a_directory_with_weights_is_present(tmp_path: Path, weights: str) -> None:
    assert not is_present(Role.STT, str(tmp_path))
    (tmp_path / weights).touch()
    assert find(Role.STT, str(tmp_path)) == tmp_path
    assert pull(Role.STT, str(tmp_path)) == tmp_path


def test_a_directory_without_weights_cannot_be_fetched(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"AGENT_LLM_MODEL='.*no weights in this directory"):
        pull(Role.LLM, str(tmp_path))
    with pytest.raises(ModelLoadError, match="no weights in this directory"):
        pull(Role.LLM, str(tmp_path / "nowhere"))


@pytest.mark.torch
@pytest.mark.parametrize(
    ("role", "name"),
    [(Role.STT, "nobody/no-such-model"), (Role.STT, "no-such-size"), (Role.LLM, "nobody/no-such-model")],
)
def test_a_model_that_the_hub_does_not_give_is_named(role: Role, name: str) -> None:
    assert not is_present(role, name)
    with pytest.raises(ModelLoadError, match=f"{role.value}='{name}' can't be fetched"):
        pull(role, name)
