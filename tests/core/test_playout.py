"""What the caller has heard."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.core.playout import LEAD_MS, MarkDue, MediaDue, Phrase, Playout

FRAME = b"\x01" * 160


def run(playout: Playout, start: float, seconds: float) -> tuple[list[str], int]:
    """Let time pass in 20 ms steps; return the marks that became due and the ms of audio sent."""
    marks: list[str] = []
    sent_ms = 0
    for i in range(round(seconds / 0.02)):
        for due in playout.due(start + i * 0.02):
            if isinstance(due, MarkDue):
                marks.append(due.name)
            else:
                sent_ms += len(due.payload) // 8
    return marks, sent_ms


def test_audio_is_sent_no_more_than_the_lead_ahead() -> None:
    playout = Playout()
    playout.add(1, "a long phrase", FRAME * 200)
    first = playout.due(10.0)
    assert sum(len(due.payload) for due in first if isinstance(due, MediaDue)) == LEAD_MS * 8
    _, sent_ms = run(playout, 10.0, 2.0)
    assert LEAD_MS + sent_ms <= 2000 + LEAD_MS


def test_a_mark_follows_the_last_frame_of_its_phrase() -> None:
    playout = Playout()
    phrase = playout.add(1, "short", FRAME * 3)
    assert [type(due) for due in playout.due(0.0)] == [MediaDue] * 3 + [MarkDue]
    assert phrase.mark_sent


def test_a_returned_mark_settles_its_phrase_and_those_before_it() -> None:
    playout = Playout()
    one, two = playout.add(1, "one", FRAME * 3), playout.add(1, "two", FRAME * 3)
    playout.due(0.0)
    assert playout.returned(two.mark, 0.13) is two
    assert one.heard == two.heard == 480
    assert playout.settled(0.13)


def test_a_lost_mark_is_believed_heard_after_the_grace() -> None:
    playout = Playout()
    phrase = playout.add(1, "one", FRAME * 3)
    playout.due(0.0)
    assert not playout.settled(0.5)
    assert playout.settled(2.0)
    assert phrase.heard == 480


def test_clear_keeps_what_was_heard_and_drops_the_rest() -> None:
    playout = Playout()
    phrase = playout.add(1, "one two three four five six seven eight", FRAME * 100)
    run(playout, 0.0, 1.0)
    cut = playout.clear(1.0)
    assert cut == [phrase]
    assert phrase.heard_text() == "one two three four"
    assert not playout.audible(1.0)
    assert playout.settled(1.0)


def test_marks_that_return_after_clear_are_no_news() -> None:
    playout = Playout()
    phrase = playout.add(1, "one two", FRAME * 10)
    playout.due(0.0)
    playout.clear(0.05)
    heard = phrase.heard
    assert playout.returned(phrase.mark, 0.06) is None
    assert phrase.heard == heard < len(phrase.audio)


def test_what_was_never_sent_is_not_heard() -> None:
    playout = Playout()
    playout.add(1, "first", FRAME * 100)
    second = playout.add(1, "second", FRAME * 10)
    playout.due(0.0)
    assert second in playout.clear(0.1)
    assert second.heard_text() == ""


def test_a_line_that_lags_sets_the_model_back_but_not_the_pace() -> None:
    playout = Playout()
    one = playout.add(1, "one", FRAME * 10)
    playout.due(0.0)
    playout.returned(one.mark, 0.5)
    two = playout.add(1, "two", FRAME * 50)
    run(playout, 0.5, 0.5)
    playout.advance(1.0)
    assert two.heard == round((1.0 - 0.5 - 0.3) * 8000)
    assert two.sent >= 0.5 * 8000


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "due", "mark", "clear", "wait"]), st.integers(1, 60)), min_size=1, max_size=60
)


@given(STEPS)
def test_sent_is_always_heard_plus_cleared_plus_pending(steps: list[tuple[str, int]]) -> None:
    playout = Playout()
    now = 0.0
    phrases: list[Phrase] = []
    sent = 0
    for step, number in steps:
        match step:
            case "add":
                phrases.append(playout.add(1, "some words", FRAME * number))
            case "due":
                sent += sum(len(due.payload) for due in playout.due(now) if isinstance(due, MediaDue))
            case "mark" if phrases:
                phrase = phrases[number % len(phrases)]
                if phrase.mark_sent:
                    playout.returned(phrase.mark, now)
            case "clear":
                playout.clear(now)
            case _:
                now += number / 50
        playout.advance(now)
        assert sent == sum(p.sent for p in phrases) == sum(p.heard + p.cleared + p.pending for p in phrases)
        assert all(0 <= p.heard <= p.sent and 0 <= p.cleared <= p.sent and p.pending >= 0 for p in phrases)
        assert playout.pending_ms() == sum(p.pending for p in phrases) // 8
