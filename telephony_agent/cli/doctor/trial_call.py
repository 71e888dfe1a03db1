"""The check of the whole path: the twin of Twilio calls, hears the greeting, sends a tone, and hangs up.

Where the agent runs it is called there; else one is started for the call, with a memory of its own, which records: so
the tone is looked for in what the agent heard.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np

from telephony_agent.audio import SAMPLE_RATE
from telephony_agent.cli.called_agent import CalledAgent
from telephony_agent.cli.doctor.address import local_url
from telephony_agent.cli.doctor.finding import Finding, ok, warning, wrong
from telephony_agent.cli.doctor.patient import Patient, Serving
from telephony_agent.settings import Settings
from telephony_agent.simulator import CallResult, Code, Parties, PlacedCall, Script, place_call
from telephony_agent.simulator.agent_process import PUBLIC_URL, AgentStartError, Credentials, running_agent
from telephony_agent.simulator.script import HangUpStep, NoiseStep, WaitStep

TONE_HZ = 1000
"""What the simulator's ``beep`` is made of."""
TONE_MS = 1000
TONE_SHARE = 0.5
"""So much of a frame's power lies at the tone's frequency when it is the tone."""
READY_WITHIN_S = 90.0
CALL_WITHIN_S = 40.0
NOWHERE = "http://127.0.0.1:9/nowhere"
_SCRIPT = Script(
    "a tone",
    (NoiseStep("beep", TONE_MS, interrupt_ms=1500), WaitStep(600), HangUpStep(after_reply=False)),
    give_up_ms=12_000,
    limit_ms=30_000,
)
_TRIES, _PAUSE_S = 20, 0.2
_LONGEST = 300


async def call(patient: Patient) -> Finding:
    """Hold the call and judge it."""
    if patient.serving is Serving.LOADING:
        return warning("not made: the server's models are still loading", "run doctor again when /readyz says ready")
    if patient.serving is Serving.OURS and not patient.settings.twilio.auth_tokens:
        return warning("not made: there is no token to sign with", "see settings")
    try:
        async with _reached(patient) as (agent, records):
            parties = Parties(account_sid=agent.account_sid)
            placed = PlacedCall(_SCRIPT, agent.url, agent.public_url, agent.auth_token, parties)
            async with asyncio.timeout(CALL_WITHIN_S):
                result = await place_call(placed)
            arrived = await _tone_arrived(agent, result.call_sid) if records else None
            return judged(result, arrived)
    except AgentStartError as error:
        lines = str(error).splitlines()
        seen = f"{lines[0].rstrip(':')}: {lines[-1].strip()[-_LONGEST:]}" if len(lines) > 1 else lines[0]
        return wrong(seen, "telephony-agent serve   (its log says what it lacks)")


@asynccontextmanager
async def _reached(patient: Patient) -> AsyncIterator[tuple[CalledAgent, bool]]:
    """Give the agent to call, and whether its recording can be asked for."""
    settings = patient.settings
    if patient.serving is Serving.OURS:
        api_token = settings.server.api_token.get_secret_value()
        account, token = settings.twilio.account_sid or Credentials().account_sid, settings.twilio.auth_tokens[0]
        running = CalledAgent(local_url(settings.server), settings.server.base_url, account, token, api_token)
        yield running, bool(api_token and settings.store.record)
        return
    made_up = Credentials()
    with tempfile.TemporaryDirectory(prefix="telephony-agent-") as folder:
        own = _own(settings, Path(folder))
        async with running_agent(made_up, settings=own, ready_within_s=READY_WITHIN_S) as agent:
            secrets = made_up.account_sid, made_up.auth_token, made_up.api_token
            yield CalledAgent(agent.url, PUBLIC_URL, *secrets, agent), True


def _own(settings: Settings, folder: Path) -> dict[str, str]:
    """Return what the trial's agent has instead of the user's: a memory of its own, and nobody to tell of outcomes."""
    own = {
        "AGENT_MODELS": settings.model.models.value,
        "AGENT_DATA_DIR": str(folder),
        "AGENT_DATABASE_URL": f"sqlite:///{folder / 'trial.db'}",
        "AGENT_RECORD": "true",
        "AGENT_ALLOW_UNSIGNED": "false",
    }
    if settings.outcome.webhook.get_secret_value():
        own["AGENT_OUTCOME_WEBHOOK"] = NOWHERE
    return own


def judged(result: CallResult, arrived: bool | None) -> Finding:
    """Say how the call went; ``arrived`` tells whether the agent heard the tone, None: nobody knows."""
    # That the agent closes the stream is no fault of its own.
    notices = [str(notice) for notice in result.notices if notice.code is not Code.CLOSED]
    if result.turned_away:
        return wrong("the agent turned the call away", "telephony-agent serve   (its log says why; /readyz too)")
    if not result.streams:
        fix = "telephony-agent simulate   (shows the whole call)"
        return wrong(f"no media stream came about: {'; '.join(notices) or result.end_reason}", fix)
    measures = result.streams[0].measures
    if measures.greeting_ms is None:
        return wrong("the agent said nothing", "telephony-agent simulate   (shows the whole call and the agent's log)")
    if arrived is False:
        return wrong("the agent's recording holds no tone: the caller is not heard", "telephony-agent simulate")
    if notices:
        return warning(f"the call went well, but: {'; '.join(notices)}", "telephony-agent simulate")
    heard = "the tone arrived" if arrived else "the tone was sent (with AGENT_RECORD and the API it is looked for)"
    return ok(f"the greeting came after {measures.greeting_ms} ms, {heard}")


async def _tone_arrived(agent: CalledAgent, call_sid: str) -> bool:
    """Look for the tone in the caller's channel of the recording, which is complete soon after the call."""
    headers = {"Authorization": f"Bearer {agent.api_token}"}
    async with httpx.AsyncClient(base_url=agent.url, headers=headers, trust_env=False, timeout=5) as client:
        for _ in range(_TRIES):
            answer = await client.get(f"/api/v1/calls/{call_sid}/recording")
            if answer.is_success:
                return holds_tone(answer.content)
            await asyncio.sleep(_PAUSE_S)
    return False


def holds_tone(recording: bytes) -> bool:
    """Tell whether the left channel of a stereo WAV of 8 kHz holds at least half of the tone."""
    with wave.open(io.BytesIO(recording)) as file:
        left = np.frombuffer(file.readframes(file.getnframes()), np.int16)[::2].astype(np.float64)
    size = SAMPLE_RATE // 50
    frames = left[: len(left) // size * size].reshape(-1, size)
    spectra = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    # The window spreads a tone over its neighbours.
    middle = TONE_HZ * size // SAMPLE_RATE
    shares = spectra[:, middle - 1 : middle + 2].sum(axis=1) / np.maximum(spectra.sum(axis=1), 1.0)
    return bool((shares > TONE_SHARE).sum() * 20 >= TONE_MS // 2)
