"""A call's recording beside the call itself, in virtual time: what was heard stands where it was heard."""

from __future__ import annotations

import wave
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from random import Random

import numpy as np
import pytest

from telephony_agent.audio import FRAME_MS, encode_mulaw
from telephony_agent.core.events import Action, AudioHeard, EndReason, Event, HangUp, MarkHeard, SendClear, SendMedia
from telephony_agent.core.frame_clock import Frame
from telephony_agent.live import call_recording
from telephony_agent.live.call_recording import CallRecording
from telephony_agent.store import Recordings
from tests.calls.stage import SILENCE, VOICE, Call

APART_MS = 60
"""How far the recording may be from what happened."""
TONE = encode_mulaw((4000).to_bytes(2, "little") * 160)

Runs = list[tuple[int, int]]


class RecordedCall(Call):
    """A call on the stage that is recorded; on its line we are heard ``way_s`` after the twin plays us."""

    def __init__(self, folder: Path, replies: list[str | Exception], *, way_s: float = 0.0) -> None:
        self.recordings = Recordings(folder)
        self.recording = CallRecording(self.recordings.open("CA1"))
        self._way_s = way_s
        self._under_way: set[MarkHeard] = set()
        super().__init__(replies)

    def tell(self, event: Event) -> None:
        if isinstance(event, MarkHeard) and self._way_s and event not in self._under_way:
            self._under_way.add(event)
            self._schedule(self._way_s, event)
            return
        before = len(self.log)
        super().tell(event)
        asked: list[Action] = self.log[before + 1 :]  # type: ignore[assignment]  # behind the event stand its actions
        self.recording.step(event, self.now, asked)

    def _heard(self, speech: bool) -> AudioHeard:
        heard = super()._heard(speech)
        return replace(heard, frame=replace(heard.frame, mulaw=VOICE * 160)) if speech else heard

    def written(self) -> tuple[Runs, Runs]:
        """Close the recording; return when the caller and when we are heard in it."""
        self.recording.close()
        self.recordings.close()
        (path,) = self.recordings.paths("CA1")
        return sounds(path)

    def happened(self) -> tuple[Runs, Runs]:
        """Return when the caller spoke, and when the twin played us."""
        heard = [item for item in self.log if isinstance(item, AudioHeard)]
        times = [event.frame.timestamp_ms for event in heard]
        return (
            runs(zip(times, [event.speech for event in heard], strict=True)),
            runs(zip(times, self.twin.sounding[: len(times)], strict=True)),
        )


def sounds(path: Path) -> tuple[Runs, Runs]:
    """Return when something is heard on each channel."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    frames = np.abs(samples[: len(samples) // 8 * 8].astype(int)).reshape(-1, 8, 2).max(axis=1) > 100
    left, right = (runs(enumerate(frames[:, channel].tolist()), 1) for channel in (0, 1))
    return left, right


def runs(moments: Iterable[tuple[int, bool]], step_ms: int = FRAME_MS) -> Runs:
    """Return the stretches of sound; a hole of less than 100 ms is none."""
    found: Runs = []
    for sounding, group in groupby(moments, key=lambda moment: moment[1]):
        times = [at for at, _ in group]
        if sounding and found and times[0] - found[-1][1] < 100:
            found[-1] = (found[-1][0], times[-1] + step_ms)
        elif sounding:
            found.append((times[0], times[-1] + step_ms))
    return found


def assert_alike(recorded: Runs, happened: Runs, *, later_ms: int = 0) -> None:
    assert len(recorded) == len(happened), (recorded, happened)
    for ours, theirs in zip(recorded, happened, strict=True):
        assert abs(ours[0] - theirs[0] - later_ms) <= APART_MS, (recorded, happened)
        assert abs(ours[1] - theirs[1] - later_ms) <= APART_MS, (recorded, happened)


def test_both_voices_stand_where_they_were_heard(tmp_path: Path) -> None:
    call = RecordedCall(tmp_path, ["It costs ten dollars. Do you want it?"])
    call.caller_listens()
    call.caller_waits(1.0)
    call.caller_says("how much is it")
    call.caller_listens()
    call.caller_waits(2.0)
    call.caller_hangs_up()
    recorded, happened = call.written(), call.happened()
    assert len(happened[1]) == 2
    assert_alike(recorded[0], happened[0])
    assert_alike(recorded[1], happened[1])


def test_what_a_barge_in_cleared_is_not_in_the_recording(tmp_path: Path) -> None:
    call = RecordedCall(tmp_path, ["It costs ten dollars a month for every seat that you have.", "The team plan."])
    call.caller_listens()
    call.caller_waits(1.0)
    call.caller_says("how much is it")
    call.caller_waits(1.6)
    call.caller_says("what about the team plan", seconds=2.0)
    call.caller_listens()
    call.caller_hangs_up()
    assert call.sent(SendClear)
    recorded, happened = call.written(), call.happened()
    assert_alike(recorded[0], happened[0])
    assert_alike(recorded[1], happened[1])


def test_a_caller_who_hangs_up_does_not_hear_us_to_the_end(tmp_path: Path) -> None:
    call = RecordedCall(tmp_path, [])
    call.caller_waits(0.5)
    call.caller_hangs_up()
    assert_alike(call.written()[1], call.happened()[1])


def test_the_way_of_a_slow_line_is_learnt_from_its_marks(tmp_path: Path) -> None:
    call = RecordedCall(tmp_path, ["It costs ten dollars. Do you want it?", "Fine."], way_s=0.16)
    call.caller_listens()
    call.caller_waits(1.0)
    for words in ("how much is it", "yes please"):
        call.caller_says(words)
        call.caller_listens()
        call.caller_waits(1.0)
    call.caller_hangs_up()
    (_, recorded), (_, happened) = call.written(), call.happened()
    assert len(happened) == 3
    assert_alike(recorded, happened, later_ms=160)


# The two clocks


def record(folder: Path, frames: Sequence[tuple[int, float]], media: Sequence[tuple[float, float]]) -> Runs:
    """Record silent frames that come at ``(ms, now)``, and tones of ours, ``(sent, heard)``; return when those are."""
    recordings = Recordings(folder)
    recording = CallRecording(recordings.open("CA1"))
    steps: list[tuple[float, Event, list[Action]]] = [
        (now, AudioHeard(Frame(ms, SILENCE), speech=False, level_dbov=-96.0), []) for ms, now in frames
    ]
    steps += [(now, MarkHeard("t0p0"), [SendMedia(TONE, heard_at)]) for now, heard_at in media]
    for now, event, actions in sorted(steps, key=lambda step: step[0]):
        recording.step(event, now, actions)
    recording.step(MarkHeard("t0p0"), frames[-1][1], [HangUp(EndReason.CALLER)])
    recording.close()
    recordings.close()
    (path,) = recordings.paths("CA1")
    return sounds(path)[1]


def test_what_is_sent_before_the_first_frame_has_its_place_all_the_same(tmp_path: Path) -> None:
    frames = [(155 + 20 * i, 50.175 + 0.02 * i) for i in range(50)]
    assert record(tmp_path, frames, [(50.0, 50.1)]) == [(100, 120)]


def test_without_any_mark_the_recording_goes_on_from_where_it_was(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    recording = CallRecording(recordings.open("CA1"))
    for i in range(1300):
        heard = AudioHeard(Frame(20 * i, VOICE * 160), speech=True, level_dbov=-20.0)
        recording.step(heard, 50.02 + 0.02 * i, [SendMedia(TONE, 50.1)] if i == 0 else [])
    recordings.close()  # waits for the thread; the call still goes on
    (path,) = recordings.paths("CA1")
    assert path.stat().st_size > 20 * 32_000
    recording.close()
    recordings.open("CA2").close()
    recordings.close()
    assert sounds(path) == ([(0, 26_000)], [(100, 120)])


def test_frames_that_come_late_do_not_move_the_clock(tmp_path: Path) -> None:
    late = Random(4)
    frames = [(20 * i, 50.02 + 0.02 * i + (late.choice((0, 0.3)) if i else 0)) for i in range(200)]
    (run,) = record(tmp_path, frames, [(52.0, 52.1)])
    assert abs(run[0] - 2100) <= 10


def test_a_stream_whose_clock_is_slow_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_recording, "DRIFT", 0.01)
    frames = [(20 * i, 50.02 + 0.0202 * i) for i in range(1700)]
    (run,) = record(tmp_path, frames, [(50 + 30 * 1.01, 50 + 30 * 1.01)])
    assert abs(run[0] - 30_000) <= 10


def test_a_disk_that_takes_nothing_costs_the_recording_only(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("a file where the folder should be")
    call = RecordedCall(tmp_path / "recordings", ["It costs ten dollars."])
    call.caller_listens()
    call.caller_says("how much is it")
    call.caller_listens()
    call.caller_hangs_up()
    call.recording.close()
    call.recordings.close()
    assert call.heard[1] == "It costs ten dollars."
    assert call.recordings.paths("CA1") == ()
