"""The one error tree; a class that stands in another module than this one, or than its parent, is named with it.

::

    TelephonyAgentError               "error"
    ├── SettingError                  "setting"             a variable is wrong; names it, its value, what is allowed
    ├── PlaybookError                 "playbook"            the playbook file is wrong; names the key
    ├── RemoteProtocolError           "remote_protocol"     the peer sent what Twilio's wire does not allow
    │   └── SocketRefusedError        "remote_protocol"       and its socket is closed with a code (web.media)
    ├── LocalProtocolError            "local_protocol"      we tried to send what the wire does not allow
    ├── AdmissionError                "admission"           a stream that may not join a call
    ├── RequestRefusedError           "request_refused"     a call can't be ended or handed over (live.switchboard)
    ├── TraceError                    "trace"               a trace can't be read (core.trace)
    ├── RuleError                     "rule"                a rule of a call is unknown or wrong (core.rule_data)
    ├── LeadError                     "lead"                a lead's data can't be used; names the fix (sales.lead)
    ├── CampaignError                 "campaign"            a campaign can't be so, or not now (sales.campaign)
    ├── AgentError                    "agent"               the agent as its client knows it (client)
    │   └── DialRefused               "dial_refused"          it may not make this call, or can't now
    ├── TextCallError                 "text_call"           a text conversation can't go on so (live.text_call)
    │   ├── TurnInProgressError       "turn_in_progress"      the turn before is still being answered
    │   ├── CallOverError             "call_over"             it has ended
    │   ├── NoPlaceError              "no_place"              there is no place for another (live.text_desk)
    │   ├── NoVoiceError              "no_voice"              calls by voice are not served here (live.text_desk)
    │   ├── LineTakenError            "line_taken"            somebody else took its line over (live.spoken_call)
    │   ├── LineLostError             "line_lost"             its line is gone (live.voice_chat)
    │   └── UnusableMessageError      "unusable_message"      its client sent what can't be used (live.voice_chat)
    ├── StoreError                    "store"               the database or what it was asked (store.errors)
    │   ├── StoreUnavailable          "store_unavailable"     it is locked, full or out of reach for now
    │   ├── UnknownRecord             "unknown_record"        it doesn't have what was asked for
    │   ├── DuplicateLead             "duplicate_lead"        another lead has this number
    │   ├── NumberError               "number"                a text is no telephone number
    │   ├── CursorError               "cursor"                a page's cursor is none of ours
    │   └── ImportRefused             "import_refused"        a CSV file can't be read at all; says what it lacks
    ├── CarrierError                  "carrier"             the carrier did not do what it was asked
    │   ├── CarrierRejected           "carrier_rejected"      it said no: its own code, and what to do
    │   └── CarrierUnreachable        "carrier_unreachable"   it gave no answer that we can use
    ├── WorkersFailedError            "workers_failed"      no worker could be started (cli.workers)
    ├── AgentStartError               "agent_start"         the agent didn't get ready (simulator.agent_process)
    ├── ScriptError                   "script"              a caller script can't be used (simulator.script_file)
    ├── RecordingError                "recording"           a WAV file can't be played into a call (simulator.handset)
    ├── SoundDeviceError              "sound_device"        no microphone or loudspeaker (simulator.microphone)
    ├── SpeechError                   "speech"              espeak-ng is missing or failed (simulator.speech)
    ├── RestError                     "rest"                a request that Twilio would refuse (simulator.rest_error)
    ├── TwimlError                    "twiml"               a document that Twilio would refuse (simulator.twiml)
    └── EngineError                   "engine"              an engine failed at its job; the call goes on
        ├── ModelLoadError            "model_load"            a model can't be loaded; names the setting and the fix
        ├── TranscriptionError        "transcription"
        ├── ResponseError             "response"
        ├── DeadlineMissedError       "deadline_missed"       a job was not done in time (live.lanes)
        └── SynthesisError            "synthesis"
            └── SynthesisTimeout      "synthesis_timeout"       the synthesizer missed its deadline and was restarted

Each class carries a stable ``code`` that logs and the API show. An engine's failure reaches the call as an event, never
as an exception through the shell.
"""

from __future__ import annotations

from typing import ClassVar


class TelephonyAgentError(Exception):
    """Base of every error that this package raises on purpose."""

    code: ClassVar[str] = "error"


class SettingError(TelephonyAgentError):
    """A setting is missing or wrong.

    ``str()`` is one line: the variable, its value, and what is allowed.
    """

    code = "setting"


class PlaybookError(TelephonyAgentError):
    """A playbook file can't be used; the message names the key and the fix."""

    code = "playbook"


class RemoteProtocolError(TelephonyAgentError):
    """The peer broke the Media Streams protocol."""

    code = "remote_protocol"


class LocalProtocolError(TelephonyAgentError):
    """We were about to break the Media Streams protocol."""

    code = "local_protocol"


class AdmissionError(TelephonyAgentError):
    """A media stream may not join a call: unknown or used token, wrong CallSid, or too late."""

    code = "admission"


class CarrierError(TelephonyAgentError):
    """The carrier did not do what it was asked; the message holds no secret and no whole telephone number."""

    code = "carrier"


class CarrierRejected(CarrierError):
    """The carrier understood and said no; nothing was done. ``str()`` is one line that says what to do."""

    code = "carrier_rejected"

    def __init__(self, message: str, *, carrier_code: int, http_status: int) -> None:
        """Note the carrier's own code (Twilio's 21211 and so on; the HTTP status where it gave none)."""
        super().__init__(message)
        self.carrier_code = carrier_code
        self.http_status = http_status


class CarrierUnreachable(CarrierError):
    """The carrier gave no answer that we can use.

    ``unclear`` tells whether it may have done what it was asked all the same. A call whose dialling is unclear must not
    be dialled again: it may be ringing.
    """

    code = "carrier_unreachable"

    def __init__(self, message: str, *, unclear: bool) -> None:
        """Note whether what was asked for may have been done."""
        super().__init__(message)
        self.unclear = unclear


class EngineError(TelephonyAgentError):
    """An engine failed at its job."""

    code = "engine"


class ModelLoadError(EngineError):
    """A model can't be loaded; the message names the setting and the fix."""

    code = "model_load"


class TranscriptionError(EngineError):
    """The transcriber failed on an utterance."""

    code = "transcription"


class ResponseError(EngineError):
    """The responder failed on a turn."""

    code = "response"


class SynthesisError(EngineError):
    """The synthesizer failed on a phrase."""

    code = "synthesis"


class SynthesisTimeout(SynthesisError):
    """The synthesizer missed its deadline; it was stopped and will be started again."""

    code = "synthesis_timeout"
