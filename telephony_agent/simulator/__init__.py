"""Twilio's twin on loopback, for people and for tests; shares no code with the agent but the base of its errors.

``place_call`` makes one call in real time and returns all that happened in it, both tracks included.
"""

from __future__ import annotations

from telephony_agent.simulator.call import CallResult, EndedBy, PlacedCall, place_call
from telephony_agent.simulator.debugger import Code, Notice
from telephony_agent.simulator.events import Event, EventKind
from telephony_agent.simulator.faults import Behaviour, CallbackFault, Dialled, Faults, Pace, SignatureFault
from telephony_agent.simulator.parties import Parties
from telephony_agent.simulator.script import Script, spoken
from telephony_agent.simulator.script_file import ScriptError, load, parse
from telephony_agent.simulator.speech import Speaker, SpeechError

__all__ = [
    "Behaviour",
    "CallResult",
    "CallbackFault",
    "Code",
    "Dialled",
    "EndedBy",
    "Event",
    "EventKind",
    "Faults",
    "Notice",
    "Pace",
    "Parties",
    "PlacedCall",
    "Script",
    "ScriptError",
    "SignatureFault",
    "Speaker",
    "SpeechError",
    "load",
    "parse",
    "place_call",
    "spoken",
]
