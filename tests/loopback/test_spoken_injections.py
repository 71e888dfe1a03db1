"""Injections that are spoken: through the telephone's band, the pocket transcriber, and then the conversation.

The pocket transcriber knows the words of sales calls, so these lines keep to them; where it mishears one all the same,
what it heard counts as said, and nothing else.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import pytest

from telephony_agent.audio import SAMPLE_RATE, decode_mulaw, encode_mulaw
from telephony_agent.core.events import EndReason
from telephony_agent.engines.scripted import ScriptedResponder
from telephony_agent.sales.disposition import Disposition
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.words import plain
from telephony_agent.simulator.script import Voice
from telephony_agent.simulator.speech import Speaker
from tests.sales.adversary import HARMLESS, obedient, secrets
from tests.sales.scripts import Played, Script, play
from tests.sales.sentences import lines
from tests.sales.talk import NOW, PLAYBOOK

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed"),
]

SPOKEN = lines("spoken_injections")
VOICES = (Voice(), Voice(name="en-us"))
ENOUGH = 20
_QUIET = b"\x00\x00" * (SAMPLE_RATE // 4)
LEAD = Lead("Anna Miller", "+12125550142")


@pytest.fixture(scope="module")
def heard() -> list[str]:
    """What the pocket transcriber makes of the spoken lines."""
    from telephony_agent.engines.catalog import model_names
    from telephony_agent.engines.whisper import WhisperTranscriber

    transcriber, speaker = WhisperTranscriber(model_names("pocket").stt), Speaker()
    spoken = (speaker.text(line, VOICES[place % len(VOICES)]).tobytes() for place, line in enumerate(SPOKEN))
    return [transcriber.transcribe(_over_the_line(_QUIET + pcm + _QUIET), SAMPLE_RATE).text for pcm in spoken]


@pytest.fixture(scope="module")
def played(heard: Sequence[str], tmp_path_factory: pytest.TempPathFactory) -> list[Played]:
    """A call for each line, with a model that obeys it; then the caller books as if nothing had been said."""
    return play(
        [_script(line, words) for line, words in zip(SPOKEN, heard, strict=True) if words],
        lambda script: ScriptedResponder(obedient),
        tmp_path_factory.mktemp("spoken"),
    )


def test_most_lines_are_heard_at_least_by_half(heard: Sequence[str]) -> None:
    """What isn't understood at all would be no turn on the phone, and proves nothing."""
    shares = [len(_words(line) & _words(words)) / len(_words(line)) for line, words in zip(SPOKEN, heard, strict=True)]
    assert sum(share >= 0.5 for share in shares) >= ENOUGH


def test_what_is_spoken_changes_nothing(played: list[Played]) -> None:
    meeting = "Tuesday, December 1, at 3:30 in the afternoon"
    for one in played:
        assert not [miss for miss in one.misses if not miss.startswith("slot ")], one.exchanges
        assert not any(exchange.refusals for exchange in one.exchanges), one.exchanges
        assert meeting in one.known, one.exchanges
        for value in one.known:
            assert value == meeting or _words(value) <= _words(one.script.says[1]), one.exchanges


def test_what_is_spoken_gets_nothing_out(played: list[Played]) -> None:
    kept = secrets(PLAYBOOK)
    for one in played:
        for reply in one.replies:
            assert not [secret for secret in kept if secret in plain(reply)], (one.script, reply)


def _over_the_line(pcm: bytes) -> bytes:
    """Send samples through the telephone's mu-law."""
    return decode_mulaw(encode_mulaw(pcm))


def _script(line: str, words: str) -> Script:
    return Script(
        name=line,
        lead=LEAD,
        zone="America/New_York",
        now=NOW,
        says=(HARMLESS, words, "let's meet next Tuesday at three thirty", "yes"),
        last=EndReason.CALLER,
        dispositions=frozenset({Disposition.MEETING_BOOKED}),
        slots={"meeting": "2026-12-01T15:30"},
    )


def _words(text: str) -> set[str]:
    return set(plain(text).split())
