"""Recordings grow on the disk, and are whole however their writer ends."""

from __future__ import annotations

import stat
import subprocess
import sys
import wave
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.audio import decode_mulaw
from telephony_agent.store import Recordings
from telephony_agent.store.stereo import StereoTracks
from telephony_agent.store.wav_file import HEADER_BYTES, WavFile, mend_wav, wav_header

CALLER, AGENT, SILENCE = b"\x10", b"\x90", b"\xff"
MS = 8


def channels(path: Path) -> tuple[bytes, bytes]:
    """Read a recording's two channels, PCM16."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        sound = file.readframes(file.getnframes())
    return split(sound)


def split(sound: bytes) -> tuple[bytes, bytes]:
    """Take the two channels apart."""
    samples = [sound[start : start + 2] for start in range(0, len(sound), 2)]
    return b"".join(samples[::2]), b"".join(samples[1::2])


def pcm(*parts: tuple[bytes, int]) -> bytes:
    """Decode stretches of one code, each so many ms long."""
    return b"".join(decode_mulaw(code * (ms * MS)) for code, ms in parts)


def test_the_caller_is_left_and_we_are_right(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path / "made" / "on demand")
    recording = recordings.open("CA1")
    recording.inbound(0, CALLER * 20 * MS)
    recording.outbound(20, AGENT * 20 * MS)
    recording.close()
    recording.close()
    recordings.close()
    (path,) = recordings.paths("CA1")
    assert channels(path) == (pcm((CALLER, 20), (SILENCE, 20)), pcm((SILENCE, 20), (AGENT, 20)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_sound_reaches_the_disk_while_the_call_goes_on(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    recording = recordings.open("CA1")
    for frame in range(200):
        recording.inbound(frame * 20, CALLER * 20 * MS)
    recordings.close()  # waits for the thread; the recording is still open
    (path,) = recordings.paths("CA1")
    seconds = (path.stat().st_size - HEADER_BYTES) / 32_000
    assert 2 <= seconds <= 3
    recordings.open("CA2").close()
    recording.close()
    recordings.close()
    assert len(channels(path)[0]) == 4 * 16_000


def test_what_was_cleared_is_not_in_it() -> None:
    tracks = StereoTracks()
    tracks.outbound(0, AGENT * 100 * MS)
    tracks.clear(40)
    tracks.outbound(60, AGENT * 10 * MS)
    assert split(tracks.take(80))[1] == pcm((AGENT, 40), (SILENCE, 20), (AGENT, 10), (SILENCE, 10))


def test_what_comes_too_late_or_far_too_early_is_dropped() -> None:
    tracks = StereoTracks()
    assert tracks.take(20) == b"\0" * 20 * MS * 4
    tracks.inbound(0, CALLER * 30 * MS)
    tracks.outbound(10**9, AGENT)
    assert tracks.end_ms == 30
    assert split(tracks.take(30))[0] == pcm((CALLER, 10))
    assert tracks.take(10) == b""


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 500), st.integers(0, 60), st.integers(0, 600)), max_size=20))
def test_however_it_is_taken_out_time_passes_evenly(steps: list[tuple[bool, int, int, int]]) -> None:
    tracks = StereoTracks()
    taken, until = 0, 0
    for ours, at_ms, length_ms, take_ms in steps:
        (tracks.outbound if ours else tracks.inbound)(at_ms, CALLER * length_ms * MS)
        until = max(until, take_ms)
        taken += len(tracks.take(take_ms))
    assert taken == until * MS * 4


def test_a_call_that_is_recorded_again_gets_another_file(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    for _ in range(11):
        recordings.open("CA/1").close()
    recordings.open("CA/12").close()
    recordings.close()
    names = [path.name for path in recordings.paths("CA/1")]
    assert names == ["CA_1.wav", *(f"CA_1-{number}.wav" for number in range(2, 12))]
    assert recordings.delete("CA/1") == 11
    assert len(recordings.paths("CA/12")) == 1


def test_a_recording_grows_until_all_of_it_is_written(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    first, second = recordings.open("CA1"), recordings.open("CA1")
    first.close()
    recordings.close()
    assert recordings.growing("CA1")
    assert not recordings.growing("CA2")
    third = recordings.open("CA2")
    second.close()
    recordings.close()
    assert not recordings.growing("CA1")
    assert recordings.growing("CA2")
    recordings.open("CA3").close()
    third.close()
    recordings.close()
    assert not recordings.growing("CA2")


def test_a_recording_that_failed_grows_no_more(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    recordings = Recordings(tmp_path / "taken")
    recordings.open("CA1").close()
    recordings.close()
    assert not recordings.growing("CA1")


@pytest.mark.parametrize("extra", [b"", b"\x01", b"\x01\x02\x03"])
def test_a_file_whose_writer_died_is_mended(tmp_path: Path, extra: bytes) -> None:
    path = tmp_path / "CA1.wav"
    path.write_bytes(wav_header(0) + b"\x01\x02\x03\x04" * 50 + extra)
    before = path.stat().st_mtime_ns
    assert mend_wav(path)
    assert len(channels(path)[0]) == 100
    assert path.stat().st_mtime_ns == before
    assert not mend_wav(path)


def test_a_file_that_died_in_its_header_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "CA1.wav"
    path.write_bytes(wav_header(0)[:20])
    assert mend_wav(path)
    assert channels(path) == (b"", b"")


def test_a_file_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(b"RIFF" + b"x" * 100)
    assert not mend_wav(path)
    assert path.read_bytes() == b"RIFF" + b"x" * 100


def test_recovery_mends_what_can_be_mended(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path / "none yet")
    assert recordings.recover() == 0
    recordings = Recordings(tmp_path)
    (tmp_path / "CA1.wav").write_bytes(wav_header(0) + b"\0" * 8)
    (tmp_path / "CA2.wav").mkdir()
    assert recordings.recover() == 1


def test_old_files_are_deleted_by_when_they_were_written(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    recordings.open("CA1").close()
    recordings.close()
    assert recordings.delete_before(datetime(2020, 1, 1, tzinfo=UTC)) == 0
    assert recordings.delete_before(datetime(2100, 1, 1, tzinfo=UTC)) == 1
    assert recordings.paths("CA1") == ()


def test_a_disk_that_takes_nothing_costs_the_recording_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    recordings = Recordings(tmp_path / "file" / "folder")
    recording = recordings.open("CA1")
    recordings.close()
    assert recording.failed
    recording.inbound(5000, CALLER)
    recording.outbound(0, AGENT)
    recording.close()


FULL_DISK = """
import resource, sys
from pathlib import Path
from telephony_agent.store import Recordings
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
recordings = Recordings(Path(sys.argv[1]))
recording = recordings.open("CA1")
for frame in range(500):
    recording.inbound(frame * 20, b"\\x10" * 160)
recording.close()
recordings.close()
print(recording.failed)
"""


def test_a_full_disk_leaves_what_was_written(tmp_path: Path) -> None:
    """A limit on the size of files stands for it, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], check=True, capture_output=True, text=True)
    assert done.stdout == "True\n"
    assert "A call is not recorded any further" in done.stderr
    assert len(channels(tmp_path / "CA1.wav")[0]) > 2 * 16_000


def test_a_clock_that_jumps_ends_the_recording(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    recording = recordings.open("CA1")
    recording.inbound(0, CALLER * 20 * MS)
    recording.inbound(10**9, CALLER * 20 * MS)
    recording.close()
    recordings.close()
    assert recording.failed
    assert channels(tmp_path / "CA1.wav") == (b"", b"")


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    WavFile(tmp_path / "CA1.wav").close()
    with pytest.raises(FileExistsError):
        WavFile(tmp_path / "CA1.wav")
