"""What must hold in every call, whatever the seed: the twelve scenario families in virtual time.

``STORIES`` in the environment sets how many seeds each family is told with: ten by default, twenty in the long form.
"""

from __future__ import annotations

import os

import pytest

from telephony_agent.core.conversation import TurnInput
from telephony_agent.core.events import EndReason
from tests.calls.families import FAMILIES, tell
from tests.calls.stage import ANNOUNCEMENTS

STORIES = int(os.environ.get("STORIES", "10"))
LONGEST_GAP_S = 3.0


@pytest.mark.parametrize("family", FAMILIES)
def test_every_story_goes_as_it_must(family: str) -> None:
    for seed in range(STORIES):
        story = tell(family, seed)
        call = story.call
        turns = call.turns
        where = f"{family}, seed {seed}"
        understood = [turn.transcript for turn in turns if turn.input is TurnInput.SPEECH]
        if family != "silence" and not story.uncut:
            assert understood == story.expected, where
        assert max(story.gaps_s, default=0.0) <= LONGEST_GAP_S, where
        heard_s = call.flow._voice.heard_ms / 1000
        # What was on its way when it was cleared is known to a frame or two.
        assert heard_s == pytest.approx(len(call.twin.played) / 8000, abs=0.1), where
        if story.uncut:
            assert not any(turn.interrupted for turn in turns), where
            assert all(turn.reply_heard == turn.reply for turn in turns), where


def test_nobody_is_kept_on_a_silent_line() -> None:
    for seed in range(STORIES):
        call = tell("silence", seed).call
        assert call.hung_up is not None
        assert call.hung_up.reason is EndReason.SILENCE
        assert [turn.reply_heard for turn in call.turns][1:] == [
            *(words.text for words in ANNOUNCEMENTS.reprompts),
            ANNOUNCEMENTS.silence_goodbye.text,
        ]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_tells_the_same_story_to_the_byte(family: str) -> None:
    assert repr(tell(family, 7).call.log) == repr(tell(family, 7).call.log)
