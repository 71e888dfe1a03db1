"""Twilio's twin on loopback, for people and for tests; shares no code with the agent but the base of its errors.

``place_call`` makes one call in real time and returns all that happened in it, both tracks included. ``running_twin``
serves a whole account: Twilio's REST API, and the calls that are ordered over it.
"""

from __future__ import annotations

from telephony_agent.simulator.call import CallResult, PlacedCall, place_call
from telephony_agent.simulator.callee import Answer, Callee, Detected, Directory
from telephony_agent.simulator.callee_file import load_callee, parse_callee, shipped_callees, shipped_directory
from telephony_agent.simulator.debugger import Code, Notice
from telephony_agent.simulator.dialling import DialPace
from telephony_agent.simulator.events import Event, EventKind
from telephony_agent.simulator.exchange import Exchange
from telephony_agent.simulator.faults import Behaviour, CallbackFault, Dialled, Faults, Pace, SignatureFault
from telephony_agent.simulator.orders import EndedBy
from telephony_agent.simulator.parties import Parties
from telephony_agent.simulator.phone_call import PhoneCall
from telephony_agent.simulator.rest_faults import RequestKind, RestFault, RestFaults
from telephony_agent.simulator.rest_server import RunningTwin, running_twin
from telephony_agent.simulator.script import Script, spoken
from telephony_agent.simulator.script_file import ScriptError, load, parse
from telephony_agent.simulator.speech import Speaker, SpeechError
from telephony_agent.simulator.tunnel import Tunnel
from telephony_agent.simulator.twin_settings import Limits, TwinAccount, TwinSettings

__all__ = [
    "Answer",
    "Behaviour",
    "CallResult",
    "CallbackFault",
    "Callee",
    "Code",
    "Detected",
    "DialPace",
    "Dialled",
    "Directory",
    "EndedBy",
    "Event",
    "EventKind",
    "Exchange",
    "Faults",
    "Limits",
    "Notice",
    "Pace",
    "Parties",
    "PhoneCall",
    "PlacedCall",
    "RequestKind",
    "RestFault",
    "RestFaults",
    "RunningTwin",
    "Script",
    "ScriptError",
    "SignatureFault",
    "Speaker",
    "SpeechError",
    "Tunnel",
    "TwinAccount",
    "TwinSettings",
    "load",
    "load_callee",
    "parse",
    "parse_callee",
    "place_call",
    "running_twin",
    "shipped_callees",
    "shipped_directory",
    "spoken",
]
