"""The model's view of the call."""

from __future__ import annotations

from telephony_agent.core.conversation import Conversation, TurnInput


def words(text: str) -> int:
    return len(text.split())


def test_a_reply_that_nobody_heard_is_not_in_the_history() -> None:
    conversation = Conversation("system", budget=1000, count=words)
    turn = conversation.open(1, TurnInput.SPEECH)
    turn.transcript, turn.reply = "hello", "words that were cleared"
    conversation.open(2, TurnInput.SPEECH).transcript = "are you there"
    assert conversation.messages()[1:] == [{"role": "user", "content": "hello are you there"}]


def test_the_history_is_cut_to_half_at_once_so_that_prefixes_live_long() -> None:
    conversation = Conversation("system", budget=100, count=words)
    firsts = []
    for i in range(60):
        turn = conversation.open(i, TurnInput.SPEECH)
        turn.transcript, turn.reply_heard = f"question {i}", f"answer number {i}"
        messages = conversation.messages()
        assert messages[0]["content"] == "system"
        assert sum(words(message["content"]) + 5 for message in messages) <= 100
        firsts.append(messages[1]["content"])
    assert len(set(firsts)) < 15


def test_unanswered_words_are_remembered() -> None:
    conversation = Conversation("system", budget=100, count=words)
    turn = conversation.open(1, TurnInput.SPEECH)
    assert not conversation.unanswered
    turn.transcript = "hello"
    assert conversation.unanswered
    turn.reply_heard = "hi"
    assert not conversation.unanswered
