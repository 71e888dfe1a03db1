"""Voice without a phone: what is delivered is heard, what is said over us stops us."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import pytest

from telephony_agent.core.events import EndReason
from telephony_agent.engines.scripted import (
    Hold,
    LevelVoiceDetector,
    ScriptedResponder,
    ScriptedSynthesizer,
    ScriptedTranscriber,
    Step,
)
from telephony_agent.errors import ResponseError, SynthesisError, TranscriptionError
from telephony_agent.live.engine_room import Deadlines, EngineRoom, Engines
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.spoken_call import LineTakenError, SpokenCall
from telephony_agent.live.text_call import CallOverError, TextTerms
from telephony_agent.live.text_desk import NoVoiceError, TextDesk
from telephony_agent.live.tool_room import Toolbox, ToolRoom
from telephony_agent.live.voice_chat import (
    MAX_WAITING,
    AgentText,
    CallEnded,
    HungUp,
    LineLostError,
    Problem,
    Said,
    Speech,
    Told,
    TurnDone,
    UnusableMessageError,
    UserText,
    Utterance,
    VoiceChat,
    VoiceTerms,
    Words,
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


def test_the_greeting_is_spoken_first_and_heard_only_then() -> None:
    async def scenario(studio: Studio) -> None:
        call = studio.start()
        assert heard(call) == [""]
        client = studio.join(call)
        await client.hears(TurnDone)
        greeting, done = client.told
        assert isinstance(greeting, Speech)
        assert greeting.text == PLAYBOOK.greeting
        with wave.open(io.BytesIO(greeting.wav)) as sound:
            assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 16_000)
            assert sound.getnframes() == 16 * len(PLAYBOOK.greeting)
        assert isinstance(done, TurnDone)
        assert heard(call) == [PLAYBOOK.greeting]

    in_studio(scenario)


def test_an_utterance_is_understood_and_answered_phrase_by_phrase() -> None:
    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        assert await client.turn(SOUND) == ["It is about booking,", "and it saves you time."]
        assert (await client.hears(UserText)).text == "what is it about"
        assert heard(call)[-1] == "It is about booking, and it saves you time."

    in_studio(scenario, heard=["what is it about"], replies=["It is about booking, and it saves you time."])


def test_typed_words_are_a_turn_too() -> None:
    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        await client.turn(Words("what is it about"))
        assert call.conversation.turns[1].transcript == "what is it about"

    in_studio(scenario)


def test_an_utterance_over_our_answer_drops_the_rest_of_it() -> None:
    hold = Hold()

    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(Words("what is it about"))
        await asyncio.to_thread(hold.entered.wait)
        assert await client.turn(Words("and what does it cost")) == []
        await client.hears(TurnDone, 3)
        hold.release.set()
        assert heard(call) == [PLAYBOOK.greeting, "It is about booking,", OTHERWISE]
        turn = call.conversation.turns[1]
        assert turn.interrupted
        assert turn.reply == "It is about booking, and it saves you time."

    in_studio(scenario, replies=["It is about booking, and it saves you time."], spoken=["", "", hold])


def test_an_utterance_over_a_reply_in_the_making_stops_the_making() -> None:
    hold = Hold("Too late.")

    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(Words("what is it about"))
        await asyncio.to_thread(hold.entered.wait)
        client.says(Words("never mind, goodbye"))
        await client.hears(TurnDone, 2)
        hold.release.set()
        await client.hangs_on()
        assert heard(call) == [PLAYBOOK.greeting, "", "Have a good day."]
        assert call.end_reason is EndReason.GOODBYE

    in_studio(scenario, replies=[hold, "Have a good day."])


def test_a_goodbye_that_is_talked_over_before_it_is_answered_ends_nothing() -> None:
    hold = Hold("Goodbye.")

    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(Words("thanks, goodbye"))
        await asyncio.to_thread(hold.entered.wait)
        client.says(Words("wait, one more question"))
        await client.hears(TurnDone, 2)
        hold.release.set()
        await client.hears(TurnDone, 3)
        assert not call.over

    in_studio(scenario, replies=[hold])


def test_a_tool_that_returns_after_the_caller_went_on_is_noted_and_not_answered() -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def find_order(number: int) -> str:
        """Find an order."""
        begun.set()
        await release.wait()
        return f"order {number} is on its way"

    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(Words("where is order seven"))
        await begun.wait()
        client.says(Words("never mind"))
        await client.hears(TurnDone, 3)
        release.set()
        turn = call.conversation.turns[1]
        while turn.tools[0].result != "order 7 is on its way":  # noqa: ASYNC110 - the call has no event to wait for
            await asyncio.sleep(0)
        assert heard(call) == [PLAYBOOK.greeting, "", "All right."]

    calling = '<tool_call>\n{"name": "find_order", "arguments": {"number": 7}}\n</tool_call>'
    in_studio(scenario, replies=[calling, "All right."], tools=[Tool.of(find_order)])


def test_a_greeting_that_is_talked_over_was_not_heard_and_the_disclosure_is_made_good() -> None:
    hold = Hold()

    async def scenario(studio: Studio) -> None:
        call = studio.start()
        client = studio.join(call)
        await asyncio.to_thread(hold.entered.wait)
        client.says(Words("hello, who is this"))
        await client.hears(TurnDone, 2)
        hold.release.set()
        assert heard(call)[0] == ""
        assert "AI" in heard(call)[1]
        assert call.guide.state.disclosed is False, "it is known to be heard when the caller has answered it"
        await client.turn(Words("all right"))
        assert call.guide.state.disclosed

    in_studio(scenario, spoken=[hold])


def test_words_that_come_while_others_are_understood_are_one_turn() -> None:
    hold = Hold("can you tell me")

    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(SOUND)
        await asyncio.to_thread(hold.entered.wait)
        client.says(SOUND)
        await asyncio.sleep(0)
        hold.release.set()
        await client.hears(TurnDone, 2)
        assert call.conversation.turns[1].transcript == "can you tell me what it is about"

    in_studio(scenario, heard=[hold, "what it is about"])


def test_more_utterances_than_may_wait_are_refused() -> None:
    hold = Hold("hello")

    async def scenario(studio: Studio) -> None:
        _, client = await studio.greeted()
        client.says(SOUND)
        await asyncio.to_thread(hold.entered.wait)
        client.says(*[SOUND] * (MAX_WAITING + 1))
        assert "wait" in (await client.hears(Problem)).message
        hold.release.set()
        await client.hears(TurnDone, 2)

    in_studio(scenario, heard=[hold])


def test_sound_without_words_is_asked_for_again() -> None:
    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        said = await client.turn(SOUND)
        assert " ".join(said) == PLAYBOOK.not_understood
        assert (await client.hears(UserText)).text == ""
        assert heard(call)[1] == PLAYBOOK.not_understood
        assert not call.over

    in_studio(scenario, heard=[""])


def test_a_transcriber_that_fails_is_apologised_for_and_at_the_third_time_the_call_ends() -> None:
    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        assert " ".join(await client.turn(SOUND)) == PLAYBOOK.apology
        await client.turn(SOUND)
        assert " ".join(await client.turn(SOUND)) == PLAYBOOK.fault_goodbye
        await client.hangs_on()
        assert call.end_reason is EndReason.FAULT

    in_studio(scenario, heard=[TranscriptionError("no")] * 3)


def test_a_transcriber_that_hangs_is_apologised_for() -> None:
    hold = Hold()

    async def scenario(studio: Studio) -> None:
        _, client = await studio.greeted()
        assert " ".join(await client.turn(SOUND)) == PLAYBOOK.apology
        hold.release.set()

    in_studio(scenario, heard=[hold], deadlines=Deadlines(transcribe_s=0.05))


def test_a_phrase_that_cannot_be_spoken_is_delivered_as_text() -> None:
    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        await client.turn(Words("what is it about"))
        assert await client.hears(AgentText) == AgentText("It is about booking.")
        assert heard(call)[1] == "It is about booking."

    in_studio(scenario, replies=["It is about booking."], spoken=["", SynthesisError("no")])


def test_a_responder_that_fails_is_apologised_for() -> None:
    async def scenario(studio: Studio) -> None:
        _, client = await studio.greeted()
        assert " ".join(await client.turn(Words("what is it about"))) == PLAYBOOK.apology

    in_studio(scenario, replies=[ResponseError("no")])


def test_an_opt_out_is_confirmed_aloud_before_the_call_ends() -> None:
    hold = Hold()

    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(Words("please take me off your list"))
        await asyncio.to_thread(hold.entered.wait)
        assert not call.over, "its last words are not out"
        client.says(Words("hello?"))
        hold.release.set()
        await client.hangs_on()
        assert heard(call)[-1].startswith("Understood.")
        assert heard(call)[-1] == call.conversation.turns[-1].reply
        assert client.told[-2:] == [TurnDone(), CallEnded()]
        assert call.guide.state.opted_out

    in_studio(scenario, spoken=["", hold])


def test_a_client_that_hangs_up_ends_the_call() -> None:
    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(HungUp())
        await client.hangs_on()
        assert call.end_reason is EndReason.CALLER
        assert client.told[-1] == CallEnded()

    in_studio(scenario)


def test_a_call_that_is_ended_from_outside_tells_its_client() -> None:
    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        studio.desk.close()
        await client.hangs_on()
        assert client.told[-1] == CallEnded()
        assert call.end_reason is EndReason.SHUTDOWN

    in_studio(scenario)


def test_a_long_silence_ends_the_call() -> None:
    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        await client.hangs_on()
        assert call.end_reason is EndReason.SILENCE

    in_studio(scenario, idle_s=0.2)


def test_what_cannot_be_used_is_told_and_the_call_goes_on() -> None:
    async def scenario(studio: Studio) -> None:
        _, client = await studio.greeted()
        client.says(UnusableMessageError("send a WAV file"))
        assert (await client.hears(Problem)).message == "send a WAV file"
        assert await client.turn(Words("what is it about"))

    in_studio(scenario)


def test_a_line_that_is_lost_may_be_replaced_and_what_was_not_delivered_is_not_history() -> None:
    hold = Hold()

    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(Words("what is it about"))
        await asyncio.to_thread(hold.entered.wait)
        client.says(LineLostError("gone"))
        await client.hangs_on()
        hold.release.set()
        assert not call.over
        assert heard(call) == [PLAYBOOK.greeting, ""]
        again = studio.join(call)
        await again.hears(TurnDone)
        assert again.told == [TurnDone()], "who was greeted isn't greeted again"
        assert await again.turn(Words("sorry, I lost you"))

    in_studio(scenario, replies=["It is about booking."], spoken=["", hold])


def test_a_client_that_takes_nothing_was_not_greeted_and_is_greeted_on_its_next_line() -> None:
    async def scenario(studio: Studio) -> None:
        call = studio.start()
        client = studio.join(call)
        client.deaf = True
        await client.hangs_on()
        assert heard(call) == [""]
        again = studio.join(call)
        await again.hears(TurnDone)
        assert phrases(again.told) == [PLAYBOOK.greeting]

    in_studio(scenario)


def test_a_line_that_stays_away_ends_the_call() -> None:
    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(LineLostError("gone"))
        await call.wait_ended()
        assert call.end_reason is EndReason.LINE

    in_studio(scenario, reconnect_s=0.02)


def test_a_line_that_is_lost_during_our_goodbye_ends_the_call_with_what_was_delivered() -> None:
    hold = Hold()

    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(Words("please take me off your list"))
        await asyncio.to_thread(hold.entered.wait)
        client.says(LineLostError("gone"))
        await client.hangs_on()
        hold.release.set()
        assert call.over
        assert heard(call)[-1] == ""
        assert call.guide.state.opted_out

    in_studio(scenario, spoken=["", hold])


def test_a_call_has_one_line_which_is_the_latest_comers_and_none_when_it_is_over() -> None:
    async def scenario(studio: Studio) -> None:
        call, first = await studio.greeted()
        second, third = studio.join(call), studio.join(call)
        for client in (first, second):
            with pytest.raises(LineTakenError):
                await client.hangs_on()
        await third.hears(TurnDone)
        assert " ".join(await third.turn(Words("sorry, I lost you"))) == OTHERWISE
        third.says(HungUp())
        await third.hangs_on()
        with pytest.raises(CallOverError):
            await studio.join(call).serving

    in_studio(scenario)


def test_sound_is_brought_to_the_rate_that_the_transcriber_knows() -> None:
    transcriber = ScriptedTranscriber(["hello"])

    async def scenario(studio: Studio) -> None:
        _, client = await studio.greeted()
        await client.turn(SOUND)
        assert len(transcriber.utterances[-1]) == len(SOUND.pcm) // 2

    in_studio(scenario, transcriber=transcriber, hears_hz=8000)


def test_a_desk_without_a_voice_begins_no_spoken_call() -> None:
    async def scenario(studio: Studio) -> None:
        studio.desk.voice = None
        with pytest.raises(NoVoiceError):
            studio.start()

    in_studio(scenario)
