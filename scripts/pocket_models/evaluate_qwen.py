"""The test of pocket-qwen: calls that it has never seen, which it holds by itself, turn by turn, by greedy decoding.

Each reply is judged against the reference agent's: the *intent* is right when the reply is one of the right wordings
with any values in it; the *slots* are right when the values are the right ones as well. The model's own reply, right
or wrong, goes into the history that it reads next.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM, AutoTokenizer

from scripts.pocket_models.dialogues import Call, default_playbook, opening
from scripts.pocket_models.lexicon import REAL_WORDS
from scripts.pocket_models.policy import Reply
from scripts.pocket_models.worlds import MADE_UP_WORDS, World, random_world, world_of
from telephony_agent.engines.base import Message

SEED = 7
CALLS = 150
BATCH = 25
REPLY_TOKENS = 90


@dataclass(slots=True)
class Score:
    """How many replies there were, how many had the right intent, had slots, and had these right too."""

    replies: int = 0
    right_intent: int = 0
    with_slots: int = 0
    right_slots: int = 0

    def add(self, reply: Reply, text: str) -> bool:
        """Judge one reply and return whether its intent was right."""
        right = is_right_intent(reply, text)
        self.replies += 1
        self.right_intent += right
        if reply.slots:
            self.with_slots += 1
            self.right_slots += text in reply.wordings
        return right


@dataclass(slots=True)
class Report:
    """The scores of one set of calls, by what the reply should have done, and the replies that were wrong."""

    scores: dict[str, Score] = field(default_factory=lambda: defaultdict(Score))
    wrong: list[tuple[str, str, str]] = field(default_factory=list)

    def note(self, heard: str, reply: Reply, text: str) -> None:
        """Judge one reply."""
        self.scores[reply.act].add(reply, text)
        if text not in reply.wordings:
            self.wrong.append((heard, reply.wordings[0], text))

    def total(self) -> Score:
        """Add up all scores."""
        scores = self.scores.values()
        return Score(
            sum(score.replies for score in scores),
            sum(score.right_intent for score in scores),
            sum(score.with_slots for score in scores),
            sum(score.right_slots for score in scores),
        )


def is_right_intent(reply: Reply, text: str) -> bool:
    """Tell whether a text is one of the right wordings, whatever values stand in the places of its slots."""
    for wording in reply.wordings:
        pattern = re.escape(wording)
        for value in reply.slots.values():
            pattern = pattern.replace(re.escape(value), ".+")
        if re.fullmatch(pattern, text):
            return True
    return False


class Speaker:
    """The model under test, with its tokenizer."""

    def __init__(self, model_dir: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(model_dir, padding_side="left")
        self._model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32).eval()

    def replies(self, histories: list[list[Message]]) -> list[str]:
        """Reply to several histories at once."""
        inputs = self._tokenizer.apply_chat_template(
            histories, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        with torch.inference_mode():
            ids = self._model.generate(**inputs, max_new_tokens=REPLY_TOKENS, do_sample=False)
        texts: list[str] = self._tokenizer.batch_decode(
            ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        return texts


def hold_calls(speaker: Speaker, worlds: list[World], *, lifelike: bool, led: bool = False, seed: int = SEED) -> Report:
    """Let the model hold one call in each world, side by side, with callers who use held-out sentences only.

    In led calls the guide says its part, and only the rest is judged.
    """
    report = Report()
    rng = random.Random(seed)
    calls = [Call(random.Random(rng.random()), world, split="heldout", lifelike=lifelike, led=led) for world in worlds]
    histories = [opening(call.world.playbook, greeted=call.greeted) for call in calls]
    running = list(range(len(calls)))
    while running:
        steps = {}
        for number in running:
            steps[number] = calls[number].step()
            histories[number].append({"role": "user", "content": steps[number][0]})
        asked = [number for number in running if not calls[number].fixed]
        texts = {number: steps[number][2].wordings[0] for number in running}
        texts |= zip(asked, speaker.replies([histories[number] for number in asked]), strict=True) if asked else ()
        for number in running:
            (heard, _, reply), text = steps[number], texts[number]
            if number in asked:
                report.note(heard, reply, text)
            said = calls[number].interrupt(text)
            calls[number].say(said, interrupted=said != text)
            histories[number].append({"role": "assistant", "content": said})
        running = [number for number in running if not calls[number].over]
    return report


def _all_calls(speaker: Speaker, worlds: list[World], *, lifelike: bool, led: bool) -> Report:
    whole = Report()
    for at in range(0, len(worlds), BATCH):
        part = hold_calls(speaker, worlds[at : at + BATCH], lifelike=lifelike, led=led, seed=SEED + at)
        for act, score in part.scores.items():
            known = whole.scores[act]
            known.replies += score.replies
            known.right_intent += score.right_intent
            known.with_slots += score.with_slots
            known.right_slots += score.right_slots
        whole.wrong += part.wrong
    return whole


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _table(title: str, report: Report) -> Table:
    table = Table("reply", "n", "right intent", "n with slots", "right slots", title=title)
    rows = [*sorted(report.scores.items()), ("all", report.total())]
    for act, score in rows:
        slots = str(score.with_slots or ""), _percent(score.right_slots, score.with_slots)
        table.add_row(act, str(score.replies), _percent(score.right_intent, score.replies), *slots)
    return table


def evaluate(model_dir: Path, calls: int = CALLS) -> dict[str, Any]:
    """Hold five sets of calls, print a table and some wrong replies of each, and return the shares of right replies.

    Lifelike calls have wrong words, other transcribers' styles, interruptions and trimmed histories. The last set is
    playbooks that the model was not made for, to show how far it goes.
    """
    speaker = Speaker(model_dir)
    rng = random.Random(SEED)
    real = [world_of(default_playbook(), REAL_WORDS)] * calls
    made_up = [world_of(default_playbook(), MADE_UP_WORDS)] * calls
    foreign = [random_world(rng, default_playbook()) for _ in range(calls)]
    console = Console()
    results: dict[str, Any] = {}
    for title, worlds, lifelike, led in (
        ("real names", real, False, False),
        ("made-up names", made_up, False, False),
        ("real names, lifelike", real, True, False),
        ("real names, led by the guide", real, False, True),
        ("foreign playbooks", foreign, False, False),
    ):
        report = _all_calls(speaker, worlds, lifelike=lifelike, led=led)
        console.print(_table(title, report))
        for heard, expected, text in report.wrong[:12]:
            console.print(f"  caller  {heard}\n  right   {expected}\n  model   {text}\n", markup=False, highlight=False)
        total = report.total()
        results[title] = {
            "replies": total.replies,
            "right_intent": total.right_intent / total.replies,
            "slot_replies": total.with_slots,
            "right_slots": total.right_slots / total.with_slots,
        }
    return results
