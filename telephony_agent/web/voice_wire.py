"""The voice chat's messages as JSON and bytes: what a client may send, and what it is told (docs/voice-chat.md).

A sound is one message: a WAV file as it is, or raw PCM16 behind the header that announces it. What can't be used is
refused with the fix, and costs nothing but that message.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from telephony_agent.engines.sound_file import Sound, read_sound
from telephony_agent.live.spoken_call import SpokenCall
from telephony_agent.live.voice_chat import (
    AgentText,
    CallEnded,
    HungUp,
    Problem,
    Said,
    Speech,
    Told,
    TurnDone,
    UnusableMessageError,
    UserText,
    Utterance,
    Words,
)
from telephony_agent.web.sales_models import StateAnswer
from telephony_agent.web.sales_models import Words as TypedWords

MAX_AUDIO_BYTES = 6 * 1024 * 1024
"""Thirty seconds of 48 kHz in stereo."""
MAX_TEXT_BYTES = 8 * 1024
MAX_UTTERANCE_S = 30
MIN_HZ, MAX_HZ = 8000, 48_000

Rate = Annotated[int, Field(ge=MIN_HZ, le=MAX_HZ)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _AudioHeader(_Message):
    type: Literal["audio"]
    encoding: Literal["pcm16"]
    sample_rate: Rate


class _Text(_Message):
    type: Literal["text"]
    text: TypedWords


class _End(_Message):
    type: Literal["end"]


_Sent = Annotated[_AudioHeader | _Text | _End, Field(discriminator="type")]
_SENT: TypeAdapter[_AudioHeader | _Text | _End] = TypeAdapter(_Sent)


class VoiceWire:
    """Reads one client's messages, in their order."""

    def __init__(self) -> None:
        self._announced_hz: int | None = None

    def receive(self, message: str | bytes) -> Said | None:
        """Read a message; None for a header, whose sound comes next. Sound of seconds takes some ms to read.

        Raises:
            UnusableMessageError: it can't be used; the next one may be.
        """
        announced_hz, self._announced_hz = self._announced_hz, None
        if isinstance(message, bytes):
            return _utterance(message, announced_hz)
        if len(message) > MAX_TEXT_BYTES:
            raise UnusableMessageError(f"a text message has at most {MAX_TEXT_BYTES} characters")
        match _read(message):
            case _AudioHeader(sample_rate=sample_rate):
                self._announced_hz = sample_rate
                return None
            case _Text(text=text):
                return Words(text)
            case _End():
                return HungUp()


def _read(text: str) -> _AudioHeader | _Text | _End:
    try:
        return _SENT.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UnusableMessageError(
            f"{where or 'message'}: {first['msg']}; send a WAV file, or JSON with the type audio, text or end"
        ) from error


def _utterance(data: bytes, announced_hz: int | None) -> Utterance:
    if len(data) > MAX_AUDIO_BYTES:
        raise UnusableMessageError(f"a sound has at most {MAX_AUDIO_BYTES} bytes; send shorter utterances")
    sound = Sound(data, announced_hz) if announced_hz is not None else _wav(data)
    if not sound.pcm or len(sound.pcm) % 2:
        raise UnusableMessageError("raw sound is little-endian int16 mono: a whole number of samples, and not none")
    if not MIN_HZ <= sound.sample_rate <= MAX_HZ:
        raise UnusableMessageError(f"{sound.sample_rate} Hz; send {MIN_HZ} to {MAX_HZ} Hz")
    seconds = len(sound.pcm) / 2 / sound.sample_rate
    if seconds > MAX_UTTERANCE_S:
        raise UnusableMessageError(f"{seconds:.0f} s are too long; send utterances of at most {MAX_UTTERANCE_S} s")
    return Utterance(sound.pcm, sound.sample_rate)


def _wav(data: bytes) -> Sound:
    try:
        return read_sound(data)
    except ValueError as error:
        raise UnusableMessageError(
            f"{error}; send a WAV file of integer PCM, or announce raw sound first: "
            '{"type":"audio","encoding":"pcm16","sample_rate":16000}'
        ) from error


def message_of(told: Told, call: SpokenCall) -> tuple[dict[str, Any], bytes]:
    """Return what the client is sent: JSON, and the bytes that follow it (none: nothing follows)."""
    match told:
        case UserText(text):
            return {"type": "user_text", "text": text}, b""
        case Speech(text, sample_rate, wav):
            return {"type": "audio", "text": text, "encoding": "wav", "sample_rate": sample_rate}, wav
        case AgentText(text):
            return {"type": "agent_text", "text": text}, b""
        case TurnDone():
            state = StateAnswer.of(call.guide).model_dump(mode="json")
            return {"type": "turn", "state": state, "ended": call.over}, b""
        case Problem(message):
            return {"type": "error", "message": message}, b""
        case CallEnded():
            return {"type": "system", "message": "Call ended."}, b""
        case _:
            assert_never(told)
