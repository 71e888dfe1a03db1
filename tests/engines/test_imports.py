from __future__ import annotations

import subprocess
import sys

import pytest

MODULES = (
    "base",
    "catalog",
    "espeak_driver",
    "pyttsx3_speech",
    "qwen",
    "scripted",
    "silero_voice",
    "speech_worker",
    "webrtc_voice",
    "whisper",
)
HEAVY = ("torch", "transformers", "faster_whisper", "ctranslate2", "onnxruntime", "huggingface_hub", "pyttsx3")


@pytest.mark.parametrize("module", MODULES)
def test_importing_an_engine_loads_nothing_heavy(module: str) -> None:
    program = (
        f"import sys\nimport telephony_agent.engines.{module}\nprint(*sorted(set(sys.modules) & set({HEAVY!r})))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
