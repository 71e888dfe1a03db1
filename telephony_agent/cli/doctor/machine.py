"""The checks of this machine: Python, packages, the voice, the data folder, the disk."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from telephony_agent.cli.doctor.finding import Finding, ok, warning, wrong
from telephony_agent.errors import EngineError
from telephony_agent.settings import CallSettings, ModelSettings, StoreSettings

OLDEST_PYTHON = (3, 11)
PROBE_BYTES = 1024 * 1024
LOW_DISK_BYTES = 1024**3
"""A recorded minute takes 2 MB, so this is a few hours."""
NO_DISK_BYTES = 100 * 1024**2
DISTRIBUTION = "telephony-agent"
INSTALL_ESPEAK = "sudo apt-get install espeak-ng"


def python() -> Finding:
    """Look at the interpreter's version."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return wrong(f"Python {version} is too old", "install Python 3.11 or newer, then run scripts/setup")
    return ok(f"Python {version}")


def packages() -> Finding:
    """Compare what is installed with what is needed and, in a checkout, with the versions that it is tested with."""
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return warning("this package is not installed, only found", "run scripts/setup")
    pins = _pins(Path(__file__).parents[3] / "constraints.txt")
    bad, other = [], []
    mended: list[str] = []
    for needed in _needed(lines):
        name, pin = needed.name, pins.get(needed.name.lower())
        fix = f"'{name}=={pin}'" if pin else f"'{name}{needed.specifier}'"
        try:
            version = Version(metadata.version(name))
        except metadata.PackageNotFoundError:
            bad.append(f"{name} is missing")
            mended.append(fix)
            continue
        if not needed.specifier.contains(version, prereleases=True):
            bad.append(f"{name} {version} (needed: {needed.specifier})")
            mended.append(fix)
        elif pin and version.public != pin:
            other.append(f"{name} {version} (tested: {pin})")
            mended.append(fix)
    if not (bad or other):
        return ok(f"{len(lines)} as needed" if not pins else "at the versions that this one is tested with")
    seen, fix = ", ".join(bad + other), f"{sys.executable} -m pip install {' '.join(mended)}"
    return wrong(seen, fix) if bad else warning(seen, fix)


def _needed(lines: list[str]) -> Iterator[Requirement]:
    for line in lines:
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            yield needed


def _pins(constraints: Path) -> Mapping[str, str]:
    """Read the pins of a checkout; there are none where the package was installed from a wheel."""
    if not constraints.is_file():
        return {}
    lines = (line.partition(";")[0].strip() for line in constraints.read_text(encoding="utf-8").splitlines())
    parts = (line.partition("==") for line in lines if "==" in line and not line.startswith("#"))
    return {name.strip().lower(): version.strip() for name, _, version in parts}


def voice(model: ModelSettings, call: CallSettings) -> Finding:
    """Let pyttsx3 speak a word. Blocks for a second."""
    from telephony_agent.engines.pyttsx3_speech import Pyttsx3Synthesizer

    synthesizer = Pyttsx3Synthesizer(
        model.tts_voice, rate=model.tts_rate, volume=model.tts_volume, deadline_s=call.tts_deadline_s
    )
    try:
        synthesizer.warm()
        began_at = time.perf_counter()
        audio = b"".join(synthesizer.synthesize("Hello.", lambda: False))
        took_ms = round(1000 * (time.perf_counter() - began_at))
    except EngineError as error:
        return wrong(str(error), INSTALL_ESPEAK if "espeak" in str(error) else "AGENT_TTS_VOICE=")
    finally:
        synthesizer.close()
    if not audio:
        return wrong("pyttsx3 made no sound", INSTALL_ESPEAK)
    if shutil.which("espeak-ng") is None and shutil.which("espeak") is None:
        return warning(
            "pyttsx3 speaks, but the program espeak-ng, the simulator's voice, is not on PATH", INSTALL_ESPEAK
        )
    return ok(f"pyttsx3 speaks by espeak-ng: a word in {took_ms} ms")


def data_folder(settings: StoreSettings) -> Finding:
    """Write a megabyte into the data folder and delete it again."""
    folder = settings.data_dir.absolute()
    probe = folder / f".doctor-{os.getpid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with probe.open("wb") as file:
                file.write(bytes(PROBE_BYTES))
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        fix = f"let this user write there (chown, free space, quota), or set AGENT_DATA_DIR={Path.home() / 'telephony'}"
        return wrong(f"{folder} can't take 1 MB: {error.strerror}", fix)
    return ok(f"{folder} can be written")


def disk(settings: StoreSettings) -> Finding:
    """Look at the free space where the data are."""
    folder = settings.data_dir.absolute()
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    seen = f"{free / 1e9:.1f} GB free"
    if free >= LOW_DISK_BYTES:
        return ok(seen)
    fix = "free some space, set AGENT_KEEP_RECORDINGS_DAYS, or move AGENT_DATA_DIR to a larger disk"
    return wrong(seen, fix) if free < NO_DISK_BYTES else warning(seen, fix)
