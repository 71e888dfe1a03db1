"""The server of the bench: ``telephony-agent serve``, but for its engines, which are scripted and take no time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from telephony_agent.cli.serve import AgentServer
from telephony_agent.engines.base import Cancelled, Message, Transcript
from telephony_agent.engines.scripted import LevelVoiceDetector, ScriptedResponder, ScriptedSynthesizer
from telephony_agent.live.engine_room import Deadlines, EngineRoom, Engines
from telephony_agent.live.tool_room import Toolbox, ToolRoom
from telephony_agent.settings import CallSettings, ModelSettings, Settings
from telephony_agent.telemetry import Metrics, set_up_logging

MS_PER_CHARACTER = 12
LONG_FROM_S = 1.0
"""Utterances hold their pre-roll and some of the silence behind them."""


class LengthTranscriber:
    """Understands how long an utterance is: the callers have but two lines."""

    def warm(self) -> None:
        """Nothing to warm."""

    def transcribe(self, pcm: bytes, sample_rate: int) -> Transcript:
        """Tell a long line from a short one."""
        is_long = len(pcm) / 2 / sample_rate > LONG_FROM_S
        text = "please tell me how it works" if is_long else "how does it work"
        return Transcript(text=text, raw_text=text)


def scripted_reply(messages: Sequence[Message]) -> str:
    """Answer a long line at length: that is what has to be paced."""
    if messages[-1]["content"].startswith("please"):
        return "Your customers pick a time on your page, and the appointment stands in your calendar at once. " * 3
    return "Your customers pick a time on your page."


class ForgetfulResponder(ScriptedResponder):
    """A scripted responder that keeps no prompts: a soak is for finding what grows."""

    def words(self, messages: Sequence[Message], cancelled: Cancelled) -> Iterator[str]:
        """Yield the next reply's words."""
        self.prompts.clear()
        return super().words(messages, cancelled)


class ForgetfulSynthesizer(ScriptedSynthesizer):
    """A scripted synthesizer that keeps no phrases."""

    def synthesize(self, text: str, cancelled: Cancelled) -> Iterator[bytes]:
        """Yield the tone in blocks of 40 ms."""
        self.spoken.clear()
        return super().synthesize(text, cancelled)


def scripted_engines() -> Engines:
    """Make the engines."""
    responder = ForgetfulResponder(scripted_reply)
    synthesizer = ForgetfulSynthesizer(ms_per_character=MS_PER_CHARACTER)
    return Engines(LengthTranscriber(), responder, synthesizer, LevelVoiceDetector)


def scripted_room(settings: ModelSettings, call: CallSettings, metrics: Metrics, toolbox: Toolbox) -> EngineRoom:
    """Make an engine room of scripted engines."""
    tools = ToolRoom(toolbox, deadline_s=call.tool_deadline_s)
    return EngineRoom(scripted_engines(), Deadlines(), metrics=metrics, tools=tools)


def serve() -> None:
    """Be the server."""
    settings = Settings()
    set_up_logging(settings.log.log_level.value, as_json=settings.log.log_json)
    server = AgentServer(settings, scripted_room)
    server.run()
    if server.failure is not None:
        raise server.failure


if __name__ == "__main__":
    serve()
