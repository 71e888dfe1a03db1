from __future__ import annotations

import threading
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from telephony_agent.engines.whisper import WhisperTranscriber, prompt_names
from telephony_agent.errors import ModelLoadError

from .sounds import at_level, pcm, speech, with_noise

pytestmark = pytest.mark.torch


class WindowRecorder:
    """Stands before CTranslate2's model and notes how many mel frames it is shown."""

    def __init__(self, transcriber: WhisperTranscriber) -> None:
        self._inner: Any = transcriber._model
        self.frames: list[int] = []
        transcriber._model = self

    def generate(self, features: Any, prompts: list[list[int]], **options: Any) -> Any:
        self.frames.append(features.shape[2])
        return self._inner.generate(features, prompts, **options)


def line_noise(seconds: float) -> bytes:
    return pcm(np.random.default_rng(0).standard_normal(int(8000 * seconds)) * 2000)


def test_a_silent_utterance_is_rejected_before_anything_is_decoded(tiny_whisper: Path) -> None:
    transcriber = WhisperTranscriber(str(tiny_whisper))
    recorder = WindowRecorder(transcriber)
    assert transcriber.transcribe(bytes(16_000), 8000).rejected == "energy"
    assert transcriber.transcribe(b"", 8000).rejected == "energy"
    assert recorder.frames == []


def test_the_window_follows_the_utterance_and_a_rejected_one_is_tried_once_more_at_thirty_seconds(
    tiny_whisper: Path,
) -> None:
    transcriber = WhisperTranscriber(str(tiny_whisper))
    recorder = WindowRecorder(transcriber)
    transcript = transcriber.transcribe(line_noise(2.0), 8000)
    assert recorder.frames == [500, 3000]
    assert transcript.rejected in {"logprob", "repetition"}
    assert transcript.text == ""
    assert transcript.raw_text
    assert transcript.avg_logprob < -1.0


def test_a_fixed_window_is_always_thirty_seconds(tiny_whisper: Path) -> None:
    transcriber = WhisperTranscriber(str(tiny_whisper), window=30)
    recorder = WindowRecorder(transcriber)
    transcriber.transcribe(line_noise(2.0), 8000)
    assert recorder.frames == [3000]


def test_a_model_with_short_windows_gets_a_long_utterance_in_pieces(short_whisper: Path) -> None:
    transcriber = WhisperTranscriber(str(short_whisper))
    recorder = WindowRecorder(transcriber)
    transcriber.transcribe(line_noise(9.0), 8000)
    assert len(recorder.frames) >= 3
    assert max(recorder.frames) <= 400


def test_the_same_audio_gives_the_same_text_from_several_threads(tiny_whisper: Path) -> None:
    transcriber = WhisperTranscriber(str(tiny_whisper), workers=2)
    transcriber.warm()
    utterances = [line_noise(seconds) for seconds in (0.5, 1.5, 4.0, 8.0)]
    alone = [transcriber.transcribe(utterance, 8000) for utterance in utterances]
    together: dict[int, Any] = {}

    def transcribe(index: int) -> None:
        together[index] = transcriber.transcribe(utterances[index], 8000)

    threads = [threading.Thread(target=transcribe, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[index] for index in range(4)] == alone


def test_only_a_multilingual_checkpoint_is_told_the_language() -> None:
    assert prompt_names(multilingual=False) == ("<|startoftranscript|>", "<|notimestamps|>")
    assert prompt_names(multilingual=True)[1:3] == ("<|en|>", "<|transcribe|>")


@pytest.mark.parametrize("model", ["no-such-size", "nobody/no-such-model"])
def test_a_model_that_is_not_here_is_named_with_the_setting_and_the_fix(model: str) -> None:
    with pytest.raises(ModelLoadError, match=rf"AGENT_STT_MODEL='{model}'.*models pull.*AGENT_MODELS=pocket"):
        WhisperTranscriber(model)


def test_a_directory_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="AGENT_STT_MODEL="):
        WhisperTranscriber(str(tmp_path))


def test_a_broken_note_beside_the_model_is_named(tiny_whisper: Path, tmp_path: Path) -> None:
    for file in tiny_whisper.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "telephony_agent.json").write_text('{"window_s": 10}')
    with pytest.raises(ModelLoadError, match=r"telephony_agent\.json must say window_s"):
        WhisperTranscriber(str(tmp_path))


@pytest.fixture(scope="module")
def pocket() -> WhisperTranscriber:
    folder = Path(str(resources.files("telephony_agent") / "pocket" / "whisper"))
    if not (folder / "model.bin").is_file():
        pytest.skip("pocket-whisper isn't trained yet")
    return WhisperTranscriber(str(folder))


@pytest.mark.parametrize("text", ["how much does it cost", "please stop calling me", "who is this"])
def test_pocket_whisper_understands_a_clear_sentence(pocket: WhisperTranscriber, text: str) -> None:
    assert pocket.transcribe(pcm(at_level(speech(text), -22.0)), 8000).text.lower() == text


def test_pocket_whisper_invents_nothing_on_noise(pocket: WhisperTranscriber) -> None:
    hiss = with_noise(np.zeros(16_000), -40.0)
    assert pocket.transcribe(pcm(hiss), 8000).text == ""
