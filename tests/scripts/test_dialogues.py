"""The reference agent and the calls that pocket-qwen learns from."""

from __future__ import annotations

import random
from itertools import islice, pairwise

from scripts.pocket_models.dialogues import Turn, agent_sentence, converse, default_playbook, dialogues
from scripts.pocket_models.led_calls import Leader
from scripts.pocket_models.lexicon import REAL_WORDS
from scripts.pocket_models.policy import MAX_PUSHES, ReferenceAgent
from scripts.pocket_models.sentences import Sentence, is_held_out
from scripts.pocket_models.worlds import random_world, world_of
from telephony_agent.sales.playbook import END_CALL


def agent() -> ReferenceAgent:
    return ReferenceAgent(default_playbook(), pending="minute")


def says(text: str, intent: str, **slots: str) -> Sentence:
    return Sentence(text, intent, slots)


def test_the_same_seed_writes_the_same_calls() -> None:
    first, second = ([call.messages() for call in islice(dialogues(4), 20)] for _ in range(2))
    assert first == second


def test_a_call_opens_with_the_prompt_and_the_greeting_and_then_alternates() -> None:
    world = world_of(default_playbook(), REAL_WORDS)
    messages = converse(random.Random(1), world, lifelike=False).messages()
    assert [message["role"] for message in messages[:3]] == ["system", "assistant", "user"]
    assert messages[1]["content"] == world.playbook.greeting
    assert {message["role"] for message in messages[2::2]} == {"user"}
    assert {message["role"] for message in messages[3::2]} == {"assistant"}


def test_only_the_last_reply_ends_the_call() -> None:
    for call in islice(dialogues(8), 200):
        assert not any(END_CALL in turn.said for turn in call.turns[:-1])


def test_a_meeting_is_booked_and_repeated_at_the_goodbye() -> None:
    salesperson = agent()
    salesperson.answer(says("this is Mary", "give_name", name="Mary"))
    salesperson.answer(says("Tuesday works", "give_day", day="Tuesday"))
    booked = salesperson.answer(says("ten thirty", "give_time", time="ten thirty"))
    assert booked.wordings[0].startswith("Great, Tuesday at ten thirty.")
    goodbye = salesperson.answer(says("bye", "goodbye"))
    assert goodbye.wordings == (f"Thank you, Mary. See you Tuesday at ten thirty. Goodbye. {END_CALL}",)


def test_a_changed_day_keeps_the_time() -> None:
    salesperson = agent()
    salesperson.answer(says("Tuesday at noon", "book", day="Tuesday", time="noon"))
    changed = salesperson.answer(says("I meant Friday", "change_day", day="Friday"))
    assert changed.wordings[0].startswith("No problem, Friday at noon.")


def test_after_two_pushes_the_agent_leaves() -> None:
    salesperson = agent()
    acts = [salesperson.answer(says("not interested", "not_interested")).act for _ in range(MAX_PUSHES + 1)]
    assert acts == ["push", "last_push", "leave"]


def test_an_opt_out_is_promised_and_ends_the_call() -> None:
    (wording,) = agent().answer(says("stop calling me", "opt_out")).wordings
    assert "off our list" in wording
    assert wording.endswith(END_CALL)


def test_a_topic_that_the_playbook_lacks_is_not_invented() -> None:
    playbook = default_playbook().model_copy(update={"facts": {}})
    reply = ReferenceAgent(playbook).answer(says("is there a discount", "discount"))
    assert reply.wordings[0].startswith("I don't know that")


def test_an_address_is_read_back_until_it_is_right() -> None:
    salesperson = agent()
    read_back = salesperson.answer(says("", "give_email", email="jo at example dot com"))
    assert read_back.wordings == ("Got it, jo at example dot com. Is that right?",)
    assert salesperson.answer(says("no", "no")).wordings[0].endswith("What is your e-mail address?")


def test_an_interrupted_question_is_asked_again() -> None:
    salesperson = agent()
    first = salesperson.answer(says("hello", "greeting")).wordings[0]
    salesperson.interrupted(first.split()[0])
    second = salesperson.answer(says("how are you", "how_are_you")).wordings[0]
    question = default_playbook().question
    assert first.endswith(question)
    assert second.endswith(question)


def test_random_playbooks_differ_and_the_default_one_is_among_them() -> None:
    rng = random.Random(6)
    companies = [random_world(rng, default_playbook()).playbook.company for _ in range(100)]
    assert "Bluefinch" in companies
    assert len(set(companies)) > 60


def test_agent_sentences_are_split_like_those_of_callers() -> None:
    rng = random.Random(3)
    assert all(is_held_out(agent_sentence(rng, split="heldout")) for _ in range(10))
    assert "END_CALL" not in " ".join(agent_sentence(rng) for _ in range(100))


def led_turns() -> list[tuple[Turn, Turn]]:
    """Return the fixed replies of many led calls, each with the turn that follows it."""
    world, rng = world_of(default_playbook(), REAL_WORDS), random.Random(5)
    calls = [converse(rng, world, led=True, booker=True).turns for _ in range(60)]
    return [pair for call in calls for pair in pairwise(call) if pair[0].fixed]


def test_in_a_led_call_the_guide_reads_times_back_and_callers_often_agree() -> None:
    answers = [after.intent for turn, after in led_turns() if turn.said.startswith("Okay, ") and "right?" in turn.said]
    assert answers.count("yes") > len(answers) / 3 > 5


def test_what_the_guide_has_booked_is_not_asked_for_again() -> None:
    booked = [after.said for turn, after in led_turns() if "that is booked" in turn.said and not after.fixed]
    assert booked
    assert not [said for said in booked if "Which day" in said or "Would you like" in said]


def test_without_a_guide_nothing_is_fixed() -> None:
    assert not any(turn.fixed for turn in converse(random.Random(3), world_of(default_playbook(), REAL_WORDS)).turns)


def test_words_that_only_the_guide_may_answer_are_taken_from_the_agent() -> None:
    salesperson, leader = agent(), Leader(default_playbook())
    salesperson.answer(says("are you a robot", "are_you_robot"))
    fixed = leader.take(1, "are you a robot")
    leader.instruct(salesperson, fixed)
    assert "AI assistant" in fixed
    assert (salesperson.pending, salesperson.size_asked) == ("go_on", False)
