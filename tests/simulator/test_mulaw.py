"""The twin's own G.711 codec."""

from __future__ import annotations

import audioop

import numpy as np

from telephony_agent.simulator.mulaw import NEGATIVE_SILENCE, SILENCE, TOP, decode, encode


def test_every_code_decodes_as_the_standard_says() -> None:
    codes = bytes(range(256))
    assert decode(codes).tobytes() == audioop.ulaw2lin(codes, 2)


def test_every_code_survives_a_round_trip_but_for_the_second_zero() -> None:
    codes = bytes(code for code in range(256) if code != NEGATIVE_SILENCE)
    assert encode(decode(codes)) == codes
    assert encode(decode(bytes([NEGATIVE_SILENCE]))) == bytes([SILENCE])


def test_every_sample_comes_back_within_half_a_step_of_its_segment() -> None:
    pcm = np.arange(-32000, 32001, dtype=np.int16)
    error = np.abs(decode(encode(pcm)).astype(np.int32) - pcm)
    assert np.all(error <= (np.abs(pcm.astype(np.int32)) + 132) // 32)


def test_what_is_louder_than_mu_law_becomes_its_top_code() -> None:
    assert decode(encode(np.array([32767, -32768], np.int16))).tolist() == [TOP, -TOP]
