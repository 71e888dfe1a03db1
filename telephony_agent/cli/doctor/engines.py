"""The checks of the engines: the models are on this machine, and how many calls at once they are good for."""

from __future__ import annotations

import time
from pathlib import Path

from telephony_agent.cli.build import load_engine_room, load_playbook, load_tools
from telephony_agent.cli.doctor.finding import Finding, ok, warning, wrong
from telephony_agent.core.endpointing import EndpointingRules
from telephony_agent.engines.base import Message
from telephony_agent.engines.catalog import Role, find, model_names
from telephony_agent.errors import EngineError, PlaybookError
from telephony_agent.live.capacity import Capacity
from telephony_agent.settings import ModelSettings, Settings

GAP_LIMIT_MS = 1400
"""Twilio's upper limit of the gap from mouth to ear ("A Guide to Core Latency in AI Voice Agents")."""
MOST_CALLS = 100


def models(settings: ModelSettings) -> Finding:
    """Look whether the models that the settings name are here. May take a second, asks no hub."""
    names = model_names(settings.models.value, stt_model=settings.stt_model, llm_model=settings.llm_model)
    wanted = {Role.STT: names.stt, Role.LLM: names.llm}
    missing = [(role, name) for role, name in wanted.items() if find(role, name) is None]
    if not missing:
        return ok(", ".join(Path(name).name if Path(name).is_absolute() else name for name in wanted.values()))
    seen = ", ".join(f"{name} is not on this machine" for _, name in missing)
    folders = [role.value for role, name in missing if Path(name).is_absolute()]
    if folders:
        return wrong(seen, f"{' and '.join(folders)}: name a folder that holds weights, or leave it empty")
    return wrong(seen, "telephony-agent models pull   (or AGENT_MODELS=pocket for a trial)")


def speed(settings: Settings) -> Finding:
    """Load and warm the engines, and measure a turn. Blocks for seconds to a minute."""
    began_at = time.perf_counter()
    try:
        playbook = load_playbook(settings.call)
        room = load_engine_room(settings.model, settings.call, toolbox=load_tools(playbook))
    except PlaybookError as error:
        return wrong(str(error), "telephony-agent playbook check")
    except EngineError as error:
        return wrong(str(error), "telephony-agent models pull")
    warm_s = time.perf_counter() - began_at
    try:
        room.rehearse(
            [
                Message(role="system", content=playbook.system_prompt()),
                Message(role="assistant", content=playbook.greeting),
            ]
        )
        calls = calls_at_once(room.capacity, settings.server.max_calls)
        alone_ms = round(1000 * room.capacity.with_calls(1, 0.0).alone_s)
    except EngineError as error:
        return wrong(str(error), "telephony-agent models pull")
    finally:
        room.close()
    # Whatever a turn takes begins in the silence that has to be waited for anyway.
    gap_ms = max(settings.call.endpoint_ms, EndpointingRules().maybe_end_ms + alone_ms)
    seen = (
        f"about {calls} call{'s' * (calls > 1)} at once at a turn gap of {gap_ms / 1000:.1f} s; warm in {warm_s:.0f} s"
    )
    if gap_ms > GAP_LIMIT_MS:
        return warning(seen, "a smaller AGENT_LLM_MODEL or AGENT_STT_MODEL, or a faster machine")
    return ok(seen)


def calls_at_once(capacity: Capacity, limit: int) -> int:
    """Return the most calls that fit, within a limit (0: none)."""
    calls = 1
    while calls < (limit or MOST_CALLS) and capacity.with_calls(calls + 1, 0.0).fits:
        calls += 1
    return calls
