"""Voice without a phone: what is delivered is heard, what is said over us stops us."""

from __future__ import annotations

import asyncio
import io
import wave

import pytest

from telephony_agent.core.events import EndReason
from telephony_agent.engines.scripted import (
    Hold,
    ScriptedTranscriber,
)
from telephony_agent.errors import ResponseError, SynthesisError, TranscriptionError
from telephony_agent.live.engine_room import Deadlines
from telephony_agent.live.text_desk import NoVoiceError
from telephony_agent.live.voice_chat import (
    MAX_WAITING,
    AgentText,
    Problem,
    Speech,
    TurnDone,
    UnusableMessageError,
    UserText,
    Words,
)
from telephony_agent.sales.tools import Tool
from tests.live.studio import OTHERWISE, SOUND, Studio, heard, in_studio
from tests.loopback.agent import PLAYBOOK


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


def test_what_cannot_be_used_is_told_and_the_call_goes_on() -> None:
    async def scenario(studio: Studio) -> None:
        _, client = await studio.greeted()
        client.says(UnusableMessageError("send a WAV file"))
        assert (await client.hears(Problem)).message == "send a WAV file"
        assert await client.turn(Words("what is it about"))

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
