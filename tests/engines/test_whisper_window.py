from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.engines.whisper_window import (
    FULL,
    STOCK_AUTO,
    WHISPER_RATE,
    WindowRule,
    cut_at_quiet,
    read_rule,
)


@pytest.mark.parametrize(("utterance_s", "window_s"), [(0.5, 5), (4.0, 5), (4.1, 10), (9.5, 15), (14.5, 30), (29, 30)])
def test_the_window_is_the_next_size_with_a_second_of_silence(utterance_s: float, window_s: float) -> None:
    assert STOCK_AUTO.window_s(utterance_s) == window_s
    assert FULL.window_s(utterance_s) == 30


def test_a_models_own_rule_is_read(tmp_path: Path) -> None:
    assert read_rule(tmp_path) is None
    (tmp_path / "telephony_agent.json").write_text('{"window_s": [1.5, 10], "pad_s": 0.5}')
    rule = read_rule(tmp_path)
    assert rule
    assert rule.sizes_s == (1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.0)
    assert rule.longest_piece_s == 9.5
    assert rule.window_s(0.2) == 1.5
    assert rule.window_s(9.5) == 10.0


@pytest.mark.parametrize(
    "note", ["[]", "{}", "no json", '{"window_s": [10, 5], "pad_s": 1}', '{"window_s": [1, 5], "pad_s": 2}']
)
def test_a_wrong_rule_is_refused(tmp_path: Path, note: str) -> None:
    (tmp_path / "telephony_agent.json").write_text(note)
    with pytest.raises(ValueError, match=r"telephony_agent\.json"):
        read_rule(tmp_path)


def test_a_cut_falls_into_the_pause() -> None:
    audio = np.ones(10 * WHISPER_RATE, np.float32)
    audio[int(4.5 * WHISPER_RATE) : int(4.8 * WHISPER_RATE)] = 0.0
    first, second = cut_at_quiet(audio, 6.0)
    assert 4.5 < len(first) / WHISPER_RATE < 4.8
    assert len(first) + len(second) == len(audio)


@given(st.floats(0.1, 40), st.floats(1, 30))
def test_pieces_are_short_enough_and_lose_nothing(seconds: float, longest_s: float) -> None:
    audio = np.random.default_rng(0).standard_normal(int(seconds * WHISPER_RATE)).astype(np.float32)
    pieces = cut_at_quiet(audio, longest_s)
    assert np.array_equal(np.concatenate(pieces), audio)
    assert all(0 < len(piece) <= longest_s * WHISPER_RATE for piece in pieces)
    assert len(pieces) <= np.ceil(seconds / (0.6 * longest_s)) + 1


def test_a_rule_knows_its_longest_piece() -> None:
    assert WindowRule((2.0, 4.0), 0.5).longest_piece_s == 3.5
