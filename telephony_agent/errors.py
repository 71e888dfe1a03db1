"""The one error tree.

::

    TelephonyAgentError                  "error"
    ├── SettingError                     "setting"            a variable is wrong; names it, its value, what is allowed
    ├── PlaybookError                    "playbook"           the playbook file is wrong; names the key
    ├── RemoteProtocolError              "remote_protocol"    the peer sent what Twilio's wire does not allow
    ├── LocalProtocolError               "local_protocol"     we tried to send what the wire does not allow
    ├── AdmissionError                   "admission"          a stream that may not join a call
    ├── TraceError                       "trace"              a trace can't be read (core.trace)
    ├── RuleError                        "rule"               a rule of a call is unknown or wrong (core.rule_data)
    ├── LeadError                        "lead"               a lead's data can't be used; names the field and the fix
    ├── TextCallError                    "text_call"          a text conversation can't go on so (live.text_call)
    ├── StoreError                       "store"              the database or what it was asked (store.errors)
    └── EngineError                      "engine"             an engine failed at its job; the call goes on
        ├── ModelLoadError               "model_load"         a model can't be loaded; names the setting and the fix
        ├── TranscriptionError           "transcription"
        ├── ResponseError                "response"
        └── SynthesisError               "synthesis"
            └── SynthesisTimeout         "synthesis_timeout"  the synthesizer missed its deadline and was restarted

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
