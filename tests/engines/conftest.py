from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from .tiny_models import make_qwen, make_whisper


@pytest.fixture(scope="session", autouse=True)
def _no_hub() -> Iterator[None]:
    """Keep the tests off the network: what isn't here must fail at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        if importlib.util.find_spec("huggingface_hub"):
            patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_whisper(tmp_path_factory.mktemp("tiny-whisper"))


@pytest.fixture(scope="session")
def short_whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows windows of at most 4 s, and says so."""
    model = make_whisper(tmp_path_factory.mktemp("short-whisper"), positions=200)
    (model / "telephony_agent.json").write_text('{"window_s": [1, 4], "pad_s": 0.5}')
    return model


@pytest.fixture(scope="session", params=["qwen2", "qwen3"])
def tiny_qwen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_qwen(tmp_path_factory.mktemp(request.param), family=request.param)
