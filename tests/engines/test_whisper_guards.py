from __future__ import annotations

import numpy as np
import pytest

from telephony_agent.engines.whisper_guards import Decoded, is_repetitive, is_too_quiet, rejection, token_cap

from .sounds import at_level, pcm, speech


def decoded(text: str = "hello", *, no_speech: float = 0.0, logprob: float = -0.2, capped: bool = False) -> Decoded:
    return Decoded(text, no_speech, logprob, capped)


def test_a_sure_decoding_passes() -> None:
    assert rejection(decoded()) == ""


def test_doubt_in_speech_counts_only_with_doubt_in_the_words() -> None:
    assert rejection(decoded(no_speech=0.9)) == ""
    assert rejection(decoded(no_speech=0.9, logprob=-0.7)) == "no_speech"
    assert rejection(decoded(logprob=-0.7)) == ""


def test_unsure_words_are_rejected() -> None:
    assert rejection(decoded(logprob=-1.1)) == "logprob"


def test_words_without_an_end_are_rejected() -> None:
    assert rejection(decoded(capped=True)) == "repetition"


@pytest.mark.parametrize(
    "text",
    [
        "thank you " * 4,
        "no " * 7,
        "and then I said and then I said and then I said and then I said",
        "yes please do call me back on monday morning " * 5,
    ],
)
def test_circles_are_repetition(text: str) -> None:
    assert rejection(decoded(text)) == "repetition"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no no no no",
        "my number is five five five seven seven seven seven",
        "yes yes yes I know I know",
        "could you tell me what it costs and how long the contract runs because I have to ask my boss about it",
    ],
)
def test_what_people_say_is_no_repetition(text: str) -> None:
    assert not is_repetitive(text)


def test_the_cap_grows_with_the_time_and_stays_within_the_text_window() -> None:
    assert token_cap(0.5) == 20
    assert token_cap(3.0) == 60
    assert token_cap(30.0) == 224


def test_quiet_is_judged_by_the_loudest_moment() -> None:
    silence = np.zeros(8000)
    assert is_too_quiet(b"", 8000)
    assert is_too_quiet(pcm(silence), 8000)
    assert is_too_quiet(pcm(at_level(speech("Hello."), -62.0)), 8000)
    assert not is_too_quiet(pcm(np.concatenate([silence, at_level(speech("Yes."), -40.0), silence])), 8000)
