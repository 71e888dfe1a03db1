"""Where utterances begin and end."""

from __future__ import annotations

from telephony_agent.core.endpointing import (
    Ended,
    Endpointer,
    EndpointingRules,
    MaybeEnded,
    Signal,
    SpeechResumed,
    SpeechStarted,
)
from telephony_agent.core.frame_clock import Frame


def hear(endpointer: Endpointer, pattern: str, start_ms: int = 0) -> list[Signal]:
    """Feed one frame a character: ``#`` is speech, anything else silence."""
    signals: list[Signal] = []
    for i, flag in enumerate(pattern):
        mulaw = (b"\x10" if flag == "#" else b"\xff") * 160
        signals += endpointer.hear(Frame(start_ms + i * 20, mulaw), speech=flag == "#")
    return signals


def test_speech_starts_once_it_lasted_and_is_dated_back_to_its_onset() -> None:
    assert hear(Endpointer(EndpointingRules(start_ms=80)), "....####") == [SpeechStarted(80)]


def test_single_flags_do_not_start_speech() -> None:
    assert hear(Endpointer(EndpointingRules(start_ms=80)), "#...." * 20) == []


def test_an_utterance_may_end_then_ends() -> None:
    rules = EndpointingRules(maybe_end_ms=200, hangover_ms=400)
    signals = hear(Endpointer(rules), "#" * 20 + "." * 30)
    assert [type(signal) for signal in signals] == [SpeechStarted, MaybeEnded, Ended]
    assert signals[2] == Ended(0, 400)


def test_speech_that_resumes_goes_on_with_the_same_utterance() -> None:
    rules = EndpointingRules(maybe_end_ms=200, hangover_ms=400)
    signals = hear(Endpointer(rules), "#" * 20 + "." * 12 + "#" * 20 + "." * 30)
    assert [type(s) for s in signals] == [SpeechStarted, MaybeEnded, SpeechResumed, MaybeEnded, Ended]
    last = signals[3]
    assert isinstance(last, MaybeEnded)
    assert last.audio.count(b"\x10") == 40 * 160


def test_the_preroll_belongs_to_the_utterance() -> None:
    rules = EndpointingRules(preroll_ms=200, maybe_end_ms=200)
    signals = hear(Endpointer(rules), "." * 50 + "#" * 10 + "." * 10)
    maybe = signals[1]
    assert isinstance(maybe, MaybeEnded)
    assert len(maybe.audio) == (10 + 10 + 10) * 160
    assert maybe.audio.startswith(b"\xff" * 10 * 160 + b"\x10")


def test_an_endless_utterance_is_ended_at_its_limit() -> None:
    rules = EndpointingRules(max_utterance_ms=1000)
    signals = hear(Endpointer(rules), "#" * 60)
    assert [type(signal) for signal in signals[:3]] == [SpeechStarted, MaybeEnded, Ended]


def test_two_utterances_do_not_share_audio() -> None:
    rules = EndpointingRules(maybe_end_ms=200, hangover_ms=300, preroll_ms=100)
    endpointer = Endpointer(rules)
    hear(endpointer, "#" * 10 + "." * 20)
    second = hear(endpointer, "." * 30 + "#" * 5 + "." * 20, start_ms=600)
    maybe = second[1]
    assert isinstance(maybe, MaybeEnded)
    assert maybe.audio.count(b"\x10") == 5 * 160
