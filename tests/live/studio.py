"""A desk with scripted engines and clients in memory, to tell what happens in a call without a phone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from telephony_agent.engines.scripted import (
    LevelVoiceDetector,
    ScriptedResponder,
    ScriptedSynthesizer,
    ScriptedTranscriber,
    Step,
)
from telephony_agent.live.engine_room import Deadlines, EngineRoom, Engines
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.spoken_call import SpokenCall
from telephony_agent.live.text_call import TextTerms
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.live.tool_room import Toolbox, ToolRoom
from telephony_agent.live.voice_chat import (
    AgentText,
    LineLostError,
    Said,
    Speech,
    Told,
    TurnDone,
    Utterance,
    VoiceChat,
    VoiceTerms,
)
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.sales.tools import Tool
from tests.loopback.agent import PLAYBOOK

ANNA = Lead(name="Anna Miller", phone="+12125550199")
SOUND = Utterance(b"\x10\x00" * 1600, 16_000)
PATIENCE_S = 20.0
OTHERWISE = "I see. What else would you like to know?"
T = TypeVar("T", bound=Told)


class Client:
    """A client in memory: the line of a chat, and what came over it."""

    def __init__(self, chat_of: Callable[[Client], VoiceChat]) -> None:
        self.told: list[Told] = []
        self._said: asyncio.Queue[Said | Exception] = asyncio.Queue()
        self._news = asyncio.Event()
        self.deaf = False
        self.serving = asyncio.create_task(chat_of(self).serve())

    async def receive(self) -> Said:
        said = await self._said.get()
        if isinstance(said, Exception):
            raise said
        return said

    async def send(self, told: Told) -> None:
        if self.deaf:
            raise LineLostError("deaf")
        self.told.append(told)
        self._news.set()

    def says(self, *said: Said | Exception) -> None:
        for one in said:
            self._said.put_nowait(one)

    async def hears(self, kind: type[T], count: int = 1) -> T:
        """Wait until so many of a kind have come; return the last."""
        while len(found := [told for told in self.told if isinstance(told, kind)]) < count:
            self._news.clear()
            await self._news.wait()
        return found[count - 1]

    async def turn(self, *said: Said) -> list[str]:
        """Say something and wait for the end of the turn; return our phrases."""
        turns = sum(isinstance(told, TurnDone) for told in self.told)
        before = len(self.told)
        self.says(*said)
        await self.hears(TurnDone, turns + 1)
        return phrases(self.told[before:])

    async def hangs_on(self) -> None:
        """Wait for the end of the chat."""
        await self.serving


def phrases(told: Iterable[Told]) -> list[str]:
    return [one.text for one in told if isinstance(one, Speech | AgentText)]


class Studio:
    """A desk with scripted engines."""

    def __init__(self, desk: TextDesk, voice: VoiceTerms) -> None:
        self.desk = desk
        self.voice = voice

    def start(self) -> SpokenCall:
        return self.desk.start_spoken(ANNA)

    def join(self, call: SpokenCall) -> Client:
        return Client(lambda client: VoiceChat(call, self.voice, client))

    async def greeted(self) -> tuple[SpokenCall, Client]:
        call = self.start()
        client = self.join(call)
        await client.hears(TurnDone)
        return call, client


Scenario = Callable[[Studio], Awaitable[None]]


def in_studio(
    scenario: Scenario,
    *,
    heard: Iterable[Step] = (),
    replies: Iterable[Step] = (),
    spoken: Iterable[Step] = (),
    transcriber: ScriptedTranscriber | None = None,
    deadlines: Deadlines | None = None,
    tools: Iterable[Tool] = (),
    **terms: Any,
) -> None:
    """Play a scenario in which Whisper understands, the model says, and the voice does what the scripts say."""
    responder = ScriptedResponder(replies, otherwise=OTHERWISE)

    async def run() -> None:
        transcriber_ = transcriber or ScriptedTranscriber(heard)
        synthesizer = ScriptedSynthesizer(spoken, ms_per_character=1)
        room = EngineRoom(
            Engines(transcriber_, responder, synthesizer, LevelVoiceDetector),
            deadlines or Deadlines(),
        )
        toolbox = Toolbox(functions={tool.name: tool for tool in tools})
        shared = TextTerms(responder, room.responding, PATIENCE_S, Phrasebook.shipped(), tools=ToolRoom(toolbox))
        voice = VoiceTerms(room, **terms)
        desk = TextDesk(SalesDesk(PLAYBOOK), shared, voice=voice, max_live=3)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await scenario(Studio(desk, voice))
            desk.close()
        finally:
            await asyncio.to_thread(room.close)

    asyncio.run(run())


def heard(call: SpokenCall) -> list[str]:
    return [turn.reply_heard for turn in call.conversation.turns]
