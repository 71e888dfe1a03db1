"""Our own voice coming back, and the caller's over it."""

from __future__ import annotations

import numpy as np
import pytest

from telephony_agent.audio import decode_mulaw, encode_mulaw, level_dbov
from telephony_agent.core.echo import EchoJudge, EchoState


def talk(seconds: float, seed: int, level: float = -23.0) -> bytes:
    """Speech-like noise in mu-law: syllables of random strength and length, with pauses."""
    rng = np.random.default_rng(seed)
    parts = []
    while sum(map(len, parts)) < seconds * 8000:
        syllable = int(rng.uniform(0.08, 0.25) * 8000)
        pause = int(rng.uniform(0.02, 0.18) * 8000)
        strength = 10 ** (rng.uniform(-12, 3) / 20)
        parts += [rng.normal(0, 1, syllable) * np.hanning(syllable) * strength, np.zeros(pause)]
    signal = np.concatenate(parts)[: int(seconds * 8000)]
    signal *= 32768 * 10 ** (level / 20) / np.sqrt((signal**2).mean())
    return encode_mulaw(np.clip(signal, -32000, 32000).astype("<i2").tobytes())


def line(ours: bytes, theirs: bytes, *, gain_db: float | None, delay_ms: int) -> list[bool]:
    """Play ours, let it come back over theirs; return which frames are judged to be echo, where the line is loud."""
    judge = EchoJudge()
    out = np.frombuffer(decode_mulaw(ours), "<i2").astype(float)
    back = np.zeros(len(out))
    if gain_db is not None:
        delay = delay_ms * 8
        back[delay:] = out[: len(out) - delay] * 10 ** (gain_db / 20)
    mine = np.frombuffer(decode_mulaw(theirs), "<i2").astype(float)
    back[: len(mine)] += mine
    judged = []
    for i in range(len(out) // 160):
        now = 50.0 + i * 0.02
        judge.sent(ours[i * 160 : (i + 1) * 160], now)
        level = level_dbov(np.clip(back[i * 160 : (i + 1) * 160], -32768, 32767).astype("<i2").tobytes())
        echo = judge.is_echo(level, now)
        if level > -50:
            judged.append(echo)
    return judged


@pytest.mark.parametrize("gain_db", [-10.0, -15.0, -20.0, -30.0])
@pytest.mark.parametrize("delay_ms", [50, 150, 300])
def test_our_voice_coming_back_is_known_from_the_first_word_on(gain_db: float, delay_ms: int) -> None:
    judged = line(talk(6, seed=1), b"", gain_db=gain_db, delay_ms=delay_ms)
    assert sum(judged) / max(1, len(judged)) > 0.97


@pytest.mark.parametrize("gain_db", [None, -12.0, -20.0, -30.0])
def test_the_caller_over_our_voice_is_heard(gain_db: float | None) -> None:
    silence = b"\xff" * 8000 * 4
    judged = line(talk(6, seed=2), silence + talk(1.5, seed=3), gain_db=gain_db, delay_ms=150)
    alone = line(talk(6, seed=2), silence, gain_db=gain_db, delay_ms=150)
    spoken = sum(not echo for echo in judged) - sum(not echo for echo in alone)
    assert spoken > 30, "at least 0.6 s of 1.5 s must count as the caller's"


def test_a_line_without_echo_is_known_as_such() -> None:
    judge = EchoJudge()
    ours = talk(4, seed=4)
    for i in range(len(ours) // 160):
        judge.sent(ours[i * 160 : (i + 1) * 160], i * 0.02)
        judge.is_echo(-65.0 + (i % 7) / 10, i * 0.02)
    assert judge.state is EchoState.NO_ECHO


def test_a_known_echo_is_not_forgotten_because_the_caller_spoke_over_it() -> None:
    silence = b"\xff" * 8000 * 3
    ours = talk(10, seed=6)
    judged = line(ours, silence + talk(2, seed=7) + b"\xff" * 8000 * 5, gain_db=-12.0, delay_ms=180)
    assert sum(judged[-100:]) >= 98


def test_while_we_are_silent_nothing_is_an_echo() -> None:
    judge = EchoJudge()
    assert not judge.is_echo(-20.0, 3.0)
    judge.sent(talk(1, seed=5), 3.0)
    judge.cleared(3.1)
    assert not judge.is_echo(-20.0, 5.0)


def test_half_a_second_of_our_voice_on_a_clean_line_is_enough_to_hear_the_caller() -> None:
    quiet = b"\xff" * 8 * 700
    judged = line(talk(3, seed=4), quiet + talk(1.5, seed=5, level=-26.0), gain_db=None, delay_ms=0)
    assert sum(judged) / len(judged) < 0.03
