"""Tells what was said from what Whisper invents: on noise and silence it writes fluent sentences that nobody spoke.

Each guard has a name, which a rejected :class:`~telephony_agent.engines.base.Transcript` carries:

==============  =======================================================================================
``energy``      there is nothing loud enough to be speech; checked before anything is decoded
``no_speech``   the model itself doubts that there was speech, and is not sure of its words either
``logprob``     the model is not sure of its words (the reference implementation's threshold)
``repetition``  the words go round in circles, or did not end within what can be said in the time
==============  =======================================================================================
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from telephony_agent.audio import level_dbov

_BLOCK_MS = 100
_QUIETEST_DBOV = -50.0
_NO_SPEECH = 0.6
_UNSURE_WITHOUT_SPEECH = -0.5
_UNSURE = -1.0
_WORD_REPEATS, _PHRASE_REPEATS, _LONGEST_PHRASE = 6, 4, 6
_COMPRESSIBLE_CHARACTERS = 60
_COMPRESSION = 2.4
_TOKENS_PER_S = 16
_TOKENS_AT_LEAST = 12
MOST_TOKENS = 224
"""Half of Whisper's text window, which is what CTranslate2 lets it write."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoding: its text, how sure the model was, and whether the token cap ended it."""

    text: str
    no_speech_prob: float
    avg_logprob: float
    capped: bool


def token_cap(utterance_s: float) -> int:
    """Return the most tokens that can be said in a time; beyond it the decoder is making them up."""
    return min(_TOKENS_AT_LEAST + int(utterance_s * _TOKENS_PER_S), MOST_TOKENS)


def is_too_quiet(pcm: bytes, sample_rate: int) -> bool:
    """Say whether no tenth of a second of this int16 PCM is loud enough to be speech."""
    block = 2 * sample_rate * _BLOCK_MS // 1000
    return all(level_dbov(pcm[start : start + block]) < _QUIETEST_DBOV for start in range(0, len(pcm), block))


def is_repetitive(text: str) -> bool:
    """Say whether a phrase comes many times in a row, or the text as a whole hardly says anything new."""
    words = text.lower().split()
    for size in range(1, _LONGEST_PHRASE + 1):
        allowed = _WORD_REPEATS if size == 1 else _PHRASE_REPEATS
        run = 0
        for index in range(size, len(words)):
            run = run + 1 if words[index] == words[index - size] else 0
            if run >= size * (allowed - 1):
                return True
    encoded = text.encode()
    return len(encoded) >= _COMPRESSIBLE_CHARACTERS and len(encoded) / len(zlib.compress(encoded)) > _COMPRESSION


def rejection(decoded: Decoded) -> str:
    """Name the guard that rejects a decoding; empty when it may pass."""
    if decoded.no_speech_prob > _NO_SPEECH and decoded.avg_logprob < _UNSURE_WITHOUT_SPEECH:
        return "no_speech"
    if decoded.avg_logprob < _UNSURE:
        return "logprob"
    if decoded.capped or is_repetitive(decoded.text):
        return "repetition"
    return ""
